"""The seats of a tenant: the domain decides which mailboxes get one, and this writes it down.

Imports of a tenant may need seats at the same moment, and none waits for another. Each change is
one transaction of up to 98 seats and the row that counts them, guarded by its ETag. Whoever comes
second reads and decides again, so a seat is never counted twice, and never more seats are assigned
than are booked.

A row of the import names the last run that decided which seats it needs. It is part of the same
transaction, so a late decision of an older run changes nothing.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import batched
from typing import Final

from shared.adapters.storage.models import SeatClaims, SeatCount
from shared.adapters.storage.records import Stored
from shared.adapters.storage.store import SEATS_ROW, TENANT_ROW, Store
from shared.adapters.storage.tables.transactions import MAX_TRANSACTION, DeleteRow, Operation
from shared.domain.errors import Conflict, PreconditionFailed, Unavailable
from shared.domain.importing.messages import RunMessage
from shared.domain.importing.runs import RunTrigger
from shared.domain.tenancy.licensing import (
    Assignment,
    Terms,
    assign,
    changes,
    claimed,
    grace_expired,
    served,
    served_now,
    settled,
)
from shared.domain.tenancy.tenants import Seat, Tenant

_PER_TRANSACTION: Final = MAX_TRANSACTION - 2
"""The other two rows are the count and the import's."""
_TRIES: Final = 200
_TRIES_FOR_ONE: Final = 40
"""For one mailbox, whose lease must not run out meanwhile: a quarter of a minute."""
_PAUSE: Final = 0.02
_LONGEST_PAUSE: Final = 1.0
_RETRY_AFTER: Final = 5.0

type _Seats = Mapping[str, Seat]


@dataclass(slots=True)
class _Notes:
    """The rows beside the seats as they are in storage: the count, and that of a run's import."""

    count: Stored[SeatCount] | None
    run: RunMessage | None = None
    claims: Stored[SeatClaims] | None = None


class SeatBook:
    """Assigns the seats of tenants to mailboxes."""

    def __init__(self, store: Store, clock: Callable[[], datetime], terms: Terms) -> None:
        self._store = store
        self._clock = clock
        self._terms = terms

    async def serve(self, run: RunMessage, wanted: Iterable[str]) -> Assignment:
        """Assign seats to the mailboxes that an import targets; release those it no longer needs.

        Safe to repeat. Once a newer run of the import has decided, it only returns the seats.
        """
        wanted_now = frozenset(wanted)
        seats = await self._claim(run, lambda _: wanted_now)
        await self.release_removed(run.tenant, run.import_id)
        return served_now(seats, wanted_now)

    async def add(self, run: RunMessage, mailbox: str) -> bool:
        """Let an import need one more seat; return whether its mailbox is served.

        Raises `Unavailable` if the seats keep changing, long before a lease on the mailbox ends.
        """
        seats = await self._claim(run, lambda known: known | {mailbox}, _TRIES_FOR_ONE)
        await self.release_removed(run.tenant, run.import_id)
        return mailbox in served_now(seats, (mailbox,)).served

    async def release(self, run: RunMessage, mailbox: str) -> None:
        """Release the seat of one mailbox, unless another import or a newer run needs it.

        Reads only the rows of this mailbox, since many mailboxes may prove missing at once.
        """
        tenant, import_id = run.tenant, run.import_id
        for attempt in range(_TRIES_FOR_ONE):
            notes = await self._notes(tenant, run)
            stored = await self._store.seats.get(tenant, mailbox)
            if notes.count is None or stored is None or import_id not in stored.value.imports:
                return
            if notes.claims is None or await self._is_late(notes):
                return
            others = [i for i in stored.value.imports if i != import_id]
            left = stored.value.copy_with(imports=others) if others else None
            wanted = notes.count.value.wanted - (left is None)
            try:
                await self._transact(tenant, notes, {mailbox: left}, wanted)
            except (Conflict, PreconditionFailed):
                await _pause(attempt)
            else:
                return
        raise _unsettled()

    async def leave(self, tenant: str, import_id: str) -> None:
        """Release all seats of an import that is removed."""

        def without(owner: Tenant, seats: _Seats, now: datetime) -> _Seats:
            return assign(owner, seats.values(), import_id, (), now, self._terms).seats

        await self._change(tenant, without)
        await self._store.seat_claims.delete(tenant, import_id)

    async def release_removed(self, tenant: str, import_id: str) -> None:
        """Release the seats of an import that was removed while a run decided about them."""
        stored = await self._store.import_runs.get(tenant, import_id)
        current = stored.value.open if stored is not None else None
        removing = current is not None and current.trigger is RunTrigger.REMOVAL
        if stored is None or removing:
            await self.leave(tenant, import_id)

    async def settle(self, tenant: str) -> None:
        """Apply the current license to all seats."""

        def by_license(owner: Tenant, seats: _Seats, now: datetime) -> _Seats:
            return settled(owner, seats.values(), now, self._terms)

        await self._change(tenant, by_license)

    def grace_expired(self, assignment: Assignment) -> frozenset[str]:
        """Return the mailboxes that lose their contacts because the grace period is over."""
        return assignment.refused & grace_expired(
            assignment.seats.values(), self._clock(), self._terms
        )

    async def wanted(self, tenant: str) -> int:
        """Return how many mailboxes need a seat."""
        count = await self._store.seat_counts.get(tenant, SEATS_ROW)
        return count.value.wanted if count is not None else 0

    async def now(self, tenant: str, some: Sequence[Stored[Seat]]) -> tuple[Stored[Seat], ...]:
        """Return some seats as the current license assigns them, without writing.

        The stored seats are as of the last run, and the trial may have ended since. All seats are
        read only if some mailboxes wait for one.
        """
        owner, now = await self._owner(tenant), self._clock()
        wanted = await self.wanted(tenant)
        if all(s.value.waiting for s in some) or served(owner, wanted, now, self._terms) == wanted:
            return tuple(some)
        seats = await self._seats(tenant)
        decided = settled(owner, seats.values(), now, self._terms)
        return tuple(Stored(decided.get(s.value.mailbox, s.value), s.etag) for s in some)

    async def _claim(
        self,
        run: RunMessage,
        wanted: Callable[[frozenset[str]], frozenset[str]],
        tries: int = _TRIES,
    ) -> _Seats:
        """Let the run decide which mailboxes its import needs seats for, given the current ones."""

        def decide(owner: Tenant, seats: _Seats, now: datetime) -> _Seats:
            mailboxes = wanted(claimed(seats.values(), run.import_id))
            return assign(owner, seats.values(), run.import_id, mailboxes, now, self._terms).seats

        return await self._change(run.tenant, decide, run, tries)

    async def _change(
        self,
        tenant: str,
        decide: Callable[[Tenant, _Seats, datetime], _Seats],
        run: RunMessage | None = None,
        tries: int = _TRIES,
    ) -> _Seats:
        """Decide and write, and again if the seats change in between; return the seats.

        The decision of a run counts only while no newer one has decided for its import.
        """
        for attempt in range(tries):
            notes = await self._notes(tenant, run)
            owner, before = await self._owner(tenant), await self._seats(tenant)
            if await self._is_late(notes):
                return before
            decided = decide(owner, before, self._clock())
            try:
                await self._write(tenant, notes, before, decided)
            except (Conflict, PreconditionFailed):
                await _pause(attempt)
            else:
                return decided
        raise _unsettled()

    async def _write(self, tenant: str, notes: _Notes, before: _Seats, after: _Seats) -> None:
        wanted = len(before)
        if before and notes.count is None:
            # They were assigned after the count was read, and may have been released since.
            raise PreconditionFailed("changed_meanwhile")
        for chunk in batched(changes(before, after), _PER_TRANSACTION, strict=False):
            for mailbox, seat in chunk:
                wanted += (seat is not None) - (mailbox in before)
            await self._transact(tenant, notes, dict(chunk), wanted)
        if notes.run is not None and _number(notes) != notes.run.number:
            await self._transact(tenant, notes, {}, None)

    async def _transact(
        self, tenant: str, notes: _Notes, seats: Mapping[str, Seat | None], wanted: int | None
    ) -> None:
        """Change some seats, the count (None: unchanged) and the row of the import, all or none."""
        counts, claims, run = self._store.seat_counts, self._store.seat_claims, notes.run
        operations: list[Operation] = [
            self._store.seats.upserting(mailbox, seat) if seat is not None else DeleteRow(mailbox)
            for mailbox, seat in seats.items()
        ]
        count = SeatCount(wanted=wanted) if wanted else None
        if wanted is not None:
            operations += counts.setting(SEATS_ROW, count, notes.count)
        claim = None
        if run is not None:
            claim = SeatClaims(number=run.number)
            operations += claims.setting(run.import_id, claim, notes.claims)
        etags = await self._store.seats.transact(tenant, operations)
        if wanted is not None:
            notes.count = counts.written(SEATS_ROW, count, etags)
        if run is not None:
            notes.claims = claims.written(run.import_id, claim, etags)

    async def _notes(self, tenant: str, run: RunMessage | None) -> _Notes:
        count = await self._store.seat_counts.get(tenant, SEATS_ROW)
        if run is None:
            return _Notes(count)
        return _Notes(count, run, await self._store.seat_claims.get(tenant, run.import_id))

    async def _is_late(self, notes: _Notes) -> bool:
        """Return whether a newer run of the import has decided."""
        if notes.run is None or _number(notes) <= notes.run.number:
            return False
        # Tables restored from a backup may give a number twice: then the open run decides.
        return not await self._store.is_open(notes.run)

    async def _owner(self, tenant: str) -> Tenant:
        stored = await self._store.tenants.get(tenant, TENANT_ROW)
        return stored.value if stored else Tenant(id=tenant, joined=self._clock())

    async def _seats(self, tenant: str) -> dict[str, Seat]:
        return {s.value.mailbox: s.value async for s in self._store.seats.all(tenant)}


def _number(notes: _Notes) -> int:
    return notes.claims.value.number if notes.claims is not None else 0


async def _pause(attempt: int) -> None:
    """Wait a moment before the next try, longer after each."""
    await asyncio.sleep(min(_PAUSE * (attempt + 1), _LONGEST_PAUSE))


def _unsettled() -> Unavailable:
    return Unavailable("The seats of the tenant keep changing.", _RETRY_AFTER)
