"""Timers of the Functions host: early, past due or twice."""

import asyncio
from datetime import datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from azure.functions.timer import TimerRequest

from tests.app_functions import Function

if TYPE_CHECKING:
    from tests.simulation.runtime.host import Host

EARLIEST: Final = timedelta(milliseconds=4)
"""How much before its second a tick may fire."""
AN_HOUR: Final = timedelta(hours=1)


class Timer:
    """Fires one timer function: early, past due or twice, as the host does."""

    def __init__(self, host: "Host", function: Function) -> None:
        self.function = function
        self._host = host
        self._seconds = seconds_of_day(str(function.trigger["schedule"]))
        self._idle_ticks = 0
        self._last = host.now()
        self._next: datetime | None = None

    def next_after(self, moment: datetime) -> datetime:
        """Return when the timer fires next."""
        if self._next is None or self._next <= moment:
            self._next = self._after(moment)
        return self._next

    def _after(self, moment: datetime) -> datetime:
        moment = max(moment, self._last)
        day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        passed = (moment - day).total_seconds()
        for second in self._seconds:
            if second > passed:
                return day + timedelta(seconds=second)
        return day + timedelta(days=1, seconds=self._seconds[0])

    def tick(self, due: datetime) -> None:
        """Fire for a moment.

        A frequent timer is skipped while no run is open, and more and more while one stands still.
        """
        self._last, self._next = due, None
        host, often = self._host, len(self._seconds) > 2
        if often and not _is_daily(due) and host.nothing_open() and not host.busy(AN_HOUR):
            return
        if often and not host.busy(AN_HOUR):
            self._idle_ticks += 1
            if self._idle_ticks & (self._idle_ticks - 1) and not _is_daily(due):
                return
        else:
            self._idle_ticks = 0
        adversary = host.adversary
        wait, past_due = EARLIEST.total_seconds(), False
        if adversary.strikes_now("timer_early"):
            wait = adversary.source("timer_early").uniform(0.0, wait)
        if adversary.strikes_now("timer_past_due"):
            wait, past_due = adversary.source("timer_past_due").uniform(1, 3600), True
        host.loop.later(wait, self._fire, past_due)
        if adversary.strikes_now("timer_twice"):
            host.loop.later(wait + 61, self._fire, True)

    def _fire(self, past_due: bool) -> None:  # noqa: FBT001 - a callback
        host, function = self._host, self.function
        if host.shut_down:
            return
        worker = host.worker(function.name)
        request = TimerRequest(past_due=past_due)
        call = function.call(**{str(function.trigger["name"]): request})
        future: asyncio.Future[Any] = host.loop.create_future()
        host.calls[future] = worker
        host.invocations += 1
        task = host.loop.create_task(call, context=worker.context.copy())
        host.tell(f"tick {function.name}")

        def done(task: asyncio.Task[Any]) -> None:
            if future.done():
                return
            error = task.exception()
            if error is not None:
                host.fail(function, repr(error))
            host.calls.pop(future, None)
            future.set_result(None)

        def over(future: asyncio.Future[Any]) -> None:
            # Killed in the middle: the next instance takes the lease over and runs it again.
            if future.exception() is not None:
                host.calls.pop(future, None)
                host.loop.later(65, self._fire, True)

        task.add_done_callback(done, context=host.loop.outside)
        future.add_done_callback(over, context=host.loop.outside)


def _is_daily(due: datetime) -> bool:
    return (due.hour, due.minute) == (3, 0)


@cache
def seconds_of_day(schedule: str) -> tuple[int, ...]:
    """Return when a schedule of the form `s m h * * *` fires, in seconds of each day."""
    second, minute, hour, *rest = schedule.split()
    if rest != ["*", "*", "*"]:
        raise ValueError(f"not every day: {schedule}")
    return tuple(
        h * 3600 + m * 60 + s
        for h in _values(hour, 24)
        for m in _values(minute, 60)
        for s in _values(second, 60)
    )


def _values(text: str, end: int) -> list[int]:
    """Return the values that a field of a schedule means."""
    found: set[int] = set()
    for part in text.split(","):
        base, _, step = part.partition("/")
        first, last = (0, end - 1) if base == "*" else (int(base), int(base))
        if step and base != "*":
            last = end - 1
        found.update(range(first, last + 1, int(step or 1)))
    return sorted(found)
