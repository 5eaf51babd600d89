"""The worker processes of a host: started, asked, killed at the time limit, and started again.

One worker runs all functions. With groups (LOCAL_HOST_GROUPS) each group of Flex Consumption has a
worker of its own, started at its first invocation.
"""

import asyncio
import itertools
import logging
import os
import signal
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from tests.local.host.frames import Frames
from tests.local.host.functions import HTTP_GROUP, ONE_GROUP, Function, InvocationFailed
from tests.local.host.settings import HostSettings
from tests.local.host.told import Told

_log = logging.getLogger("host.workers")
_MOST_ERRORS: Final = 3
_FORGOTTEN_AFTER: Final = 1800
_POLITE: Final = 5.0
_SAVING: Final = 2.0
_BETWEEN_LOOKS: Final = 0.02
_COVERED: Final = "COVERAGE_PROCESS_CONFIG"

type Answer = tuple[dict[str, Any], bytes]
type Sent = Callable[[str, float], None]


class WorkerLost(Exception):
    """The worker's process ended while it ran a function, or before it was ready."""


class Worker:
    """One worker process."""

    def __init__(self, process: Process, frames: Frames, told: Told, sent: Sent) -> None:
        self.process = process
        self.ending = False
        self.functions: list[Function] = []
        self._frames = frames
        self._told = told
        self._sent = sent
        self._numbers = itertools.count()
        self._pending: dict[int, asyncio.Future[Answer]] = {}

    @classmethod
    async def start(cls, folder: Path, told: Told, sent: Sent) -> "Worker":
        """Start a process and wait until it has loaded the app. Raises `WorkerLost`.

        `sent` is called with the queue of each message that the app sends, and its delay.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.local.host.worker",
                str(number), str(folder), str(os.getpid()),
                pass_fds=[number], stdin=DEVNULL, process_group=0,
            )  # fmt: skip
        worker = cls(process, await Frames.over(ours), told, sent)
        try:
            worker.functions = await worker._loaded()
        except BaseException:
            await worker.kill()
            raise
        return worker

    @property
    def busy(self) -> bool:
        """Whether it runs a function."""
        return bool(self._pending)

    async def serve(self) -> None:
        """Read answers until the process ends; then everything that it ran has failed."""
        while (frame := await self._frames.read()) is not None:
            header, body = frame
            if "sent" in header:
                self._sent(header["sent"], header["delay"])
            elif "spans" in header:
                self._told.add(header["spans"], body)
            elif (waiting := self._pending.pop(header["id"], None)) and not waiting.done():
                waiting.set_result(frame)
        self._lose_all()
        await self.process.wait()

    async def ask(self, header: Mapping[str, Any], body: bytes = b"") -> Answer:
        """Send a frame and wait for its answer. Raises `WorkerLost`."""
        if self.ending:
            raise WorkerLost
        number = next(self._numbers)
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._pending[number] = waiting
        self._frames.send({**header, "id": number}, body)
        # Nobody may wait any more, but until an answer comes the function runs.
        return await waiting

    def send(self, header: Mapping[str, Any]) -> None:
        """Send a frame that has no answer."""
        self._frames.send(header)

    async def stop(self) -> None:
        """Let the process end by itself; kill it if it does not."""
        self.ending = True
        self.send({"do": "stop"})
        try:
            await asyncio.wait_for(self.process.wait(), _POLITE)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """Kill the process as the platform does: nothing runs any more, no `finally` either.

        Under coverage by SIGTERM, of which Python's default is as sudden; coverage saves its data.
        """
        self.ending = True
        self._lose_all()
        with suppress(ProcessLookupError):
            if _COVERED in os.environ:
                self.process.send_signal(signal.SIGTERM)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.process.wait(), _SAVING)
            self.process.kill()
        await self.process.wait()
        self._frames.close()

    async def _loaded(self) -> list[Function]:
        first = await self._frames.read()
        if first is None:
            raise WorkerLost(f"A worker ended before it was ready ({await self.process.wait()}).")
        return [Function(f["function"], f["trigger"]) for f in first[0]["functions"]]

    def _lose_all(self) -> None:
        for waiting in self._pending.values():
            if not waiting.done():
                waiting.set_exception(WorkerLost())


class Workers:
    """All workers of a host. `failed` is called once they end more often than the host accepts."""

    def __init__(
        self, folder: Path, settings: HostSettings, told: Told, failed: Callable[[str], None]
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._told = told
        self._failed = failed
        self._offset = 0.0
        self._starting: dict[str, asyncio.Task[Worker]] = {}
        self._watching: dict[asyncio.Task[None], Worker] = {}
        self._errors: list[float] = []
        self._ending = False
        self.sent: Sent = lambda _queue, _delay: None

    async def start(self) -> list[Function]:
        """Start the first worker and return the app's functions. Raises `WorkerLost`."""
        first = HTTP_GROUP if self._settings.groups else ONE_GROUP
        return (await self._of(first)).functions

    async def invoke(
        self, function: Function, header: Mapping[str, Any], body: bytes = b""
    ) -> Answer:
        """Run a function. Raises `InvocationFailed`; at the time limit its worker dies."""
        group = function.group if self._settings.groups else ONE_GROUP
        invocation = str(uuid4())
        wanted = {"do": "invoke", "function": function.name, "invocation": invocation, **header}
        limit = self._settings.function_timeout
        try:
            worker = await self._of(group)
            async with asyncio.timeout(limit.total_seconds() if limit else None):
                answer = await worker.ask(wanted, body)
        except TimeoutError as error:
            _log.error(
                "%s failed (invocation %s): it ran longer than %s. Restarting its worker.",
                function.name, invocation, limit,
            )  # fmt: skip
            self._replace(group, worker)
            raise InvocationFailed(function.name) from error
        except WorkerLost as error:
            _log.error("%s failed (invocation %s): its worker ended", function.name, invocation)
            raise InvocationFailed(function.name) from error
        if not answer[0]["ok"]:
            raise InvocationFailed(function.name)
        return answer

    def set_clock(self, seconds: float) -> None:
        """Shift the app's clock in all workers, also in those that start later."""
        self._offset = seconds
        for worker in self._alive():
            worker.send({"do": "clock", "offset": seconds})

    def processes(self) -> dict[str, int]:
        """Return the process id of each group's worker; "" names the one for all."""
        return {
            group: task.result().process.pid
            for group, task in self._starting.items()
            if task.done() and not task.cancelled() and task.exception() is None
        }

    async def metrics(self) -> list[Any]:
        """Let all workers tell what they have, and return the metrics since the last call."""
        found: list[Any] = []
        for worker in self._alive():
            with suppress(WorkerLost):
                found += (await worker.ask({"do": "tell"}))[0]["metrics"]
        return found

    async def until_idle(self) -> None:
        """Wait until no worker runs a function."""
        while True:
            if not any(worker.busy for worker in self._alive()):
                return
            await asyncio.sleep(_BETWEEN_LOOKS)

    async def stop(self) -> None:
        """End all workers: those that still run a function by killing them."""
        self._ending = True
        for task in self._starting.values():
            task.cancel()
        await asyncio.gather(*self._starting.values(), return_exceptions=True)
        await asyncio.gather(*(w.kill() if w.busy else w.stop() for w in self._alive()))
        await asyncio.gather(*self._watching)

    def _alive(self) -> list[Worker]:
        return [worker for worker in self._watching.values() if not worker.ending]

    async def _of(self, group: str) -> Worker:
        if self._ending:
            raise WorkerLost
        if group not in self._starting:
            self._starting[group] = asyncio.create_task(self._start(group))
        return await asyncio.shield(self._starting[group])

    async def _start(self, group: str) -> Worker:
        worker = await Worker.start(self._folder, self._told, self._note_sent)
        if self._offset:
            worker.send({"do": "clock", "offset": self._offset})
        watch = asyncio.create_task(self._watch(group, worker))
        self._watching[watch] = worker
        watch.add_done_callback(self._watching.pop)
        return worker

    async def _watch(self, group: str, worker: Worker) -> None:
        await worker.serve()
        if worker.ending or self._ending:
            return
        worker.ending = True
        _log.error("The worker ended (%s). Restarting it.", worker.process.returncode)
        self._note_error()
        self._replace(group, worker)

    def _replace(self, group: str, worker: Worker) -> None:
        """Start a new worker and kill the old one, unless another call did."""
        task = self._starting.get(group)
        if self._ending or task is None or not task.done() or task.result() is not worker:
            return
        self._starting[group] = asyncio.create_task(self._restart(group, worker))

    async def _restart(self, group: str, worker: Worker) -> Worker:
        await worker.kill()
        while True:
            try:
                return await self._start(group)
            except WorkerLost:
                self._note_error()

    def _note_sent(self, queue: str, delay: float) -> None:
        self.sent(queue, delay)

    def _note_error(self) -> None:
        """Count a worker that ended by itself; the third in a row ends the host."""
        now = time.monotonic()
        forgotten = _FORGOTTEN_AFTER / self._settings.speed
        if self._errors and now - self._errors[-1] > forgotten:
            self._errors.clear()
        self._errors.append(now)
        if len(self._errors) >= _MOST_ERRORS * max(1, len(self._starting)):
            self._failed("Exceeded language worker restart retry count.")
