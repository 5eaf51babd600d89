"""Seats, trial and plans: which mailboxes may be served.

One seat per distinct mailbox of a tenant, however many imports name it. Who has a seat keeps it:
the choice goes by since when a seat is held, so it never flickers.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.domain.models import LicensePlan, Seat, Tenant


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who is served: `served` may be synced, `refused` has no seat, `seats` is the new whole."""

    served: frozenset[str]
    refused: frozenset[str]
    seats: Mapping[str, Seat]


def trial_ends(tenant: Tenant, trial: timedelta) -> datetime | None:
    """When the trial ends, or None if no import has started it."""
    return tenant.trial_started + trial if tenant.trial_started else None


def plan_at(tenant: Tenant, now: datetime, trial: timedelta) -> LicensePlan:
    """The plan in force: the trial until it ends, unless premium is booked."""
    ends = trial_ends(tenant, trial)
    in_trial = ends is None or now < ends
    return LicensePlan.TRIAL if in_trial and tenant.plan is not LicensePlan.PREMIUM else tenant.plan


def assign(
    tenant: Tenant,
    seats: Iterable[Seat],
    import_id: str,
    wanted: Iterable[str],
    now: datetime,
    trial: timedelta,
) -> Assignment:
    """Decide the seats of a tenant when `import_id` wants to serve the `wanted` mailboxes.

    An import gives back the seats of mailboxes that it no longer wants; a seat that no import
    wants falls free. In the trial every mailbox is served, afterwards the first that came, up to
    the number of seats booked.
    """
    wanted_now = frozenset(wanted)
    held: dict[str, Seat] = {}
    for seat in seats:
        others = [i for i in seat.imports if i != import_id]
        imports = [*others, import_id] if seat.mailbox in wanted_now else others
        if imports:
            held[seat.mailbox] = Seat(mailbox=seat.mailbox, since=seat.since, imports=imports)
    for mailbox in sorted(wanted_now - held.keys()):
        held[mailbox] = Seat(mailbox=mailbox, since=now, imports=[import_id])
    order = sorted(held.values(), key=lambda seat: (seat.since, seat.mailbox))
    ends = trial_ends(tenant, trial)
    in_trial = ends is None or now < ends
    kept = order if in_trial else order[: tenant.booked]
    granted = {seat.mailbox: seat for seat in kept}
    served = wanted_now & granted.keys()
    return Assignment(served, wanted_now - served, granted)
