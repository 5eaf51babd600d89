"""Licenses of a tenant (booked, used and free), its trial and its plan."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.records import Listing, Stored
from shared.adapters.storage.store import TENANT_ROW, Store
from shared.adapters.telemetry import emit
from shared.domain.errors import Forbidden
from shared.domain.events import SeatsBooked
from shared.domain.tenancy.licensing import (
    Terms,
    Trial,
    days_left,
    plan_at,
    served,
    settled,
    trial_at,
    trial_ends,
)
from shared.domain.tenancy.tenants import LedgerAction, LicensePlan, Seat, Tenant
from shared.services.changes import change, found_in
from shared.services.licensing.seats import SeatBook
from shared.services.tenancy.ledger import Ledger


class PremiumNeeded(Forbidden):
    """The call needs the premium plan."""

    kind: ClassVar[str] = "premium-needed"


@dataclass(frozen=True, slots=True)
class License:
    """A tenant's license; `trial_ends` is None until the first import starts the trial."""

    booked: int
    used: int
    waiting: int
    free: int
    plan: LicensePlan
    trial_ends: datetime | None


@dataclass(frozen=True, slots=True)
class SeatsOutlook:
    """What a set of mailboxes needs: `needed` new seats, `missing` of which are not available.

    Before and during the trial, every mailbox is synced; `missing` then counts the seats that will
    be missing after it.
    """

    mailboxes: int
    needed: int
    free: int
    missing: int
    trial: Trial
    trial_ends: datetime | None


@dataclass(frozen=True, slots=True)
class BookingEffect:
    """What booking a number of seats changes: which mailboxes gain a seat and which lose it.

    `removal` is when contacts are removed from the mailboxes that lose their seat. `missing` is how
    many target mailboxes would have no seat without the trial.
    """

    license: License
    gaining: tuple[str, ...]
    losing: tuple[str, ...]
    removal: datetime | None
    missing: int


@dataclass(frozen=True, slots=True)
class Customers:
    """One page of tenants, each with its license and ETag, and the next page's token."""

    items: list[tuple[Tenant, License, str]]
    token: str | None


class Licenses:
    """Reads and changes the licenses of tenants."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime],
        ledger: Ledger,
        seats: SeatBook,
        terms: Terms,
    ) -> None:
        self._store = store
        self._clock = clock
        self._ledger = ledger
        self._seats = seats
        self._terms = terms

    async def read(self, caller: Caller) -> Stored[License]:
        """Return the current license of the caller's tenant."""
        return await self.of(caller.tenant)

    async def of(self, tenant: str) -> Stored[License]:
        """Return the license of any tenant; for operators and for the tenant itself."""
        stored = await self._tenant(tenant)
        license_ = self._license(stored.value, await self._seats.wanted(tenant))
        return Stored(license_, stored.etag)

    async def seats(self, caller: Caller, size: int, token: str | None) -> Listing[Seat]:
        """Return one page of seats by mailbox, both assigned and waiting."""
        listing = await self._store.seats.page(caller.tenant, size=size, token=token)
        return Listing(await self._seats.now(caller.tenant, listing.items), listing.token)

    async def book(self, caller: Caller, booked: int, if_match: str | None) -> Stored[License]:
        """Book or cancel seats. Assignments change at once and are recorded."""
        return await self.book_for(caller.tenant, caller, booked, if_match)

    async def book_for(
        self, tenant: str, caller: Caller, booked: int, if_match: str | None
    ) -> Stored[License]:
        """Book or cancel seats of any tenant; for operators and for the tenant itself."""

        def book(found: Tenant) -> Tenant:
            entry.detail["before"] = found.booked
            entry.changed = found.booked != booked
            return found.copy_with(booked=booked) if entry.changed else found

        async with self._ledger.change_of(
            tenant, caller, LedgerAction.LICENSE_BOOKED, tenant, after=booked
        ) as entry:
            await change(
                self._store.tenants, tenant, TENANT_ROW, book, kind="license", if_match=if_match
            )
        if entry.changed:
            emit(SeatsBooked(tenant=tenant, booked=booked, before=entry.detail["before"]))
        await self._seats.settle(tenant)
        return await self.of(tenant)

    async def effect(self, caller: Caller, booked: int) -> BookingEffect:
        """Return what booking this number of seats would change, without booking."""
        stored = await self._tenant(caller.tenant)
        then = stored.value.copy_with(booked=booked)
        now, seats = self._clock(), await self._all(caller.tenant)
        before = {
            m for m, s in settled(stored.value, seats, now, self._terms).items() if _is_assigned(s)
        }
        after = {m for m, s in settled(then, seats, now, self._terms).items() if _is_assigned(s)}
        return BookingEffect(
            self._license(then, len(seats)),
            tuple(sorted(after - before)),
            tuple(sorted(before - after)),
            now + self._terms.grace if before - after else None,
            max(0, len(seats) - booked),
        )

    async def outlook(self, caller: Caller, mailboxes: Collection[str]) -> SeatsOutlook:
        """Return how many seats these mailboxes need in addition to those in use."""
        stored = await self._tenant(caller.tenant)
        seats = await self._all(caller.tenant)
        license_ = self._license(stored.value, len(seats))
        needed = len(set(mailboxes) - {seat.mailbox for seat in seats})
        short = needed + license_.used + license_.waiting - license_.booked
        return SeatsOutlook(
            mailboxes=len(mailboxes),
            needed=needed,
            free=license_.free,
            missing=max(0, short),
            trial=trial_at(stored.value, self._clock(), self._terms),
            trial_ends=license_.trial_ends,
        )

    @property
    def trial_days(self) -> int:
        """Return how many days a trial that starts now lasts."""
        return self._terms.trial.days

    def trial_left(self, license_: License) -> int | None:
        """Return the days left in the trial; None if no trial is running."""
        ends, now = license_.trial_ends, self._clock()
        return days_left(ends, now) if ends is not None and now < ends else None

    async def plan(self, caller: Caller) -> LicensePlan:
        """Return the current plan."""
        tenant = (await self._tenant(caller.tenant)).value
        return plan_at(tenant, self._clock(), self._terms)

    async def set_terms(
        self,
        tenant: str,
        caller: Caller,
        plan: LicensePlan | None,
        trial_until: datetime | None,
        if_match: str | None,
    ) -> Stored[License]:
        """Set a tenant's plan and the end of its trial; None leaves a value unchanged."""
        detail = {"plan": plan, "trialEnds": trial_until.isoformat() if trial_until else None}

        def set_(found: Tenant) -> Tenant:
            return found.copy_with(
                plan=plan or found.plan, trial_until=trial_until or found.trial_until
            )

        async with self._ledger.change_of(
            tenant, caller, LedgerAction.LICENSE_TERMS, tenant, **detail
        ):
            await change(
                self._store.tenants, tenant, TENANT_ROW, set_, kind="tenant", if_match=if_match
            )
        await self._seats.settle(tenant)
        return await self.of(tenant)

    async def tenants(self, size: int, token: str | None) -> Customers:
        """Return one page of all tenants with their licenses. For operators."""
        listing = await self._store.tenants.page_everywhere(TENANT_ROW, size=size, token=token)
        items = [
            (s.value, self._license(s.value, await self._seats.wanted(s.value.id)), s.etag)
            for s in listing.items
        ]
        return Customers(items, listing.token)

    async def _tenant(self, tenant: str) -> Stored[Tenant]:
        return found_in(await self._store.tenants.get(tenant, TENANT_ROW), "license", tenant)

    async def _all(self, tenant: str) -> list[Seat]:
        return [stored.value async for stored in self._store.seats.all(tenant)]

    def _license(self, tenant: Tenant, wanted: int) -> License:
        """Return the license now, for this many mailboxes; a trial may end between two runs."""
        now = self._clock()
        used = served(tenant, wanted, now, self._terms)
        return License(
            booked=tenant.booked,
            used=used,
            waiting=wanted - used,
            free=max(tenant.booked - used, 0),
            plan=plan_at(tenant, now, self._terms),
            trial_ends=trial_ends(tenant, self._terms),
        )


def _is_assigned(seat: Seat) -> bool:
    return seat.waiting is None
