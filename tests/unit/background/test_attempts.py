"""A queue or timer function that fails tells it before the host gets the error."""

from typing import Any

import azure.functions as func
import pytest

from shared.adapters import attempts
from shared.background import queues, timers
from shared.domain.errors import Defect, NewerVersion
from shared.domain.events import AttemptFailed, Event
from shared.domain.importing.messages import IMPORT_RUNS, StartRun

MESSAGE = StartRun(tenant="t1", import_id="i1", run="r1", number=1)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    found: list[Event] = []
    monkeypatch.setattr(attempts, "emit", found.append)
    return found


class FailingApp:
    """Every service of this app is broken."""

    def __getattr__(self, name: str) -> Any:
        raise Defect(name)


def test_a_message_that_fails_is_told_with_its_run_and_its_try(told: list[Event]) -> None:
    with pytest.raises(Defect), attempts.attempt("start_run", IMPORT_RUNS, MESSAGE, 3):
        raise Defect("It broke.")

    assert told == [
        AttemptFailed(
            tenant="t1", function="start_run", queue=IMPORT_RUNS, run="r1", tries=3, error="Defect"
        )
    ]


def test_work_that_succeeds_or_waits_for_a_newer_worker_is_not_told(told: list[Event]) -> None:
    with attempts.attempt("start_run", IMPORT_RUNS, MESSAGE, 1):
        pass
    with pytest.raises(NewerVersion), attempts.telling_failures("start_run"):
        raise NewerVersion("It is newer.", 60)

    assert told == []


@pytest.mark.parametrize("function", [timers.start_due_runs, timers.sweep_leftovers])
async def test_a_timer_that_fails_is_told(
    function: Any, told: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timers, "app", FailingApp)
    call = function._function.get_user_function()

    with pytest.raises(Defect):
        await call(func.TimerRequest())

    assert told == [AttemptFailed(tenant="", function=call.__name__, error="Defect")]


async def test_every_queue_function_tells_that_it_failed(
    told: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "app", FailingApp)
    functions = [builder._function.get_user_function() for builder in queues.bp._function_builders]
    for function in functions:
        with pytest.raises(Exception):  # noqa: B017 # whatever it is, an event names it
            await function(func.QueueMessage(id="1", body=b"{}"))

    assert {event.function for event in told if isinstance(event, AttemptFailed)} >= {
        function.__name__ for function in functions if not function.__name__.startswith("record")
    }
