"""The seats of a tenant.

The domain decides which mailboxes get one; the result is written under a lease.

Two runs of one tenant may need seats at the same moment. The lease makes sure that a booked seat is
never assigned twice.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from shared.adapters.storage.leases import Lease, Leases
from shared.adapters.storage.models import SeatFacts
from shared.adapters.storage.records import Stored
from shared.adapters.storage.store import SEATS_ROW, TENANT_ROW, Store
from shared.domain.errors import Busy, Conflict
from shared.domain.tenancy.licensing import (
    Assignment,
    Terms,
    assign,
    grace_expired,
    served,
    settled,
)
from shared.domain.tenancy.tenants import Seat, Tenant

_LEASED: Final = "seats"
_LEASE: Final = timedelta(minutes=2)
_TRIES: Final = 5


class SeatBook:
    """Assigns seats, one import of a tenant at a time."""

    def __init__(
        self, store: Store, leases: Leases, clock: Callable[[], datetime], terms: Terms
    ) -> None:
        self._store = store
        self._clock = clock
        self._terms = terms
        self._leases = leases

    async def serve(self, tenant: str, import_id: str, wanted: Iterable[str]) -> Assignment:
        """Assign seats to the mailboxes that an import targets; release those it no longer needs.

        Raises `Busy` while another run of the tenant assigns seats.
        """
        lease = await self._lease(tenant)
        try:
            owner, before, now = await self._owner(tenant), await self._seats(tenant), self._clock()
            decided = assign(owner, before.values(), import_id, frozenset(wanted), now, self._terms)
            await self._write(tenant, before, decided.seats)
        finally:
            await self._leases.give_back(lease)
        return decided

    async def settle(self, tenant: str) -> None:
        """Apply the current license to all seats. Raises `Busy` while a run assigns seats."""
        lease = await self._lease(tenant)
        try:
            owner, before = await self._owner(tenant), await self._seats(tenant)
            decided = settled(owner, before.values(), self._clock(), self._terms)
            await self._write(tenant, before, decided)
        finally:
            await self._leases.give_back(lease)

    def grace_expired(self, assignment: Assignment) -> frozenset[str]:
        """Return the mailboxes that lose their contacts because the grace period is over."""
        return assignment.refused & grace_expired(
            assignment.seats.values(), self._clock(), self._terms
        )

    async def release(self, tenant: str, mailbox: str) -> None:
        """Free the seat of a mailbox that does not exist."""
        await self._store.seats.delete(tenant, mailbox)
        # The next reader of the number counts the seats again.
        await self._store.seat_facts.delete(tenant, SEATS_ROW)

    async def wanted(self, tenant: str) -> int:
        """Return how many mailboxes need a seat.

        The number is stored, to avoid reading each seat.
        """
        known = await self._store.seat_facts.get(tenant, SEATS_ROW)
        if known is not None:
            return known.value.wanted
        count = await self._store.seats.count(tenant)
        # If a run has written the number meanwhile, its number is newer.
        with suppress(Conflict):
            await self._store.seat_facts.insert(tenant, SEATS_ROW, SeatFacts(wanted=count))
        return count

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

    async def _owner(self, tenant: str) -> Tenant:
        stored = await self._store.tenants.get(tenant, TENANT_ROW)
        return stored.value if stored else Tenant(id=tenant, joined=self._clock())

    async def _seats(self, tenant: str) -> dict[str, Seat]:
        return {s.value.mailbox: s.value async for s in self._store.seats.all(tenant)}

    async def _write(
        self, tenant: str, before: Mapping[str, Seat], after: Mapping[str, Seat]
    ) -> None:
        changed = {
            mailbox: after.get(mailbox)
            for mailbox in sorted(before.keys() | after.keys())
            if before.get(mailbox) != after.get(mailbox)
        }
        if len(before) != len(after):
            # If this worker dies now, the next reader counts the seats again.
            await self._store.seat_facts.delete(tenant, SEATS_ROW)
        await self._store.seats.write_many(tenant, changed)
        facts = SeatFacts(wanted=len(after))
        known = await self._store.seat_facts.get(tenant, SEATS_ROW)
        if known is None or known.value != facts:
            await self._store.seat_facts.upsert(tenant, SEATS_ROW, facts)

    async def _lease(self, tenant: str) -> Lease:
        for attempt in range(1, _TRIES):
            try:
                return await self._leases.take(tenant, _LEASED, self._clock(), _LEASE)
            except Busy:
                await asyncio.sleep(0.2 * attempt)
        return await self._leases.take(tenant, _LEASED, self._clock(), _LEASE)
