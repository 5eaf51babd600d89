"""The host's process: serves HTTP, polls queues, fires timers, until SIGTERM.

`python -m tests.local.host PORT [FOLDER]` runs the app in a folder (by default the current one)
with the settings in its environment. Its worker, a process of its own, runs the functions. Where
Microsoft's host stops itself, this one ends with the exit code 70, to be started again. `/_sim`
controls it:

    POST /_sim/timer/{name}   fire a timer now
    POST /_sim/clock          {"now": ISO time or null}: set the app's clock, or reset it
    GET /_sim/queues          the messages waiting, invisible and poison, by queue
    GET /_sim/idle/{seconds}  the same, once all queues are empty or the time is over
    GET /_sim/functions       every function with its trigger
    GET /_sim/workers         the process id of each worker
    GET /_sim/keys            the host's keys
    GET /_sim/telemetry       spans, logs (including events) and metrics; DELETE clears them
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import orjson
from aiohttp import web

from tests.local.host.counts import count, until_idle
from tests.local.host.functions import Function
from tests.local.host.http import HttpTriggers
from tests.local.host.logs import log_to_stderr
from tests.local.host.queues import QueueTrigger
from tests.local.host.settings import STOPPED_ITSELF, host_settings
from tests.local.host.storage import Storage, StorageError
from tests.local.host.timers import Clock, TimerLock, TimerTrigger
from tests.local.host.told import Told
from tests.local.host.workers import WorkerLost, Workers

_LARGEST_BODY: Final = 100 * 1024 * 1024
_STORAGE: Final = "AzureWebJobsStorage"
_DRAIN: Final = 10.0
"""Seconds that running functions get to end."""
_UNTIL_STORAGE: Final = 0.1

_log = logging.getLogger("host")


class Host:
    """One functions host."""

    def __init__(self, folder: Path, port: int, storage: Storage) -> None:
        # App Service and Core Tools set it, so the app knows that it runs in a host.
        os.environ.setdefault("WEBSITE_HOSTNAME", f"localhost:{port}")
        self._settings = host_settings(folder, os.environ)
        self._port = port
        self._storage = storage
        self._told = Told()
        self._workers = Workers(folder, self._settings, self._told, self._fail)
        self._clock = Clock()
        self._functions: list[Function] = []
        self._queues: dict[str, QueueTrigger] = {}
        self._timers: dict[str, TimerTrigger] = {}
        self._lock = TimerLock(storage, self._settings)
        self._storage_answers = asyncio.Event()
        self._stopped = asyncio.Event()
        self._exit_code = 0

    async def run(self) -> int:
        """Serve until a signal comes or the host stops itself. Return the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stopped.set)
        try:
            if await self._unless_stopped(self._load()):
                await self._serve()
        finally:
            await self._workers.stop()
        return self._exit_code

    async def _load(self) -> None:
        self._functions = await self._workers.start()
        for function in self._functions:
            if function.kind == "queuetrigger":
                trigger = QueueTrigger(
                    function, self._workers, self._storage, self._settings, self._fail
                )
                trigger.moved = self._wake
                self._queues[trigger.queue] = trigger
            elif function.kind == "timertrigger":
                self._timers[function.name] = TimerTrigger(
                    function, self._clock, self._workers, self._storage
                )

        self._workers.sent = self._expect

    async def _serve(self) -> None:
        self._http = HttpTriggers(self._functions, self._workers, self._settings)
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self._port).start()
        works = (self._until_storage(), self._run_timers())
        background = [asyncio.create_task(self._guard(work)) for work in works]
        polls = [
            asyncio.create_task(self._guard(self._poll(trigger)))
            for trigger in self._queues.values()
        ]
        await self._stopped.wait()
        await self._drain(polls)
        for task in (*background, *polls):
            task.cancel()
        await asyncio.gather(*background, *polls, return_exceptions=True)
        with suppress(StorageError):
            await self._lock.release()
        await self._workers.stop()
        await runner.cleanup()

    async def _guard(self, work: Coroutine[None, None, None]) -> None:
        """Do the work. An error of storage stops the host as Microsoft's; any other is our own."""
        try:
            await work
        except StorageError as error:
            self._fail(str(error))
        except Exception:
            _log.exception("The local host has a defect.")
            self._exit_code = 1
            self._stopped.set()
            raise

    async def _run_timers(self) -> None:
        await self._storage_answers.wait()
        await self._lock.take()
        await asyncio.gather(*(timer.tick() for timer in self._timers.values()))

    async def _poll(self, trigger: QueueTrigger) -> None:
        await self._storage_answers.wait()
        await trigger.poll(self._stopped)

    async def _drain(self, polls: list[asyncio.Task[None]]) -> None:
        """Let running functions end and their messages be deleted, but not for long.

        What has not ended then is killed with its worker: its message comes back when its time of
        invisibility is over.
        """
        self._wake_all()
        running = {task for trigger in self._queues.values() for task in trigger.running}
        within = self._settings.scaled(_DRAIN)
        served = asyncio.create_task(self._workers.until_idle())
        await asyncio.wait({*polls, *running, served}, timeout=within)
        served.cancel()
        running = {task for trigger in self._queues.values() for task in trigger.running}
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _until_storage(self) -> None:
        """Wait until storage answers: the start of a host is tried again without end."""
        while True:
            if await self._storage.answers():
                self._storage_answers.set()
                return
            await asyncio.sleep(_UNTIL_STORAGE)

    async def _unless_stopped(self, work: Coroutine[None, None, None]) -> bool:
        """Do the work, or give it up when the host is to stop. Return whether it was done."""
        task, ended = asyncio.create_task(work), asyncio.create_task(self._stopped.wait())
        await asyncio.wait({task, ended}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not task.done():
            task.cancel()
            return False
        await task
        return True

    def _wake_all(self) -> None:
        for trigger in self._queues.values():
            trigger.poll_soon()

    def _wake(self, queue: str) -> None:
        if queue in self._queues:
            self._queues[queue].poll_soon()

    def _expect(self, queue: str, seconds: float) -> None:
        if queue in self._queues:
            self._queues[queue].expect(seconds)

    def _fail(self, reason: str) -> None:
        """Stop, as Microsoft's host does after an unhandled error."""
        if not self._stopped.is_set():
            _log.error("An unhandled exception has occurred. Host is shutting down. %s", reason)
            self._exit_code = STOPPED_ITSELF
            self._stopped.set()

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.add_routes(
            [
                web.post("/_sim/timer/{name}", self._fire),
                web.post("/_sim/clock", self._set_clock),
                web.get("/_sim/queues", self._count_queues),
                web.get(r"/_sim/idle/{seconds:\d+(?:\.\d+)?}", self._wait_until_idle),
                web.get("/_sim/functions", self._list_functions),
                web.get("/_sim/workers", self._list_workers),
                web.get("/_sim/keys", self._list_keys),
                web.get("/_sim/telemetry", self._show_telemetry),
                web.delete("/_sim/telemetry", self._clear_telemetry),
            ]
        )
        # A path may hold any character, even encoded line breaks.
        app.router.add_route("*", "/{path:(?s:.*)}", self._http.serve)
        return app

    async def _fire(self, http: web.Request) -> web.Response:
        name = http.match_info["name"]
        timer = self._timers.get(name)
        if timer is None:
            return _json({"error": "no such timer", "timers": sorted(self._timers)}, 404)
        return _json({"function": name, "ok": await timer.fire()})

    async def _set_clock(self, http: web.Request) -> web.Response:
        try:
            wanted = orjson.loads(await http.read())["now"]
            moment = datetime.fromisoformat(wanted) if wanted is not None else None
        except (KeyError, TypeError, ValueError) as error:
            return _json({"error": f"send {{'now': ISO time or null}}: {error}"}, 400)
        if moment is not None and moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        self._clock.set(moment)
        self._workers.set_clock(self._clock.offset.total_seconds())
        return _json({"now": self._clock.now()})

    async def _count_queues(self, http: web.Request) -> web.Response:
        del http
        return _json(await count(self._storage, self._polled))

    async def _wait_until_idle(self, http: web.Request) -> web.Response:
        seconds = float(http.match_info["seconds"])
        idle, found = await until_idle(self._storage, self._polled, seconds)
        return _json({"idle": idle, "queues": found})

    async def _list_functions(self, http: web.Request) -> web.Response:
        del http
        return _json([function.as_json() for function in self._functions])

    async def _list_workers(self, http: web.Request) -> web.Response:
        del http
        return _json(self._workers.processes())

    async def _list_keys(self, http: web.Request) -> web.Response:
        del http
        return _json(self._http.keys)

    async def _show_telemetry(self, http: web.Request) -> web.Response:
        del http
        body = self._told.as_json(await self._workers.metrics())
        return web.Response(body=body, content_type="application/json")

    async def _clear_telemetry(self, http: web.Request) -> web.Response:
        del http
        await self._workers.metrics()
        self._told.clear()
        return web.Response(status=204)

    @property
    def _polled(self) -> list[QueueTrigger]:
        return list(self._queues.values())


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


async def _main(port: int, folder: Path) -> int:
    # Clients belong to the running loop, so they are created inside it.
    speed = host_settings(folder, os.environ).speed
    async with Storage(os.environ[_STORAGE], speed) as storage:
        return await Host(folder, port, storage).run()


if __name__ == "__main__":
    log_to_stderr()
    try:
        sys.exit(asyncio.run(_main(int(sys.argv[1]), Path(*sys.argv[2:3]).resolve())))
    except WorkerLost as error:
        sys.exit(str(error))
