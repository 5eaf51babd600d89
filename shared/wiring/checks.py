"""A tenant's own check."""

from shared.services.checks.check_worker import CheckWorker
from shared.services.checks.tenant_checks import TenantChecks
from shared.wiring.foundation import Foundation
from shared.wiring.sync import Sync
from shared.wiring.tenancy import Tenancy


class Checks:
    """The services of this area."""

    def __init__(self, base: Foundation, tenancy: Tenancy, sync: Sync) -> None:
        self.tenant_checks = TenantChecks(base.store, base.queues, tenancy.ledger, base.clock)
        self.worker = CheckWorker(
            base.store, base.graph, sync.mailboxes, base.credentials, base.clock
        )
