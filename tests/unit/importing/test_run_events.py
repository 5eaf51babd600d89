"""Events about runs that go on, and about mailboxes that no worker reached."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from shared.adapters.storage.snapshots import Job
from shared.domain.events import Event, MailboxSyncFinished, RunOpen
from shared.domain.importing.import_life import ImportRuns, OpenRun
from shared.domain.importing.messages import Task
from shared.domain.importing.runs import Outcome, Result, Run, RunTrigger
from shared.domain.reasons import Reason
from shared.services.importing import run_telemetry, timetable
from shared.services.importing.run_resolving import StartCost
from shared.services.importing.timetable import Tick, Timetable

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Book:
    async def update_open(self, *_: Any) -> bool:
        return False


def captured(monkeypatch: pytest.MonkeyPatch, module: Any) -> list[Event]:
    told: list[Event] = []
    monkeypatch.setattr(module, "emit", told.append)
    return told


@pytest.mark.parametrize(("minutes", "events"), [(29, 0), (30, 1), (31, 1)])
async def test_a_tick_tells_of_each_run_that_is_open_for_half_an_hour(
    minutes: int, events: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = captured(monkeypatch, timetable)

    async def three(*_: Any) -> int:
        return 3

    monkeypatch.setattr(timetable, "count_results", three)
    unused: Any = None
    book: Any = Book()
    ticking = Timetable(
        unused, unused, book, unused, unused, unused, unused, unused, clock=lambda: NOW
    )
    queued = NOW - timedelta(minutes=minutes)
    # It was sent again a minute ago, so nothing else is to be done about it.
    run = OpenRun(
        id="r1",
        trigger=RunTrigger.SCHEDULE,
        queued=queued,
        number=1,
        sent=NOW - timedelta(minutes=1),
        progressed=queued,
    )
    import_: Any = SimpleNamespace(removing=False)

    await ticking.look_after(
        "t1",
        import_,
        ImportRuns(import_id="i1", open=run),
        Tick(ages=defaultdict(timedelta)),
        suspended=True,
    )

    one = RunOpen(tenant="t1", import_id="i1", run="r1", done=3, seconds=minutes * 60)
    assert told == [one] * events


def test_each_mailbox_that_a_run_gave_up_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told = captured(monkeypatch, run_telemetry)
    run = Run(id="r1", import_id="i1", trigger=RunTrigger.SCHEDULE, queued=NOW, number=1)
    settings: Any = None
    job = Job(settings, tasks=(("m1", Task.SYNC), ("m2", Task.SYNC), ("m3", Task.REMOVE)))
    results = [Result(mailbox="m1", outcome=Outcome.SUCCEEDED, number=1, ended=NOW)]

    run_telemetry.emit_given_up("t1", run, job, results)

    assert told == [
        MailboxSyncFinished(
            tenant="t1",
            import_id="i1",
            run="r1",
            mailbox=mailbox,
            task=task,
            outcome=Outcome.FAILED,
            reason=Reason.GAVE_UP,
        )
        for mailbox, task in (("m2", Task.SYNC), ("m3", Task.REMOVE))
    ]


def test_requests_for_a_foreign_share_do_not_count_in_the_run() -> None:
    cost = StartCost()
    cost.targets.requests, cost.targets.throttled = 3, 1
    cost.share.requests, cost.share.throttled = 40, 5

    assert (cost.requests, cost.throttled) == (43, 6)
    cost.foreign = True
    assert (cost.requests, cost.throttled) == (3, 1)
