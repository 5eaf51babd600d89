"""Imports and their runs."""

from shared.services.importing.decisions import Decisions
from shared.services.importing.imports import Imports
from shared.services.importing.run_closing import RunClosing
from shared.services.importing.run_queue import RunQueue
from shared.services.importing.run_start import RunStart
from shared.services.importing.runs import Runs
from shared.services.importing.timetable import Timetable
from shared.wiring.foundation import Foundation
from shared.wiring.licensing import Licensing
from shared.wiring.sharing import Sharing
from shared.wiring.tenancy import Tenancy


class Importing:
    """The services of this area."""

    def __init__(
        self, base: Foundation, tenancy: Tenancy, licensing: Licensing, sharing: Sharing
    ) -> None:
        self.run_queue = RunQueue(base.store, base.queues, base.clock)
        self.imports = Imports(
            base.store,
            base.clock,
            base.idempotency,
            tenancy.ledger,
            sharing.publications,
            sharing.subscribers,
            licensing.licenses,
            self.run_queue,
            base.directory,
        )
        self.runs = Runs(
            base.store,
            base.clock,
            self.imports,
            licensing.licenses,
            self.run_queue,
            base.directory,
        )
        self.decisions = Decisions(base.store, tenancy.ledger, self.run_queue)
        self.timetable = Timetable(
            base.store, self.run_queue, tenancy.tenants, base.settings.terms, base.clock
        )
        self.run_start = RunStart(
            base.store,
            base.queues,
            base.directory,
            base.states,
            base.snapshots,
            sharing.publications,
            sharing.subscribers,
            licensing.seats,
            tenancy.tenants,
            base.clock,
        )
        self.run_closing = RunClosing(base.store, base.snapshots, sharing.subscribers, base.clock)
