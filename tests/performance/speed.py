"""Times, as ratios within one run: against Outlook's limit, against size, against the packages."""

import asyncio
import gc
import json
import logging
import os
import statistics
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from typing import Any

import httpx
import orjson
from aiohttp import web
from httpx_aiohttp import AiohttpTransport

from shared.adapters.storage.snapshots import Job, Snapshots
from shared.domain.contacts.fields import Contact, fingerprint
from shared.domain.contacts.known import Change, Known, observe
from shared.domain.contacts.plan import make_plan
from shared.domain.importing.imports import Import, Targets
from tests.performance.engine import Engine, people

FILL, LATENCY = 600, 0.080
SMALL, LARGE = 1_000, 50_000
LOOP = 5_000
_CURVE = (100, 1_000, 5_000, 20_000, 50_000)
_SLOW = 0.1


async def fill_limit(engine: Engine) -> dict[str, Any]:
    """A first fill's time against what four requests at once allow, the better of two."""
    await engine.client.latency(LATENCY * 1000)
    try:
        seconds = [(await (await engine.box()).sync(people(FILL))).seconds for _ in range(2)]
    finally:
        await engine.client.latency(0)
    return {"fill_limit_ratio": round(min(seconds) / (FILL / 4 * LATENCY), 3)}


def _decide(contacts: int) -> None:
    """All decisions of a daily sync: hashing, the fingerprint, observing and planning."""
    share = {c.key: c for c in people(contacts, contacts // 100)}
    fingerprint(share.values())
    known = {
        key: Known(f"id{key}", c.hash if n % 50 else "old", c.seen, c.mask)
        for n, (key, c) in enumerate(share.items())
    }
    changes = [Change(f"id{key}", c.fields) for key, c in list(share.items())[::20]]
    known, surplus = observe(known, changes, {}, share, complete=False)
    make_plan(share, known, surplus)


def per_contact() -> dict[str, Any]:
    """The cost of a decision per contact at 50,000 against 1,000; the median of five.

    The collector is off meanwhile, as its pauses depend on what else is in the process; a worker
    meets the same pauses at any size.
    """

    def seconds(size: int, times: int) -> float:
        started = time.process_time()
        for _ in range(times):
            _decide(size)
        return (time.process_time() - started) / (size * times)

    _decide(SMALL)
    gc.collect()
    gc.disable()
    try:
        small = statistics.median(seconds(SMALL, 20) for _ in range(5))
        large = statistics.median(seconds(LARGE, 1) for _ in range(5))
        curve = {str(n): round(seconds(n, max(1, 20_000 // n)) * 1e6, 2) for n in _CURVE}
    finally:
        gc.enable()
    return {"per_contact_ratio": round(large / small, 3), "per_contact_microseconds": curve}


async def event_loop(engine: Engine) -> dict[str, Any]:
    """Callbacks over 100 ms in a fill and a change of 5,000 contacts, in asyncio's debug mode."""
    found: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.getMessage()[-60:])

    loop, collector, logger = asyncio.get_running_loop(), Collector(), logging.getLogger("asyncio")
    box = await engine.box()
    share, changed = people(LOOP), people(LOOP, LOOP // 2)
    logger.addHandler(collector)
    loop.set_debug(True)
    loop.slow_callback_duration = _SLOW
    try:
        for contacts in (share, share, changed):
            await box.sync(contacts)
    finally:
        loop.set_debug(False)
        logger.removeHandler(collector)
    slow = [line for line in found if " took " in line]
    return {"slow_callbacks": len(slow), "slow_callbacks_seen": slow[:5]}


_MEMORY = """
import asyncio, json, resource, sys
from azure.data.tables.aio import TableServiceClient
from shared.adapters.storage.snapshots import Job, Snapshots
from shared.domain.importing.imports import Import, Targets
from shared.adapters.storage.tables.client import Tables

def rss():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 2**20

async def main():
    async with TableServiceClient.from_connection_string(sys.argv[1]) as service:
        snapshots = Snapshots(Tables(service))
        await snapshots.read("none")
        before = rss()
        found = await snapshots.read(sys.argv[2])
        print(json.dumps([len(found), rss() - before]))

asyncio.run(main())
"""


async def memory(engine: Engine, storage: str) -> dict[str, Any]:
    """What a share of 50,000 contacts takes in a worker that has loaded it."""
    now = engine.app.clock()
    targets = Targets(users=["00000000-0000-4000-8000-000000000001"])
    import_ = Import(
        id="bench", name="Bench", share_id="bench1234", targets=targets, created=now, changed=now
    )
    job = Job(import_)
    await Snapshots(engine.app.base.store.tables).write("bench", people(LARGE), job)
    count, megabytes = json.loads(await asyncio.to_thread(_python, _MEMORY, storage, "bench"))
    if count != LARGE:
        raise AssertionError(f"{count} contacts were loaded")
    return {"memory_mb": round(megabytes, 1)}


_PACKAGES = """
import azure.functions, azure.data.tables.aio, azure.storage.queue.aio, azure.identity.aio
import msgraph_core, msgraph.graph_request_adapter
import kiota_authentication_azure.azure_identity_authentication_provider
"""


_FIRST_SYNC = """
import asyncio, os, sys
import function_app
from shared.wiring import app as wiring
from shared.domain.importing.messages import SyncMailbox, parse

async def main():
    await wiring.app().sync.mailbox_sync.run(parse(SyncMailbox, sys.argv[1].encode()))
    await wiring.close()

asyncio.run(main())
"""


async def cold_start(engine: Engine, environment: dict[str, str]) -> dict[str, Any]:
    """Importing the app against importing Microsoft's packages alone; the median of five.

    Then a whole new process up to the end of its first sync (50 contacts into a new mailbox),
    against importing the app in a new process.
    """

    def timed(code: str) -> float:
        lines = ("import time", "t = time.perf_counter()", code, "print(time.perf_counter() - t)")
        return float(_python("\n".join(lines)))

    def median(code: str) -> float:
        timed(code)
        return statistics.median(timed(code) for _ in range(5))

    def process(code: str, *arguments: str) -> float:
        started = time.perf_counter()
        _python(code, *arguments, environment=environment)
        return time.perf_counter() - started

    messages = [
        (await (await engine.box()).message(people(50))).model_dump_json() for _ in range(3)
    ]
    first = [await asyncio.to_thread(process, _FIRST_SYNC, message) for message in messages]
    imported = [await asyncio.to_thread(process, "import function_app") for _ in messages]
    packages, app = median(_PACKAGES), median("import function_app")
    return {
        "cold_start": {
            "import_ratio": round(app / packages, 3),
            "first_sync_ratio": round(min(first) / min(imported), 3),
        }
    }


def _python(code: str, *arguments: str, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", code, *arguments],
        check=True,
        capture_output=True,
        text=True,
        # Compiled files are kept, as they are in Azure.
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "", **(environment or {})},
    )
    return done.stdout.strip()


def libraries() -> dict[str, Any]:
    """What our choice of libraries saves, on a snapshot of 5,000 contacts."""
    rows = [[c.key, c.fields] for c in people(LOOP)]
    raw = orjson.dumps(rows)

    def seconds(work: Callable[[], object]) -> float:
        gc.collect()
        gc.disable()
        started = time.process_time()
        for _ in range(5):
            work()
        gc.enable()
        return time.process_time() - started

    standard = seconds(lambda: json.loads(json.dumps(rows)))
    ours = seconds(lambda: orjson.loads(orjson.dumps(rows)))
    level1, level6 = (seconds(lambda n=n: zlib.compress(raw, n)) for n in (1, 6))  # type: ignore[misc]
    eager = seconds(lambda: [Contact.of(key, fields) for key, fields in orjson.loads(raw)])
    share = people(LOOP)
    packed = orjson.dumps([[c.key, c.packed.decode(), c.hash, c.seen, c.mask] for c in share])
    lazy = seconds(lambda: [Contact(k, p.encode(), *r) for k, p, *r in orjson.loads(packed)])
    return {
        "json_to_orjson_time": round(standard / ours, 2),
        "zlib_6_to_1_time": round(level6 / level1, 2),
        "zlib_1_to_6_bytes": round(len(zlib.compress(raw, 1)) / len(zlib.compress(raw, 6)), 2),
        "unpacked_to_packed_contacts_time": round(eager / lazy, 2),
    }


async def transports() -> dict[str, Any]:
    """CPU of a request over httpcore against aiohttp, 24 at once, the answering server included."""

    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"value": []})

    server = web.Application()
    server.router.add_get("/", answer)
    runner = web.AppRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    cpu: list[float] = []
    for transport in (httpx.AsyncHTTPTransport(), AiohttpTransport()):
        async with httpx.AsyncClient(transport=transport) as client:

            async def ask(client: httpx.AsyncClient = client) -> None:
                for _ in range(40):
                    await client.get(f"http://127.0.0.1:{port}/")

            await ask()
            started = time.process_time()
            await asyncio.gather(*(ask() for _ in range(24)))
            cpu.append(time.process_time() - started)
    await runner.cleanup()
    return {"httpcore_to_aiohttp_time": round(cpu[0] / cpu[1], 2)}
