"""A tenant's licenses as their page shows them: numbers, trial, seats, and what was booked when."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.records import Listing
from shared.domain.errors import ContactSyncError, NeedsAdmin, TransientError
from shared.domain.tenancy.tenants import LedgerAction, LedgerEntry, Seat
from shared.services.insight.finding import Finding, SeatMatches
from shared.services.licensing.licenses import License, Licenses
from shared.services.tenancy.ledger import Ledger, LedgerFilter

_HISTORY: Final = 10


@dataclass(frozen=True, slots=True)
class LicenseDetails:
    """The license, one page of its seats, and the last changes, newest first.

    `trial_left` is the number of days left in a running trial. After a search, `matching` is how
    many seats it found, and `whole` is false if there may be more. `trouble` is why the directory
    could not be searched.
    """

    license: License
    trial_left: int | None
    booked_since: datetime | None
    seats: tuple[Seat, ...]
    next: str | None
    matching: int | None
    whole: bool
    history: tuple[LedgerEntry, ...]
    trouble: ContactSyncError | None


class LicenseDetailsReader:
    """Reads the licenses of the caller's tenant."""

    def __init__(self, licenses: Licenses, finding: Finding, ledger: Ledger) -> None:
        self._licenses = licenses
        self._finding = finding
        self._ledger = ledger

    async def read(
        self, caller: Caller, search: str, size: int, token: str | None
    ) -> LicenseDetails:
        """Return the licenses with the seats whose mailboxes match `search` ('' for all)."""
        license_ = (await self._licenses.read(caller)).value
        seats, trouble = await self._seats(caller, search, size, token)
        found = await self._ledger.page(caller, _HISTORY, None, LedgerFilter(action="license"))
        history = tuple(stored.value for stored in found.items)
        booked = (e.when for e in history if e.action == LedgerAction.LICENSE_BOOKED)
        return LicenseDetails(
            license=license_,
            trial_left=self._licenses.trial_left(license_),
            booked_since=next(booked, None),
            seats=tuple(stored.value for stored in seats.listing.items),
            next=seats.listing.token,
            matching=seats.total if search else None,
            whole=seats.whole,
            history=history,
            trouble=trouble,
        )

    async def _seats(
        self, caller: Caller, search: str, size: int, token: str | None
    ) -> tuple[SeatMatches, ContactSyncError | None]:
        try:
            if search:
                return await self._finding.seats(caller, search, size, token), None
            return SeatMatches(await self._licenses.seats(caller, size, token), 0), None
        except (TransientError, NeedsAdmin) as error:
            return SeatMatches(Listing((), None), 0), error
