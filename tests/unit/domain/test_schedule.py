"""Run ids: sorted newest first, repeatable, and valid as table keys."""

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
def test_run_id_is_valid(when: datetime, trigger: RunTrigger) -> None:
    TypeAdapter(RunId).validate_python(run_id(IMPORT, trigger, when))


@given(TIMES, st.timedeltas(timedelta(), timedelta(days=1) - timedelta(microseconds=1)))
def test_timer_firing_twice_a_day_yields_the_same_run_id(when: datetime, later: timedelta) -> None:
    midnight = when.replace(hour=0, minute=0, second=0, microsecond=0)

    first = run_id(IMPORT, RunTrigger.SCHEDULE, midnight)

    assert run_id(IMPORT, RunTrigger.SCHEDULE, midnight + later) == first
    assert run_id(IMPORT, RunTrigger.SCHEDULE, midnight + timedelta(days=1)) < first


def test_scheduled_run_id_uses_the_utc_day() -> None:
    late = datetime(2026, 11, 24, 0, 30, tzinfo=timezone(timedelta(hours=1)))

    assert run_id(IMPORT, RunTrigger.SCHEDULE, late) == run_id(
        IMPORT, RunTrigger.SCHEDULE, datetime(2026, 11, 23, 4, tzinfo=UTC)
    )


@given(TIMES)
def test_run_ids_differ_by_import_and_trigger(when: datetime) -> None:
    ids = {run_id(import_, trigger, when) for import_ in ("a", "b") for trigger in RunTrigger}

    assert len(ids) == 2 * len(RunTrigger)


@given(TIMES, st.integers(1, DAY))
def test_next_due_is_the_first_due_time_after_now(when: datetime, every_hours: int) -> None:
    following = next_due(when, every_hours)

    assert when < following <= when + timedelta(hours=every_hours)
    assert due(following, every_hours) == following
    assert due(following - timedelta(microseconds=1), every_hours) <= when or every_hours == DAY
