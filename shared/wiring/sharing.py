"""Shares: publishing them, reading them for importing tenants, and searching the directory."""

from shared.services.privacy.suppressions import Suppressions
from shared.services.sharing.directory_search import DirectorySearch
from shared.services.sharing.publications import Publications
from shared.services.sharing.revocations import Revocations
from shared.services.sharing.shares import Shares
from shared.services.sharing.subscribers import Subscribers
from shared.wiring.foundation import Foundation
from shared.wiring.tenancy import Tenancy


class Sharing:
    """The services of this area."""

    def __init__(self, base: Foundation, tenancy: Tenancy) -> None:
        self.suppressions = Suppressions(base.store, base.clock)
        self.subscribers = Subscribers(base.store, base.states, base.clock, tenancy.ledger)
        self.directory = DirectorySearch(base.graph, tenancy.reads)
        self.revocations = Revocations(base.store, base.states, base.book, base.clock)
        self.shares = Shares(
            base.store,
            base.clock,
            tenancy.ledger,
            self.subscribers,
            self.revocations,
        )
        self.publications = Publications(
            base.store, base.graph, base.clock, tenancy.limiter, self.suppressions
        )
