"""Run ids: sorted newest first, repeatable, and valid as table keys."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from shared.domain.importing.runs import RunTrigger
from shared.domain.importing.schedule import DAY, due, latest_due, newest_first, next_due, run_id
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


@given(TIMES, st.integers(1, DAY))
def test_latest_due_is_a_scheduled_time_that_is_over(when: datetime, every_hours: int) -> None:
    slot = latest_due(when, every_hours)

    assert due(slot, every_hours) == slot
    assert slot <= when + timedelta(seconds=1)
    assert when < next_due(slot, every_hours)


@given(TIMES, st.integers(1, DAY), st.timedeltas(timedelta(), timedelta(milliseconds=10)))
def test_timer_that_fires_early_means_the_slot_it_was_set_for(
    when: datetime, every_hours: int, early: timedelta
) -> None:
    slot = next_due(when, every_hours)

    assert latest_due(slot - early, every_hours) == slot
    assert latest_due(slot + timedelta(minutes=14), every_hours) == slot


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
