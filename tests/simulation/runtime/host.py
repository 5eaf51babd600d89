"""The Functions host: delivers messages, fires timers and carries calls, as Microsoft's does.

Each function of a queue or timer has workers of its own; all HTTP functions share one. The figures
are those of host.json and of the storage extension.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import azure.functions as func
import orjson
from azure.core.exceptions import HttpResponseError

from tests.app_functions import Function, functions
from tests.simulation.outside import headers_of
from tests.simulation.runtime.adversary import Adversary
from tests.simulation.runtime.listener import LONGEST_POLL, Listener
from tests.simulation.runtime.loop import SimulatedLoop
from tests.simulation.runtime.timers import AN_HOUR, EARLIEST, Timer
from tests.simulation.runtime.workers import Worker, Workers
from tests.simulation.storage.queues import QueueStore

STOP_WAITS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A run of a function that raised."""

    function: str
    at: float
    error: str


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a call."""

    status: int
    body: Any
    headers: Mapping[str, str]


class CallLost(Exception):
    """The worker died before it answered."""


class Host:
    """Runs the app's functions on workers that it starts, stops and loses."""

    def __init__(
        self,
        loop: SimulatedLoop,
        adversary: Adversary,
        queues: QueueStore,
        workers: Workers,
        rng: random.Random,
        now: Callable[[], datetime],
    ) -> None:
        self.loop = loop
        self.adversary = adversary
        self.queues = queues
        self.rng = rng
        self.now = now
        self.failures: list[Failure] = []
        self.invocations = 0
        self.told: Callable[[str], None] | None = None
        self.calls: dict[asyncio.Future[Any], Worker] = {}
        self.shut_down = False
        self._workers = workers
        self._living: dict[str, Worker] = {}
        self._by_name = {function.name: function for function in functions()}
        self._timers = [Timer(self, f) for f in functions() if f.kind == "timer"]
        self._listeners = [Listener(self, f, 0) for f in functions() if f.kind == "queue"]
        if adversary.strikes_now("second_instance"):
            self._listeners += [Listener(self, f, 1) for f in functions() if f.kind == "queue"]
        for listener in self._listeners:
            with contextlib.suppress(HttpResponseError):
                queues.create(listener.function.queue)
        queues.sent = self._sent

    def busy(self, within: timedelta) -> bool:
        """Whether something runs, or a message can be received within this time."""
        if any(listener.running for listener in self._listeners) or self.calls:
            return True
        soon = self.now() + within
        return any(m.visible <= soon for q in self.queues.queues.values() for m in q)

    @property
    def waiting(self) -> dict[str, int]:
        """How many messages each queue holds that is not empty."""
        return {name: len(held) for name, held in self.queues.queues.items() if held}

    def nothing_open(self) -> bool:
        """Whether no import has a run that is open, waits, or is still to be ended."""
        return self._workers.no_run_open()

    async def run_until(self, moment: datetime) -> None:
        """Let time pass until a moment, firing the timers that are due."""
        while self.now() < moment:
            timer, due = min(
                ((t, t.next_after(self.now())) for t in self._timers), key=lambda p: p[1]
            )
            until = min(due - EARLIEST, moment)
            await asyncio.sleep(max(0.0, (until - self.now()).total_seconds()))
            if until == due - EARLIEST:
                for other in self._timers:
                    if other is timer or other.next_after(self.now()) == due:
                        other.tick(due)

    async def until_idle(self, most: timedelta, within: timedelta = AN_HOUR) -> bool:
        """Let time pass until nothing runs or is due `within` a time; return whether so.

        It waits no longer than `most`.
        """
        end = self.now() + most
        while self.now() < end:
            if not self.busy(within):
                return True
            await self.run_until(min(end, self.now() + timedelta(seconds=self._step())))
        return False

    def _step(self) -> float:
        """Return how long nothing can happen, at least a little."""
        if any(listener.running for listener in self._listeners) or self.calls:
            return 5.0
        soonest = min(m.visible for q in self.queues.queues.values() for m in q)
        return max(5.0, (soonest - self.now()).total_seconds() + LONGEST_POLL + 1)

    async def call(
        self,
        caller: tuple[str, str],
        method: str,
        path: str,
        body: object = None,
        **headers: str,
    ) -> Reply:
        """Call the API and return its reply. Raises `CallLost` if the worker dies meanwhile."""
        parts = urlsplit(path)
        for function in self._by_name.values():
            if function.route is None or method not in function.methods:
                continue
            match = function.route.fullmatch(parts.path)
            if match is not None:
                break
        else:
            raise LookupError(f"no function answers {method} {path}")
        if self.shut_down:
            raise CallLost
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            named["Content-Type"] = "application/json"
        request = func.HttpRequest(
            method,
            f"http://127.0.0.1/{path}",
            headers=headers_of(caller, named),
            params=dict(parse_qsl(parts.query)),
            route_params=match.groupdict(),
            body=orjson.dumps(body) if body is not None else b"",
        )
        worker, future = self.worker("http"), self.loop.create_future()
        self.calls[future] = worker
        task = self.loop.create_task(function.call(request), context=worker.context.copy())

        def done(task: asyncio.Task[func.HttpResponse]) -> None:
            if future.done():
                return
            if (error := task.exception()) is not None:
                self.fail(function, repr(error))
                future.set_result(Reply(500, None, {}))
                return
            answer = task.result()
            content = answer.get_body()
            future.set_result(
                Reply(
                    answer.status_code,
                    orjson.loads(content) if content else None,
                    dict(answer.headers),
                )
            )

        task.add_done_callback(done, context=self.loop.outside)
        try:
            reply: Reply = await future
        finally:
            self.calls.pop(future, None)
        self.tell(f"call {method} {path}: {reply.status}")
        return reply

    def worker(self, name: str) -> Worker:
        """Return the living worker of a group of functions; start one if there is none."""
        found = self._living.get(name)
        if found is None or found.life.dead:
            found = self._living[name] = self._workers.start(name, self._fuse_burnt)
        return found

    def crash(self, worker: Worker) -> None:
        """The worker process dies; the host notices, and fails all that ran in it."""
        self._end(worker, "crash")
        for delivery in list(worker.deliveries):
            delivery.listener.failed(delivery, "worker crashed")
        worker.deliveries.clear()

    def vanish(self, worker: Worker) -> None:
        """The instance dies with the host in it: its messages come back when their hold ends."""
        self._end(worker, "vanish")
        for delivery in list(worker.deliveries):
            delivery.listener.forget(delivery)
        worker.deliveries.clear()

    def stop(self, worker: Worker) -> None:
        """The instance is stopped: after ten seconds all that still runs is killed."""
        self._living = {n: w for n, w in self._living.items() if w is not worker}
        self.loop.later(STOP_WAITS, self._stopped, worker)

    def stop_all(self) -> None:
        """Stop every instance, as a deployment does."""
        for worker in list(self._living.values()):
            self.stop(worker)

    async def stand_still(self, seconds: float) -> None:
        """Stop the app for a while, as an operator does before restoring tables."""
        self.shut_down = True
        for worker in list(self._living.values()):
            if not worker.life.dead:
                self.vanish(worker)
        await asyncio.sleep(seconds)
        self.shut_down = False
        for listener in self._listeners:
            listener.wake(self.now())

    def fail(self, function: Function, error: str) -> None:
        """Note that a run of a function failed."""
        self.failures.append(Failure(function.name, self.loop.time(), error))
        self.tell(f"failed {function.name}: {error}")

    def tell(self, text: str) -> None:
        """Write a line of the trace."""
        if self.told is not None:
            self.told(text)

    def _stopped(self, worker: Worker) -> None:
        if not worker.life.dead:
            self.vanish(worker)

    def _fuse_burnt(self, worker: Worker) -> None:
        self.rng.choice((self.crash, self.vanish, self.vanish))(worker)

    def _end(self, worker: Worker, how: str) -> None:
        worker.life.die()
        self.tell(f"{how} {worker.life.name}")
        self.adversary.strikes[f"killed by {how}"] += 1
        for future, other in list(self.calls.items()):
            if other is worker and not future.done():
                future.set_exception(CallLost())

    def _sent(self, queue: str, visible: datetime) -> None:
        for listener in self._listeners:
            if listener.function.queue == queue:
                listener.wake(visible)
