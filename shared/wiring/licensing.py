"""Licenses and their assignment to mailboxes (seats)."""

from shared.services.licensing.licenses import Licenses
from shared.services.licensing.missing_mailboxes import MissingMailboxes
from shared.services.licensing.removals import Removals
from shared.services.licensing.seats import SeatBook
from shared.wiring.foundation import Foundation
from shared.wiring.tenancy import Tenancy


class Licensing:
    """The services of this area."""

    def __init__(self, base: Foundation, tenancy: Tenancy) -> None:
        terms = base.settings.terms
        self.seats = SeatBook(base.store, base.clock, terms)
        self.missing_mailboxes = MissingMailboxes(base.store, self.seats, base.clock)
        self.removals = Removals(base.store, base.states, base.clock, terms)
        self.licenses = Licenses(base.store, base.clock, tenancy.ledger, self.seats, terms)
