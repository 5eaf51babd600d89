"""Run ids: newest first, the same for the same occasion, and fit for a table key."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from shared.domain.importing.runs import RunTrigger
from shared.domain.importing.schedule import DAY, due, newest_first, next_due, run_id
from shared.domain.model import RunId

IMPORT = "0" * 32
TIMES = st.datetimes(
    min_value=datetime(2020, 1, 1),  # noqa: DTZ001 - hypothesis adds the time zone
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
MILLISECOND = timedelta(milliseconds=1)


@given(TIMES, TIMES)
def test_later_times_sort_first(one: datetime, other: datetime) -> None:
    if other - one >= MILLISECOND:
        assert newest_first(other) < newest_first(one)


@given(TIMES, st.sampled_from(RunTrigger))
def test_a_run_id_is_an_id(when: datetime, trigger: RunTrigger) -> None:
    TypeAdapter(RunId).validate_python(run_id(IMPORT, trigger, when))


@given(TIMES, st.timedeltas(timedelta(), timedelta(days=1) - timedelta(microseconds=1)))
def test_a_timer_that_fires_twice_in_a_day_means_the_same_run(
    when: datetime, later: timedelta
) -> None:
    midnight = when.replace(hour=0, minute=0, second=0, microsecond=0)

    first = run_id(IMPORT, RunTrigger.SCHEDULE, midnight)

    assert run_id(IMPORT, RunTrigger.SCHEDULE, midnight + later) == first
    assert run_id(IMPORT, RunTrigger.SCHEDULE, midnight + timedelta(days=1)) < first


def test_the_day_is_that_of_utc() -> None:
    late = datetime(2026, 11, 24, 0, 30, tzinfo=timezone(timedelta(hours=1)))

    assert run_id(IMPORT, RunTrigger.SCHEDULE, late) == run_id(
        IMPORT, RunTrigger.SCHEDULE, datetime(2026, 11, 23, 4, tzinfo=UTC)
    )


@given(TIMES)
def test_every_trigger_and_import_has_a_run_of_its_own(when: datetime) -> None:
    ids = {run_id(import_, trigger, when) for import_ in ("a", "b") for trigger in RunTrigger}

    assert len(ids) == 2 * len(RunTrigger)


@given(TIMES, st.integers(1, DAY))
def test_the_next_run_is_the_first_that_is_due_later(when: datetime, every_hours: int) -> None:
    following = next_due(when, every_hours)

    assert when < following <= when + timedelta(hours=every_hours)
    assert due(following, every_hours) == following
