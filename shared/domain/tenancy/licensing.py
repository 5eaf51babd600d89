"""Seats, trial and plans: which mailboxes may be served.

One seat per distinct mailbox of a tenant, however many imports name it. Who has a seat keeps it;
when there are too few, the last that came lose theirs and wait. So the choice never flickers: the
mailboxes served change only for those that must.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from shared.domain.tenancy.tenants import LicensePlan, Seat, Tenant

type Trial = Literal["ahead", "running", "over"]
"""Where a tenant is: no import has started its trial yet, or it runs, or it has ended."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who is served: `served` may be synced, `refused` waits for a seat, `seats` is the new whole.

    `seats` holds those who wait too (`Seat.waiting`).
    """

    served: frozenset[str]
    refused: frozenset[str]
    seats: Mapping[str, Seat]


@dataclass(frozen=True, slots=True)
class Terms:
    """How long the trial lasts from the first import, and how long contacts stay without a seat."""

    trial: timedelta
    grace: timedelta


def trial_ends(tenant: Tenant, terms: Terms) -> datetime | None:
    """When the trial ends, or None if no import has started it; the service may set another end."""
    if tenant.trial_started is None:
        return None
    return tenant.trial_until or tenant.trial_started + terms.trial


def trial_at(tenant: Tenant, now: datetime, terms: Terms) -> Trial:
    """Whether the trial is still ahead, runs, or is over."""
    ends = trial_ends(tenant, terms)
    if ends is None:
        return "ahead"
    return "running" if now < ends else "over"


def days_left(ends: datetime, now: datetime) -> int:
    """How many days there are until then; a day that has begun counts, so the last one is 1."""
    return max(0, -((now - ends) // timedelta(days=1)))


def in_trial(tenant: Tenant, now: datetime, terms: Terms) -> bool:
    """Whether every mailbox is served, whatever is booked."""
    return trial_at(tenant, now, terms) != "over"


def plan_at(tenant: Tenant, now: datetime, terms: Terms) -> LicensePlan:
    """The plan in force: the trial until it ends, unless premium is booked."""
    if tenant.plan is not LicensePlan.PREMIUM and in_trial(tenant, now, terms):
        return LicensePlan.TRIAL
    return tenant.plan


def served(tenant: Tenant, wanted: int, now: datetime, terms: Terms) -> int:
    """How many of the mailboxes that want a seat have one; within the trial all of them."""
    return wanted if in_trial(tenant, now, terms) else min(wanted, tenant.booked)


def settled(
    tenant: Tenant, seats: Iterable[Seat], now: datetime, terms: Terms
) -> Mapping[str, Seat]:
    """Give the seats booked to those who want one: first those who have one, then by age.

    Within the trial nobody waits.
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
    """Decide the seats of a tenant when `import_id` wants to serve the `wanted` mailboxes.

    An import gives back the seats of mailboxes that it no longer wants; a seat that no import
    wants falls free.
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
    decided = settled(tenant, held.values(), now, terms)
    served = frozenset(m for m in wanted_now if decided[m].waiting is None)
    return Assignment(served, wanted_now - served, decided)


def grace_expired(seats: Iterable[Seat], now: datetime, terms: Terms) -> frozenset[str]:
    """The mailboxes that have waited longer than the grace time: their contacts go."""
    return frozenset(
        s.mailbox for s in seats if s.waiting is not None and now >= s.waiting + terms.grace
    )
