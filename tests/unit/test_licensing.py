"""Seats: who is served, who is not, and that the choice does not flicker."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.licensing import assign, plan_at, trial_ends
from shared.domain.models import LicensePlan, Seat, Tenant

NOW = datetime(2026, 11, 23, tzinfo=UTC)
TRIAL = timedelta(days=30)
MAILBOXES = st.frozensets(st.sampled_from([f"m{n}" for n in range(12)]))


def tenant(booked: int = 0, *, trial: bool = False, plan: str = "standard") -> Tenant:
    started = NOW - (timedelta(days=1) if trial else timedelta(days=31))
    return Tenant(
        id="t", joined=started, booked=booked, trial_started=started, plan=LicensePlan(plan)
    )


def seat(mailbox: str, days_ago: int, *imports: str) -> Seat:
    return Seat(mailbox=mailbox, since=NOW - timedelta(days=days_ago), imports=list(imports))


def test_the_trial_ends_to_the_second() -> None:
    owner = tenant(trial=True)
    ends = trial_ends(owner, TRIAL)
    assert ends is not None

    assert plan_at(owner, ends - timedelta(seconds=1), TRIAL) is LicensePlan.TRIAL
    assert plan_at(owner, ends, TRIAL) is LicensePlan.STANDARD


def test_the_trial_waits_for_the_first_import() -> None:
    owner = Tenant(id="t", joined=NOW - timedelta(days=1000))

    assert trial_ends(owner, TRIAL) is None
    assert plan_at(owner, NOW, TRIAL) is LicensePlan.TRIAL


def test_premium_is_premium_in_the_trial_too() -> None:
    assert plan_at(tenant(trial=True, plan="premium"), NOW, TRIAL) is LicensePlan.PREMIUM


def test_a_mailbox_of_two_imports_takes_one_seat() -> None:
    decided = assign(tenant(1), [seat("m1", 5, "a")], "b", ["m1"], NOW, TRIAL)

    assert decided.served == {"m1"}
    assert decided.seats["m1"].imports == ["a", "b"]
    assert decided.seats["m1"].since == NOW - timedelta(days=5)


def test_after_the_trial_who_came_first_is_kept() -> None:
    held = [seat("m1", 1, "a"), seat("m2", 3, "a"), seat("m3", 2, "b")]

    decided = assign(tenant(2), held, "a", ["m1", "m2"], NOW, TRIAL)

    assert decided.served == {"m2"}
    assert decided.refused == {"m1"}
    assert set(decided.seats) == {"m2", "m3"}


def test_a_seat_that_no_import_wants_any_more_falls_free() -> None:
    decided = assign(tenant(1), [seat("m1", 5, "a")], "a", ["m2"], NOW, TRIAL)

    assert decided.served == {"m2"}
    assert set(decided.seats) == {"m2"}


@given(first=MAILBOXES, second=MAILBOXES, wanted=MAILBOXES, booked=st.integers(0, 12))
def test_no_more_seats_than_booked_and_the_same_choice_again(
    first: frozenset[str], second: frozenset[str], wanted: frozenset[str], booked: int
) -> None:
    owner = tenant(booked)
    held = assign(tenant(trial=True), [], "a", first, NOW - timedelta(days=40), TRIAL).seats
    later = NOW - timedelta(days=39)
    held = assign(tenant(trial=True), held.values(), "b", second, later, TRIAL).seats

    once = assign(owner, held.values(), "b", wanted, NOW, TRIAL)
    again = assign(owner, once.seats.values(), "b", wanted, NOW + timedelta(days=1), TRIAL)

    assert len(once.seats) <= booked
    assert once.served | once.refused == wanted
    assert not once.served & once.refused
    assert again.served == once.served
    assert again.seats == once.seats


@given(held=MAILBOXES, wanted=MAILBOXES)
def test_in_the_trial_every_mailbox_is_served(held: frozenset[str], wanted: frozenset[str]) -> None:
    seats = [seat(mailbox, 1, "a") for mailbox in held]

    decided = assign(tenant(trial=True), seats, "b", wanted, NOW, TRIAL)

    assert decided.served == wanted
    assert set(decided.seats) == held | wanted
