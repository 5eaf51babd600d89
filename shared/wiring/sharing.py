"""Shares: publishing them, reading them for whoever may import them, and the directory."""

from dataclasses import dataclass

from shared.services.privacy.suppressions import Suppressions
from shared.services.sharing.directory_search import DirectorySearch
from shared.services.sharing.publications import Publications
from shared.services.sharing.shares import Shares
from shared.services.sharing.subscribers import Subscribers
from shared.wiring.foundation import Foundation
from shared.wiring.tenancy import Tenancy


@dataclass(frozen=True, slots=True)
class Sharing:
    """The services of this area."""

    shares: Shares
    publications: Publications
    subscribers: Subscribers
    suppressions: Suppressions
    directory: DirectorySearch


def build_sharing(base: Foundation, tenancy: Tenancy) -> Sharing:
    """Put the services of this area together."""
    suppressions = Suppressions(base.store, base.clock)
    subscribers = Subscribers(base.store, base.clock)
    return Sharing(
        shares=Shares(base.store, base.clock, base.new_id, tenancy.ledger, subscribers),
        publications=Publications(
            base.store, base.graph, base.clock, tenancy.limiter, suppressions
        ),
        subscribers=subscribers,
        suppressions=suppressions,
        directory=DirectorySearch(base.graph),
    )
