"""Which task a message of `maintenance` asks for."""

from collections.abc import Callable
from datetime import datetime, timedelta

from shared.adapters.storage.queues import Queues
from shared.adapters.storage.store import Store
from shared.adapters.storage.tables.names import table_named
from shared.domain.importing.messages import MaintainRange, MaintenanceTask
from shared.services.checks.tenant_checks import TenantChecks
from shared.services.importing.run_closing import RunClosing
from shared.services.importing.timetable import Tick, Timetable
from shared.services.licensing.seats import SeatBook
from shared.services.maintenance import sweeps
from shared.services.maintenance.domains import DomainsTask
from shared.services.maintenance.notices import NoticesTask
from shared.services.maintenance.orphans import OrphansTask, SeatsTask
from shared.services.maintenance.range_tasks import RangeTask
from shared.services.maintenance.tick import ImportsTask, TenantsTask
from shared.services.notices.watch import Watch
from shared.services.tenancy.domains import Domains
from shared.services.tenancy.ledger import Ledger
from shared.services.tenancy.tenants import Tenants


class Tasks:
    """Makes the task of each message."""

    def __init__(
        self,
        store: Store,
        queues: Queues,
        timetable: Timetable,
        closing: RunClosing,
        tenants: Tenants,
        seats: SeatBook,
        checks: TenantChecks,
        domains: Domains,
        watch: Watch,
        ledger: Ledger,
        ledger_kept: timedelta,
        runs_kept: timedelta,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._queues = queues
        self._timetable = timetable
        self._closing = closing
        self._tenants = tenants
        self._seats = seats
        self._checks = checks
        self._domains = domains
        self._watch = watch
        self._ledger = ledger
        self._ledger_kept = ledger_kept
        self._runs_kept = runs_kept
        self._clock = clock

    def of(self, message: MaintainRange) -> RangeTask:  # noqa: C901, PLR0911, PLR0912 - one per task
        """Return a new task for a message."""
        match message.task:
            case MaintenanceTask.TENANTS:
                return TenantsTask(self._store, self._queues, self._tenants, self._clock)
            case MaintenanceTask.IMPORTS:
                return ImportsTask(self._store, self._timetable, Tick({}))
            case MaintenanceTask.NOTICES:
                return NoticesTask(self._watch)
            case MaintenanceTask.SNAPSHOTS:
                return sweeps.snapshots(self._closing)
            case MaintenanceTask.RUNS:
                return sweeps.runs(self._closing, self._runs_kept)
            case MaintenanceTask.LEDGER:
                return sweeps.ledger(self._ledger, self._ledger_kept)
            case MaintenanceTask.LEDGER_FEED:
                return sweeps.ledger_feed(self._ledger, self._ledger_kept, self._clock)
            case MaintenanceTask.KEYS:
                return sweeps.idempotency_keys(self._store)
            case MaintenanceTask.SHARE_IDS:
                return sweeps.share_ids(self._store)
            case MaintenanceTask.CHECKS:
                return sweeps.tenant_checks(self._checks)
            case MaintenanceTask.DELIVERIES:
                return sweeps.deliveries(self._store)
            case MaintenanceTask.DOMAINS:
                return DomainsTask(self._store, self._domains, self._clock)
            case MaintenanceTask.SEATS:
                return SeatsTask(self._store, self._seats)
            case MaintenanceTask.ORPHANS:
                return OrphansTask(self._store, table_named(message.table))
