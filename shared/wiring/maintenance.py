"""What the timers do for all tenants."""

from shared.services.maintenance.ranges import Ranges
from shared.services.maintenance.rounds import Rounds
from shared.services.maintenance.tasks import Tasks
from shared.wiring.checks import Checks
from shared.wiring.foundation import Foundation
from shared.wiring.importing import Importing
from shared.wiring.licensing import Licensing
from shared.wiring.notices import Notices
from shared.wiring.tenancy import Tenancy


class Maintenance:
    """The services of this area."""

    def __init__(
        self,
        base: Foundation,
        tenancy: Tenancy,
        licensing: Licensing,
        importing: Importing,
        checks: Checks,
        notices: Notices,
    ) -> None:
        tasks = Tasks(
            base.store,
            base.queues,
            importing.timetable,
            importing.run_closing,
            tenancy.tenants,
            licensing.seats,
            checks.tenant_checks,
            tenancy.domains,
            notices.watch,
            tenancy.ledger,
            base.settings.ledger_kept,
            base.settings.runs_kept,
            base.clock,
        )
        self.ranges = Ranges(base.tables, base.queues, tasks, base.clock)
        self.rounds = Rounds(importing.timetable, self.ranges, base.queues, base.clock)
