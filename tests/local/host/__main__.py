"""The host's process: serves HTTP, polls queues, fires timers, until SIGTERM.

`python -m tests.local.host PORT` runs the app of the working folder with the settings of its
environment. `/_sim` controls it: fire a timer, move the app's clock, look at the queues.
"""

import asyncio
import inspect
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import azure.functions as func
import orjson
from aiohttp import web
from azure.core.exceptions import AzureError
from azure.storage.queue.aio import QueueServiceClient
from croniter import croniter

from shared import wiring
from tests.local.host.functions import Function, host_settings, load
from tests.local.host.http import HttpTriggers
from tests.local.host.queues import QueueTrigger, counts

_log = logging.getLogger("host")
_LARGEST_BODY = 100 * 1024 * 1024


class Clock:
    """The app's clock: the machine's, moved by what `/_sim/clock` says, and always going on."""

    def __init__(self) -> None:
        self._offset = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._offset

    def set(self, to: datetime | None) -> None:
        self._offset = to - datetime.now(UTC) if to is not None else timedelta()


class Host:
    """One functions host."""

    def __init__(self, folder: Path) -> None:
        self.settings = host_settings(folder, os.environ)
        self.functions = load(folder)
        self.clock = Clock()
        self.http = HttpTriggers(self.functions, self.settings.route_prefix)
        self._queues = QueueServiceClient.from_connection_string(
            os.environ["AzureWebJobsStorage"],  # noqa: SIM112 - the name Azure gives it
            retry_total=1,
        )
        self.triggers = [
            QueueTrigger(f, self._queues, self.settings)
            for f in self.functions
            if f.kind.lower() == "queuetrigger"
        ]
        self._timers = {f.name: f for f in self.functions if f.kind.lower() == "timertrigger"}

    async def run(self, port: int) -> None:
        """Serve until a signal comes."""
        wiring.use_clock(self.clock.now)
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        work = [asyncio.create_task(_for_ever(trigger.poll)) for trigger in self.triggers]
        work += [asyncio.create_task(self._tick(timer)) for timer in self._timers.values()]
        await stopped.wait()
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        for trigger in self.triggers:
            await trigger.stop()
        await runner.cleanup()
        await wiring.close()
        await self._queues.close()

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.add_routes(
            [
                web.post("/_sim/timer/{name}", self._fire_now),
                web.post("/_sim/clock", self._set_clock),
                web.get("/_sim/queues", self._count_queues),
                web.get("/_sim/functions", self._list_functions),
            ]
        )
        app.router.add_route("*", "/{path:.*}", self.http.serve)
        return app

    async def _fire_now(self, http: web.Request) -> web.Response:
        timer = self._timers.get(http.match_info["name"])
        if timer is None:
            return _json({"error": "no such timer", "timers": sorted(self._timers)}, 404)
        return _json({"function": timer.name, "ok": await self._fire(timer)})

    async def _set_clock(self, http: web.Request) -> web.Response:
        wanted = orjson.loads(await http.read()).get("now")
        moment = datetime.fromisoformat(wanted) if wanted else None
        if moment is not None and moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        self.clock.set(moment)
        return _json({"now": self.clock.now()})

    async def _count_queues(self, http: web.Request) -> web.Response:
        del http
        return _json(await counts(self._queues, self.triggers))

    async def _list_functions(self, http: web.Request) -> web.Response:
        del http
        return _json([function.as_json() for function in self.functions])

    async def _tick(self, timer: Function) -> None:
        """Fire a timer by its NCRONTAB expression (six fields, seconds first, UTC)."""
        schedule = str(timer.trigger["schedule"])
        while True:
            now = datetime.now(UTC)
            following = croniter(schedule, now, second_at_beginning=True).get_next(datetime)
            await asyncio.sleep((following - now).total_seconds())
            await self._fire(timer)

    async def _fire(self, timer: Function) -> bool:
        parameter = next(iter(inspect.signature(timer.call).parameters))
        request = func.TimerRequest(past_due=False)
        try:
            await timer.call(**{parameter: request})
        except Exception:  # noqa: BLE001 - a function may raise anything
            _log.exception("%s failed", timer.name)
            return False
        return True


async def _for_ever(work: Callable[[], Awaitable[None]]) -> None:
    """Start a poller again when storage was away even as it began."""
    while True:
        try:
            await work()
        except AzureError as error:
            _log.warning("a queue cannot be polled: %s", type(error).__name__)
            await asyncio.sleep(1.0)


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


if __name__ == "__main__":
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("azure").setLevel(logging.WARNING)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    asyncio.run(Host(Path.cwd()).run(int(sys.argv[1])))
