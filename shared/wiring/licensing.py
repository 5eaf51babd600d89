"""Licenses, and the seats that they give mailboxes."""

from dataclasses import dataclass

from shared.services.licensing.licenses import Licenses
from shared.services.licensing.seats import SeatBook
from shared.wiring.foundation import Foundation
from shared.wiring.tenancy import Tenancy


@dataclass(frozen=True, slots=True)
class Licensing:
    """The services of this area."""

    licenses: Licenses
    seats: SeatBook


def build_licensing(base: Foundation, tenancy: Tenancy) -> Licensing:
    """Put the services of this area together."""
    terms = base.settings.terms
    seats = SeatBook(base.store, base.clock, terms)
    licenses = Licenses(base.store, base.clock, tenancy.ledger, seats, terms)
    return Licensing(licenses=licenses, seats=seats)
