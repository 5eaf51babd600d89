"""Data protection: removing a person everywhere, and leaving the service."""

from shared.services.privacy.departures import Departures
from shared.services.privacy.exports import Exports
from shared.services.privacy.leaving import Leaving
from shared.services.privacy.people import People
from shared.wiring.checks import Checks
from shared.wiring.foundation import Foundation
from shared.wiring.sharing import Sharing
from shared.wiring.tenancy import Tenancy


class Privacy:
    """The services of this area."""

    def __init__(
        self, base: Foundation, tenancy: Tenancy, sharing: Sharing, checks: Checks
    ) -> None:
        self.exports = Exports(tenancy.tenant_data, tenancy.reads)
        self.people = People(
            base.store,
            base.states,
            sharing.publications,
            sharing.subscribers,
            sharing.suppressions,
            sharing.revocations,
            tenancy.ledger,
            tenancy.reads,
            base.clock,
        )
        leaving = Leaving(
            base.store,
            tenancy.tenant_data,
            base.states,
            base.queues,
            base.book,
            sharing.subscribers,
            sharing.revocations,
            tenancy.ledger,
            checks.worker,
            base.clock,
        )
        self.leaving = leaving
        self.departures = Departures(
            base.store, leaving, tenancy.ledger, base.clock, base.settings.leaving_wait
        )
