"""Seats, trial and plans: which mailboxes may be synced.

A mailbox needs one seat, however many imports target it. A mailbox that has a seat keeps it; when
there are too few, the mailboxes that were added last lose theirs and wait. So the choice is
stable: a mailbox loses its seat only if there are too few.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from shared.domain.tenancy.tenants import LicensePlan, Seat, Tenant

type Trial = Literal["ahead", "running", "over"]
"""The state of a tenant's trial: not started by any import yet, running, or over."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """The seats after a decision: `served` mailboxes may be synced, `refused` ones wait for a seat.

    `seats` holds all seats of the tenant, including those that wait (`Seat.waiting`).
    """

    served: frozenset[str]
    refused: frozenset[str]
    seats: Mapping[str, Seat]


@dataclass(frozen=True, slots=True)
class Terms:
    """The length of the trial from the first import, and of the grace period without a seat."""

    trial: timedelta
    grace: timedelta


def trial_ends(tenant: Tenant, terms: Terms) -> datetime | None:
    """Return when the trial ends, which an operator may have set; None if it has not started."""
    if tenant.trial_started is None:
        return None
    return tenant.trial_until or tenant.trial_started + terms.trial


def trial_at(tenant: Tenant, now: datetime, terms: Terms) -> Trial:
    """Return whether the trial has not started, is running, or is over."""
    ends = trial_ends(tenant, terms)
    if ends is None:
        return "ahead"
    return "running" if now < ends else "over"


def days_left(ends: datetime, now: datetime) -> int:
    """Return the days left until `ends`; the current day counts, so the last one is 1."""
    return max(0, -((now - ends) // timedelta(days=1)))


def in_trial(tenant: Tenant, now: datetime, terms: Terms) -> bool:
    """Return whether every mailbox is served, however many seats are booked."""
    return trial_at(tenant, now, terms) != "over"


def plan_at(tenant: Tenant, now: datetime, terms: Terms) -> LicensePlan:
    """Return the current plan: the trial until it ends, unless premium is booked."""
    if tenant.plan is not LicensePlan.PREMIUM and in_trial(tenant, now, terms):
        return LicensePlan.TRIAL
    return tenant.plan


def served(tenant: Tenant, wanted: int, now: datetime, terms: Terms) -> int:
    """Return how many of the mailboxes that need a seat get one; during the trial, all of them."""
    return wanted if in_trial(tenant, now, terms) else min(wanted, tenant.booked)


def settled(
    tenant: Tenant, seats: Iterable[Seat], now: datetime, terms: Terms
) -> Mapping[str, Seat]:
    """Assign the booked seats: first to mailboxes that have one, then by age.

    During the trial no mailbox waits.
    """
    order = sorted(seats, key=lambda s: (s.waiting is not None, s.since, s.mailbox))
    most = served(tenant, len(order), now, terms)
    found: dict[str, Seat] = {}
    for place, seat in enumerate(order):
        waiting = (seat.waiting or now) if place >= most else None
        same = waiting == seat.waiting
        found[seat.mailbox] = seat if same else seat.copy_with(waiting=waiting)
    return found


def assign(
    tenant: Tenant,
    seats: Iterable[Seat],
    import_id: str,
    wanted: Iterable[str],
    now: datetime,
    terms: Terms,
) -> Assignment:
    """Assign the seats of a tenant when `import_id` targets the `wanted` mailboxes.

    The import releases the seats of mailboxes that it no longer targets; a seat that no import
    needs becomes free.
    """
    wanted_now = frozenset(wanted)
    held: dict[str, Seat] = {}
    for seat in seats:
        others = [i for i in seat.imports if i != import_id]
        imports = [*others, import_id] if seat.mailbox in wanted_now else others
        if imports:
            held[seat.mailbox] = seat.copy_with(imports=imports)
    for mailbox in wanted_now - held.keys():
        held[mailbox] = Seat(mailbox=mailbox, since=now, imports=[import_id], waiting=now)
    return served_now(settled(tenant, held.values(), now, terms), wanted_now)


def served_now(seats: Mapping[str, Seat], wanted: Iterable[str]) -> Assignment:
    """Return the assignment of the `wanted` mailboxes in seats that were decided before."""
    wanted_now = frozenset(wanted)
    served = frozenset(m for m in wanted_now & seats.keys() if seats[m].waiting is None)
    return Assignment(served, wanted_now - served, seats)


def claimed(seats: Iterable[Seat], import_id: str) -> frozenset[str]:
    """Return the mailboxes for which an import needs a seat."""
    return frozenset(seat.mailbox for seat in seats if import_id in seat.imports)


def changes(before: Mapping[str, Seat], after: Mapping[str, Seat]) -> list[tuple[str, Seat | None]]:
    """Return what changes, with None for a seat that is deleted.

    Seats are taken away first and given last: however far a worker gets, no more are assigned than
    before or afterwards.
    """

    def step(mailbox: str) -> tuple[int, str]:
        return _assigned(after, mailbox) - _assigned(before, mailbox), mailbox

    mailboxes = (m for m in before.keys() | after.keys() if before.get(m) != after.get(m))
    return [(mailbox, after.get(mailbox)) for mailbox in sorted(mailboxes, key=step)]


def _assigned(seats: Mapping[str, Seat], mailbox: str) -> int:
    return int(mailbox in seats and seats[mailbox].waiting is None)


def grace_expired(seats: Iterable[Seat], now: datetime, terms: Terms) -> frozenset[str]:
    """Return the mailboxes that have waited longer than the grace period."""
    return frozenset(
        s.mailbox for s in seats if s.waiting is not None and now >= s.waiting + terms.grace
    )
