"""Seats: which mailboxes are served, which wait, and that the choice is stable."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.tenancy import licensing
from shared.domain.tenancy.licensing import (
    Terms,
    assign,
    changes,
    grace_expired,
    plan_at,
    settled,
    trial_ends,
)
from shared.domain.tenancy.tenants import LicensePlan, Seat, Tenant

NOW = datetime(2026, 11, 23, tzinfo=UTC)
GRACE = timedelta(days=14)
TERMS = Terms(timedelta(days=30), GRACE)
MAILBOXES = st.frozensets(st.sampled_from([f"m{n}" for n in range(12)]))


def tenant(booked: int = 0, *, trial: bool = False, plan: str = "standard") -> Tenant:
    started = NOW - (timedelta(days=1) if trial else timedelta(days=31))
    return Tenant(
        id="t", joined=started, booked=booked, trial_started=started, plan=LicensePlan(plan)
    )


def seat(mailbox: str, days_ago: int, *imports: str) -> Seat:
    return Seat(mailbox=mailbox, since=NOW - timedelta(days=days_ago), imports=list(imports))


def test_trial_ends_exactly_on_time() -> None:
    owner = tenant(trial=True)
    ends = trial_ends(owner, TERMS)
    assert ends is not None

    assert plan_at(owner, ends - timedelta(seconds=1), TERMS) is LicensePlan.TRIAL
    assert plan_at(owner, ends, TERMS) is LicensePlan.STANDARD


def test_trial_does_not_start_before_the_first_import() -> None:
    owner = Tenant(id="t", joined=NOW - timedelta(days=1000))

    assert trial_ends(owner, TERMS) is None
    assert plan_at(owner, NOW, TERMS) is LicensePlan.TRIAL


def test_premium_plan_applies_during_the_trial() -> None:
    assert plan_at(tenant(trial=True, plan="premium"), NOW, TERMS) is LicensePlan.PREMIUM


@given(mailboxes=MAILBOXES, booked=st.integers(0, 15), trial=st.booleans())
def test_served_count_depends_only_on_the_number_of_seats(
    *, mailboxes: frozenset[str], booked: int, trial: bool
) -> None:
    owner = tenant(booked, trial=trial)
    found = settled(owner, [seat(m, 1, "a") for m in mailboxes], NOW, TERMS).values()

    number = licensing.served(owner, len(mailboxes), NOW, TERMS)

    assert number == len(served({s.mailbox: s for s in found}))


def test_a_mailbox_of_two_imports_takes_one_seat() -> None:
    decided = assign(tenant(1), [seat("m1", 5, "a")], "b", ["m1"], NOW, TERMS)

    assert decided.served == {"m1"}
    assert decided.seats["m1"].imports == ["a", "b"]
    assert decided.seats["m1"].since == NOW - timedelta(days=5)


def test_oldest_seats_are_kept_after_the_trial_and_others_wait() -> None:
    held = [seat("m1", 1, "a"), seat("m2", 3, "a"), seat("m3", 2, "b")]

    decided = assign(tenant(2), held, "a", ["m1", "m2"], NOW, TERMS)

    assert decided.served == {"m2"}
    assert decided.refused == {"m1"}
    assert {m for m, s in decided.seats.items() if s.waiting is None} == {"m2", "m3"}
    assert decided.seats["m1"].waiting == NOW


def test_seat_is_released_when_no_import_targets_its_mailbox() -> None:
    decided = assign(tenant(1), [seat("m1", 5, "a")], "a", ["m2"], NOW, TERMS)

    assert decided.served == {"m2"}
    assert set(decided.seats) == {"m2"}


def test_grace_time_of_a_lost_seat_expires_exactly_on_time() -> None:
    lost = assign(tenant(0), [seat("m1", 5, "a")], "a", ["m1"], NOW, TERMS).seats.values()

    assert not grace_expired(lost, NOW + GRACE - timedelta(seconds=1), TERMS)
    assert grace_expired(lost, NOW + GRACE, TERMS) == {"m1"}


def test_another_run_does_not_restart_the_waiting_time() -> None:
    once = assign(tenant(0), [seat("m1", 5, "a")], "a", ["m1"], NOW, TERMS)

    later = assign(tenant(0), once.seats.values(), "a", ["m1"], NOW + timedelta(days=9), TERMS)

    assert later.seats["m1"].waiting == NOW


def test_trial_end_set_by_an_operator_applies() -> None:
    owner = tenant().copy_with(trial_until=NOW + timedelta(days=3))

    assert trial_ends(owner, TERMS) == NOW + timedelta(days=3)
    assert plan_at(owner, NOW, TERMS) is LicensePlan.TRIAL


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.sampled_from(["a", "b", "c"]), MAILBOXES),
        st.tuples(st.just("book"), st.integers(0, 12)),
        st.tuples(st.just("pass"), st.integers(0, 20)),
    ),
    max_size=12,
)


@given(steps=STEPS)
def test_used_seats_never_exceed_booked_seats_and_the_newest_are_lost_first(
    steps: list[Any],
) -> None:
    owner, now = tenant(5), NOW
    seats: dict[str, Seat] = {}
    for step in steps:
        before = served(seats)
        wanting = dict(seats)
        match step:
            case "pass", int(days):
                now += timedelta(days=days)
                continue
            case "book", int(booked):
                owner = owner.copy_with(booked=booked)
                seats = dict(settled(owner, seats.values(), now, TERMS))
            case "run", str(import_id), wanted:
                decided = assign(owner, seats.values(), import_id, wanted, now, TERMS)
                seats = dict(decided.seats)
                assert decided.served == wanted & served(seats)
                assert decided.refused == wanted - served(seats)
        after = served(seats)
        assert len(after) <= owner.booked
        # No seat is free while a mailbox waits for one.
        assert len(after) == min(owner.booked, len(seats))
        # A mailbox that is still a target loses its seat only if there are too few, newest first.
        lost, kept = (before & seats.keys()) - after, before & after
        assert not lost or len(after) == owner.booked
        assert not lost or not after - before
        assert all((wanting[k].since, k) < (wanting[m].since, m) for k in kept for m in lost)


@given(held=MAILBOXES, wanted=MAILBOXES, booked=st.integers(0, 12))
def test_seats_are_taken_away_before_they_are_given(
    held: frozenset[str], wanted: frozenset[str], booked: int
) -> None:
    owner = tenant(booked)
    before = dict(settled(owner, [seat(m, 1, "a") for m in held], NOW, TERMS))
    after = assign(owner, before.values(), "a", wanted, NOW, TERMS).seats

    seats = dict(before)
    for mailbox, changed in changes(before, after):
        if changed is None:
            del seats[mailbox]
        else:
            seats[mailbox] = changed
        assert len(served(seats)) <= booked
    assert seats == after


@given(held=MAILBOXES, wanted=MAILBOXES)
def test_every_mailbox_is_served_during_the_trial(
    held: frozenset[str], wanted: frozenset[str]
) -> None:
    seats = [seat(mailbox, 1, "a") for mailbox in held]

    decided = assign(tenant(trial=True), seats, "b", wanted, NOW, TERMS)

    assert decided.served == wanted
    assert served(decided.seats) == held | wanted


def served(seats: Mapping[str, Seat]) -> frozenset[str]:
    return frozenset(mailbox for mailbox, seat in seats.items() if seat.waiting is None)
