"""The host's process: serves HTTP, polls queues, fires timers, until SIGTERM.

`python -m tests.local.host PORT [FOLDER]` runs the app in a folder (by default the current one)
with the settings in its environment. `/_sim` controls it:

    POST /_sim/timer/{name}   fire a timer now
    POST /_sim/clock          {"now": ISO time or null}: set the app's clock, or reset it
    GET /_sim/queues          the messages waiting, invisible and poison, by queue
    GET /_sim/idle/{seconds}  the same, once all queues are empty or the time is over
    GET /_sim/functions       every function with its trigger
    GET /_sim/keys            the host's keys
    GET /_sim/telemetry       spans, logs (including events) and metrics; DELETE clears them
"""

import asyncio
import logging
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import orjson
from aiohttp import web
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.queue.aio import QueueServiceClient

from shared.wiring import app as wiring
from tests.local.host.functions import load
from tests.local.host.http import HttpTriggers
from tests.local.host.queues import QueueTrigger, counts, until_idle
from tests.local.host.settings import host_settings
from tests.local.host.telemetry import Telemetry
from tests.local.host.timers import Clock, TimerTrigger

_LARGEST_BODY = 100 * 1024 * 1024
_STORAGE = "AzureWebJobsStorage"


class Host:
    """One functions host."""

    def __init__(self, folder: Path, port: int) -> None:
        settings = host_settings(folder, os.environ)
        # App Service and Core Tools set it, so the app knows that it runs in a host.
        os.environ.setdefault("WEBSITE_HOSTNAME", f"localhost:{port}")
        self._telemetry = Telemetry(on=settings.open_telemetry)
        self.functions = load(folder, self._telemetry)
        self._port = port
        self.clock = Clock()
        self.http = HttpTriggers(self.functions, settings)
        # Retry storage quickly, since Azurite may start after this host.
        self._queues = QueueServiceClient.from_connection_string(
            os.environ[_STORAGE], retry_total=2, initial_backoff=1, random_jitter_range=0,
            # It would look for proxies and .netrc, in two threads, with each of its many polls.
            transport=AioHttpTransport(use_env_settings=False),
        )  # fmt: skip
        self.triggers = [
            QueueTrigger(f, self._queues, settings)
            for f in self.functions
            if f.kind == "queuetrigger"
        ]
        self._timers = {
            f.name: TimerTrigger(f, self.clock, settings)
            for f in self.functions
            if f.kind == "timertrigger"
        }

    async def run(self) -> None:
        """Serve until a signal comes, then give running functions a little time to end."""
        wiring.use_clock(self.clock.now)
        stopped = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        runner = web.AppRunner(self._application(), access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self._port).start()
        polls = [asyncio.create_task(trigger.poll(stopped)) for trigger in self.triggers]
        ticks = [asyncio.create_task(timer.tick()) for timer in self._timers.values()]
        await asyncio.wait(
            [asyncio.create_task(_set(stopped)), *polls, *ticks],
            return_when=asyncio.FIRST_COMPLETED,
        )
        stopped.set()
        for trigger in self.triggers:
            trigger.poll_soon()
        for task in ticks:
            task.cancel()
        ended = await asyncio.gather(*polls, *ticks, return_exceptions=True)
        await asyncio.gather(*(trigger.drain() for trigger in self.triggers))
        await runner.cleanup()
        await wiring.close()
        await self._queues.close()
        for error in ended:
            if isinstance(error, Exception):
                raise error

    def _application(self) -> web.Application:
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.add_routes(
            [
                web.post("/_sim/timer/{name}", self._fire),
                web.post("/_sim/clock", self._set_clock),
                web.get("/_sim/queues", self._count_queues),
                web.get(r"/_sim/idle/{seconds:\d+(?:\.\d+)?}", self._wait_until_idle),
                web.get("/_sim/functions", self._list_functions),
                web.get("/_sim/keys", self._list_keys),
                web.get("/_sim/telemetry", self._show_telemetry),
                web.delete("/_sim/telemetry", self._clear_telemetry),
            ]
        )
        # A path may hold any character, even encoded line breaks.
        app.router.add_route("*", "/{path:(?s:.*)}", self.http.serve)
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
        self.clock.set(moment)
        return _json({"now": self.clock.now()})

    async def _count_queues(self, http: web.Request) -> web.Response:
        del http
        return _json(await counts(self._queues, self.triggers))

    async def _wait_until_idle(self, http: web.Request) -> web.Response:
        seconds = float(http.match_info["seconds"])
        idle, found = await until_idle(self._queues, self.triggers, seconds)
        return _json({"idle": idle, "queues": found})

    async def _list_functions(self, http: web.Request) -> web.Response:
        del http
        return _json([function.as_json() for function in self.functions])

    async def _list_keys(self, http: web.Request) -> web.Response:
        del http
        return _json(self.http.keys)

    async def _show_telemetry(self, http: web.Request) -> web.Response:
        del http
        return _json(self._telemetry.as_json())

    async def _clear_telemetry(self, http: web.Request) -> web.Response:
        del http
        self._telemetry.clear()
        return web.Response(status=204)


async def _set(event: asyncio.Event) -> None:
    await event.wait()


def _json(body: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


async def _main(port: int, folder: Path) -> None:
    # Clients belong to the running loop, so the host is created inside it.
    await Host(folder, port).run()


if __name__ == "__main__":
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for noisy in ("azure", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    asyncio.run(_main(int(sys.argv[1]), Path(*sys.argv[2:3]).resolve()))
