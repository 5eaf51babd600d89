"""When contacts are removed for want of licenses, how many, and from how many mailboxes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from shared.adapters.storage.mailboxes.mailbox_state import MailboxStates
from shared.adapters.storage.records import gather_limited
from shared.adapters.storage.store import Store
from shared.adapters.storage.tables.conditions import Condition
from shared.domain.tenancy.licensing import Terms
from shared.domain.tenancy.tenants import Seat

_PAGES: Final = 10
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Removal:
    """The next removal: its day, the mailboxes, and their contacts; `due` if the day has passed."""

    day: date
    due: bool
    mailboxes: int
    contacts: int


class Removals:
    """Looks ahead at what the grace period ends. Reads nothing of mailboxes that have a license."""

    def __init__(
        self, store: Store, states: MailboxStates, clock: Callable[[], datetime], terms: Terms
    ) -> None:
        self._store = store
        self._states = states
        self._clock = clock
        self._terms = terms

    def of(self, seat: Seat | None, contacts: int) -> Removal | None:
        """Return the removal of one mailbox with this many contacts; None if it keeps them."""
        if seat is None or seat.waiting is None or not contacts:
            return None
        day = (seat.waiting + self._terms.grace).date()
        return Removal(day, day <= self._clock().date(), 1, contacts)

    async def next(self, tenant: str) -> Removal | None:
        """Return the next removal of a tenant; None if no mailbox that waits holds contacts."""
        found, _ = await self._store.seats.read_columns(
            tenant, ["waiting"], pages=_PAGES, where=[Condition("waiting", "gt", _NEVER)]
        )
        if not found:
            return None
        imports, _ = await self._store.imports.read_columns(tenant, [], pages=1)

        async def counts(import_id: str) -> dict[str, int]:
            return await self._states.counts(tenant, import_id)

        held = await gather_limited(counts, [row.row for row in imports])
        by_day: dict[date, list[int]] = {}
        for row in found:
            contacts = sum(one.get(row.row, 0) for one in held)
            if contacts:
                since: datetime = row.columns["waiting"]
                by_day.setdefault((since + self._terms.grace).date(), []).append(contacts)
        if not by_day:
            return None
        today = self._clock().date()
        # What is overdue goes together, with the next run.
        day = min(by_day)
        going = [n for when, some in by_day.items() if when <= max(day, today) for n in some]
        return Removal(day, day <= today, len(going), sum(going))
