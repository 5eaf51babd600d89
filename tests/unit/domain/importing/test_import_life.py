"""The runs of an import: at most one is open, numbers rise, and nothing asked for is forgotten."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from shared.domain.importing.import_life import (
    FIRST_WAIT,
    FREE_LOOKS,
    GIVES_UP_AFTER,
    ImportRuns,
    OpenRun,
    PlannedRun,
    Step,
    ask,
    checked,
    ended,
    is_open,
    look_again,
    resolving,
    stopped,
    updated,
)
from shared.domain.importing.runs import RunTrigger

NOW = datetime(2026, 11, 30, 3, tzinfo=UTC)


def planned(id_: str, trigger: RunTrigger, *, reopened: bool = False) -> PlannedRun:
    return PlannedRun(id=id_, trigger=trigger, queued=NOW, reopened=reopened)


class ImportLife(RuleBasedStateMachine):
    """Admins, timers, workers and late messages act on the runs of one import in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.runs = ImportRuns(import_id="i")
        self.count = 0
        self.numbers: list[int] = []
        self.unserved: set[str] = set()

    @rule(trigger=st.sampled_from(RunTrigger))
    def somebody_asks_for_a_run(self, trigger: RunTrigger) -> None:
        self.count += 1
        run = planned(f"{self.count}-{trigger}", trigger)
        before = self.runs
        found = ask(self.runs, run, NOW)
        self.runs = found.state
        if found.began:
            assert self.runs.open is not None
            self.numbers.append(self.runs.open.number)
        if trigger is RunTrigger.REMOVAL:
            assert self.runs.open is not None
            assert self.runs.open.trigger is RunTrigger.REMOVAL
        served = {w.id for w in self.runs.waiting} | {self.runs.open.id if self.runs.open else ""}
        assert found.run.id in served
        if trigger is RunTrigger.REVOCATION and before.open is not None and before.open.full:
            assert any(w.full for w in self.runs.waiting)

    @rule()
    def the_same_call_comes_twice(self) -> None:
        if self.runs.open is None:
            return
        again = planned(self.runs.open.id, self.runs.open.trigger)
        found = ask(self.runs, again, NOW)
        assert found.state == self.runs
        assert not found.began

    @rule()
    def the_open_run_begins_to_read_its_share(self) -> None:
        if self.runs.open is not None:
            self.runs = resolving(self.runs, self.runs.open.id, self.runs.open.number)

    @rule()
    def the_open_run_ends(self) -> None:
        if self.runs.open is not None:
            self.end(self.runs.open.id, self.runs.open.number)

    @rule()
    def a_message_of_an_older_run_comes_late(self) -> None:
        if self.runs.open is None:
            return
        late = self.runs.open.number - 1
        assert not is_open(self.runs, self.runs.open.id, late)
        assert ended(self.runs, self.runs.open.id, late, NOW) == self.runs
        assert resolving(self.runs, self.runs.open.id, late) == self.runs

    @rule()
    def an_admin_stops_the_open_run(self) -> None:
        if self.runs.open is None:
            return
        run = self.runs.open
        self.runs = stopped(self.runs, run.id, NOW)
        if run.trigger is RunTrigger.REMOVAL:
            assert self.runs.open == run
        else:
            assert not is_open(self.runs, run.id, run.number)
            assert run.id in self.runs.ended
            self.note_begun()

    def end(self, run: str, number: int) -> None:
        self.runs = ended(self.runs, run, number, NOW)
        self.note_begun()

    def note_begun(self) -> None:
        if self.runs.open is not None:
            self.numbers.append(self.runs.open.number)

    @invariant()
    def numbers_rise(self) -> None:
        assert self.numbers == sorted(set(self.numbers))

    @invariant()
    def nothing_waits_while_nothing_is_open(self) -> None:
        assert self.runs.open is not None or not self.runs.waiting

    @invariant()
    def at_most_one_full_run_waits(self) -> None:
        assert sum(waiting.full for waiting in self.runs.waiting) <= 1

    @invariant()
    def no_run_is_open_waiting_and_ended_at_once(self) -> None:
        ids = [waiting.id for waiting in self.runs.waiting]
        ids += [self.runs.open.id] if self.runs.open is not None else []
        assert len(ids) == len(set(ids))
        assert not set(ids) & set(self.runs.ended)


TestImportLife = ImportLife.TestCase


def test_approval_waits_for_the_open_run_and_then_begins_under_a_new_number() -> None:
    runs = ask(ImportRuns(import_id="i"), planned("held", RunTrigger.SCHEDULE), NOW).state
    runs = ended(runs, "held", 1, NOW)
    runs = ask(runs, planned("daily", RunTrigger.SCHEDULE), NOW).state
    runs = ask(runs, planned("held", RunTrigger.SCHEDULE, reopened=True), NOW).state
    assert is_open(runs, "daily", 2)

    runs = ended(runs, "daily", 2, NOW)

    assert is_open(runs, "held", 3)


def test_run_that_stands_still_is_sent_again_after_ever_longer_waits_and_given_up_after_a_day() -> (
    None
):
    run = OpenRun(
        id="r", trigger=RunTrigger.SCHEDULE, queued=NOW, number=1, sent=NOW, progressed=NOW
    )
    steps: list[tuple[Step, timedelta]] = []
    now = NOW
    while not steps or steps[-1][0] is not Step.GIVE_UP:
        now += timedelta(minutes=15)
        run, step = checked(run, 0, timedelta(0), now)
        if step is not Step.WAIT:
            steps.append((step, now - NOW))

    assert [step for step, _ in steps] == [*[Step.SEND] * (len(steps) - 1), Step.GIVE_UP]
    assert steps[0][1] == FIRST_WAIT
    waits = [later - earlier for (_, earlier), (_, later) in pairwise(steps[:-1])]
    assert waits == [FIRST_WAIT * 2**n for n in range(1, len(waits) + 1)]
    assert steps[-1][1] == GIVES_UP_AFTER


def test_waits_count_from_the_latest_progress() -> None:
    run = OpenRun(
        id="r", trigger=RunTrigger.SCHEDULE, queued=NOW, number=1, sent=NOW, progressed=NOW
    )
    later = NOW + timedelta(hours=23)

    run, step = checked(run, 5, timedelta(0), later)

    assert (run.progressed, step) == (later, Step.WAIT)


def test_time_in_a_backlog_does_not_count() -> None:
    run = OpenRun(
        id="r", trigger=RunTrigger.SCHEDULE, queued=NOW, number=1, sent=NOW, progressed=NOW
    )
    later = NOW + timedelta(days=2)

    run, step = checked(run, 0, timedelta(days=3), later)

    assert step is Step.WAIT


def test_run_is_sent_again_before_it_is_given_up_though_no_tick_came_for_a_day() -> None:
    run = OpenRun(
        id="r", trigger=RunTrigger.SCHEDULE, queued=NOW, number=1, sent=NOW, progressed=NOW
    )
    later = NOW + timedelta(days=2)

    run, step = checked(run, 0, timedelta(0), later)
    _, soon = checked(run, 0, timedelta(0), later + timedelta(minutes=15))
    _, then = checked(run, 0, timedelta(0), later + FIRST_WAIT)

    assert (step, soon, then) == (Step.SEND, Step.WAIT, Step.GIVE_UP)


def looked(
    runs: ImportRuns, attempt: int, seconds: float, *, redelivered: bool = False
) -> tuple[ImportRuns, bool]:
    now = NOW + timedelta(seconds=seconds)
    return look_again(runs, "1-a", 1, attempt, now, redelivered=redelivered)


def test_of_the_copies_of_a_closing_one_comes_back() -> None:
    runs = ask(ImportRuns(import_id="i"), planned("1-a", RunTrigger.SCHEDULE), NOW).state
    runs, first = looked(runs, 7, 1)
    runs, copy = looked(runs, 7, 2)
    assert (first, copy) == (True, False)

    _, repeated_write = looked(runs, 7, 1)
    _, after_a_kill = looked(runs, 7, 600, redelivered=True)
    assert (repeated_write, after_a_kill) == (True, True)

    runs, _ = looked(runs, 8, 60)
    _, older = looked(runs, 7, 700, redelivered=True)
    assert not older


def test_closing_of_a_new_sending_takes_over_if_no_older_one_is_left() -> None:
    runs = ask(ImportRuns(import_id="i"), planned("1-a", RunTrigger.SCHEDULE), NOW).state
    runs, _ = looked(runs, 40, 1)
    for attempt in range(FREE_LOOKS, 9):
        runs, comes_back = looked(runs, attempt, 100 + attempt)
        assert comes_back


def test_closing_of_a_run_that_is_not_open_does_not_come_back() -> None:
    runs = ImportRuns(import_id="i")
    assert looked(runs, 7, 1) == (runs, False)


def test_tick_keeps_what_closings_noted_meanwhile() -> None:
    runs = ask(ImportRuns(import_id="i"), planned("1-a", RunTrigger.SCHEDULE), NOW).state
    before = runs.open
    assert before is not None
    noted, _ = looked(runs, 7, 1)
    open_ = updated(noted, before, before.copy_with(done=3)).open
    assert open_ is not None
    assert (open_.done, open_.looks) == (3, 8)
    assert updated(noted, before.copy_with(sendings=2), before) == noted
