"""Runs counted by day, and when scheduled runs are due next."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.importing.history import DayCounts, RunFacts, by_day
from shared.domain.importing.schedule import (
    DAY,
    before,
    before_day,
    hours_in_force,
    moment_of,
    newest_first,
)
from shared.domain.tenancy.tenants import LicensePlan

LAST = date(2026, 11, 24)
COUNTS = st.integers(0, 1_000)
RUNS = st.builds(
    RunFacts,
    st.dates(LAST - timedelta(days=40), LAST + timedelta(days=3)),
    COUNTS,
    COUNTS,
    COUNTS,
    COUNTS,
)
TIMES = st.datetimes(
    min_value=datetime(2020, 1, 1),  # noqa: DTZ001 - hypothesis adds the time zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(st.lists(RUNS), st.integers(1, 31))
def test_by_day_lists_each_day_once_in_order_and_counts_its_runs(
    runs: list[RunFacts], days: int
) -> None:
    found = by_day(runs, LAST, days)
    assert [d.day for d in found] == [LAST - timedelta(days=n) for n in reversed(range(days))]
    within = [run for run in runs if found[0].day <= run.day <= LAST]
    for name in ("created", "updated", "deleted", "failed"):
        assert sum(getattr(d, name) for d in found) == sum(getattr(r, name) for r in within)
    assert sum(d.runs for d in found) == len(within)
    empty = {d.day for d in found} - {r.day for r in within}
    assert all(d == DayCounts(d.day) for d in found if d.day in empty)


@given(TIMES)
def test_row_key_encodes_its_time_to_the_millisecond(when: datetime) -> None:
    assert (
        timedelta() <= when - moment_of(f"{newest_first(when)}-abc-s") < timedelta(milliseconds=1)
    )


@given(TIMES, TIMES)
def test_before_day_splits_row_keys_at_midnight(when: datetime, other: datetime) -> None:
    row = f"{newest_first(when)}-abc-s"
    assert (row < before_day(other.date())) == (when.date() >= other.date())


@given(TIMES, st.datetimes(timezones=st.just(UTC)))
def test_before_splits_row_keys_at_any_moment(when: datetime, since: datetime) -> None:
    if abs(when - since) >= timedelta(milliseconds=1):
        assert (newest_first(when) < before(since)) == (when >= since)


def test_intervals_shorter_than_a_day_apply_only_to_premium_and_trial() -> None:
    assert hours_in_force(2, LicensePlan.PREMIUM) == hours_in_force(2, LicensePlan.TRIAL) == 2
    assert hours_in_force(2, LicensePlan.STANDARD) == hours_in_force(2, None) == DAY
