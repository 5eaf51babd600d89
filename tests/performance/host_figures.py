"""The local host in real time, figure by figure beside Microsoft's, in about twelve minutes.

`make test-host` prints the table and fails if a figure is outside what was measured beside
Microsoft's WebJobs SDK (Extensions.Storage.Queues 5.3.10). Three clouds run side by side: one that
is left alone, one that is killed, one whose storage refuses.
"""

import asyncio
import re
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from azure.storage.queue.aio import QueueServiceClient

from tests.integration.simulators.proxy import Proxy
from tests.integration.simulators.small import peek, seen, send, small_cloud
from tests.local.cloud import LocalCloud

_QUEUES = "AzureFunctionsJobHost__extensions__queues__"
_REAL = {
    "LOCAL_HOST_SPEED": "1",
    "AzureFunctionsJobHost__functionTimeout": "00:10:00",
    f"{_QUEUES}batchSize": "16",
    f"{_QUEUES}newBatchThreshold": "8",
    f"{_QUEUES}maxDequeueCount": "5",
    f"{_QUEUES}visibilityTimeout": "00:00:30",
    f"{_QUEUES}maxPollingInterval": "00:00:05",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: what Microsoft's host does, and ours with the range that is accepted."""

    what: str
    microsoft: str
    ours: tuple[float, ...]
    least: tuple[float, ...]
    most: tuple[float, ...]

    @property
    def fine(self) -> bool:
        """Whether each value is within its range."""
        ranges = zip(self.ours, self.least, self.most, strict=False)
        return len(self.ours) == len(self.least) and all(a <= o <= b for o, a, b in ranges)


def one(what: str, microsoft: str, ours: float, least: float, most: float) -> Figure:
    return Figure(what, microsoft, (ours,), (least,), (most,))


async def wait(ready: Callable[[], Awaitable[Any]], seconds: float) -> Any:
    """Ask each quarter of a second until there is an answer, or return None."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := await ready():
            return found
        await asyncio.sleep(0.25)
    return None


async def runs(cloud: LocalCloud, text: str, count: int, seconds: float) -> list[dict[str, Any]]:
    """The runs of a message, once there are `count`."""

    async def ready() -> list[dict[str, Any]] | None:
        found = await seen(cloud, text.replace(" ", "%20"))
        return found if len(found) >= count else None

    return await wait(ready, seconds) or []


def requests(proxy: Proxy, method: str, pattern: str) -> list[float]:
    """When requests that match were made."""
    return [at for at, asked, path, _ in proxy.seen if asked == method and re.search(pattern, path)]


async def polls(cloud: LocalCloud, proxy: Proxy) -> list[Figure]:
    await asyncio.sleep(15)
    await send(cloud, "bytes", "wake")
    await asyncio.sleep(20)
    path = "/bytes/messages.*numofmessages=16.*visibilitytimeout=600"
    asked = requests(proxy, "GET", path)
    pauses = [b - a for a, b in pairwise(asked)]
    # The fetch that brought the message is followed by another at once, then the pauses grow.
    at_once = min(range(3, len(pauses)), key=lambda n: pauses[n])
    service = QueueServiceClient.from_connection_string(cloud.addresses["storage"])
    async with service:
        sent = time.time()
        client = service.get_queue_client("work")
        await client.send_message("ZGVsYXllZA==", visibility_timeout=7)
    (delayed,) = await runs(cloud, "delayed", 1, 20) or [{"at": 0.0}]
    return [
        Figure(
            "pauses of an idle queue, s",
            "0.13 0.23 0.33 0.5 0.9 1.7 3.2 5 (+-20 %)",
            tuple(round(pause, 2) for pause in pauses[at_once + 1 : at_once + 9]),
            (0.09, 0.16, 0.24, 0.4, 0.7, 1.3, 2.6, 4.9),
            (0.3, 0.4, 0.5, 0.8, 1.3, 2.4, 4.4, 5.5),
        ),
        one("message with a delay of 7 s began after, s", "11.8", delayed["at"] - sent, 7, 12.8),
    ]


async def peaks(cloud: LocalCloud) -> list[Figure]:
    await send(cloud, "work", *(f"sleep {2 + n % 5}" for n in range(100)))
    at_once = 0
    until = time.monotonic() + 20
    while time.monotonic() < until:
        at_once = max(at_once, (await cloud.client.queues())["work"]["running"])
        await asyncio.sleep(0.1)
    await cloud.client.settle(120)
    return [one("most messages of a queue at once", "24", at_once, 20, 24)]


async def failures(cloud: LocalCloud) -> list[Figure]:
    await send(cloud, "work", "fail me")
    found = await runs(cloud, "fail me", 5, 200)
    begun = [run["at"] - found[0]["at"] for run in found]

    async def moved() -> bool:
        return "ZmFpbCBtZQ==" in await peek(cloud, "work-poison")

    await wait(moved, 10)
    return [
        Figure(
            "tries of a failing message, s",
            "0 33.7 66.4 98.9 131.2",
            tuple(round(at, 1) for at in begun),
            (0, 30, 60, 90, 120),
            (0, 36, 72, 108, 144),
        ),
        Figure(
            "dequeue counts", "1 2 3 4 5",
            tuple(run["dequeue_count"] for run in found), (1, 2, 3, 4, 5), (1, 2, 3, 4, 5),
        ),
    ]  # fmt: skip


async def renewal(cloud: LocalCloud, proxy: Proxy) -> list[Figure]:
    await send(cloud, "work", "sleep 310")
    (run,) = await runs(cloud, "sleep 310", 1, 20)
    begun = time.monotonic() - (time.time() - run["at"])
    await asyncio.sleep(320)
    at = requests(proxy, "PUT", "/work/messages.*visibilitytimeout=600")
    return [one("a running message is renewed after, s", "300", (at or [0])[0] - begun, 298, 304)]


async def poison(cloud: LocalCloud) -> list[Figure]:
    begun = time.monotonic()
    await send(cloud, "sour-poison", "fail again")

    async def again() -> bool:
        return len(await seen(cloud, "poison")) > 1

    await wait(again, 630)
    return [
        one("failed poison message runs again, s", "600", time.monotonic() - begun, 600, 607),
    ]


async def alone(folder: Path) -> list[Figure]:
    cloud = small_cloud(folder, **_REAL)
    async with Proxy.before_queues(cloud) as proxy, cloud:
        found = await polls(cloud, proxy) + await peaks(cloud)
        parts = await asyncio.gather(failures(cloud), renewal(cloud, proxy))
        return found + [figure for part in parts for figure in part]


async def limited(folder: Path) -> list[Figure]:
    settings = {**_REAL, "AzureFunctionsJobHost__functionTimeout": "00:05:00"}
    async with small_cloud(folder, **settings) as cloud:
        await send(cloud, "work", "stay limit", "sleep 900")
        (first, *_) = await runs(cloud, "stay limit", 1, 20)

        async def again() -> list[Any] | None:
            return [r for r in await seen(cloud, "stay%20limit") if r["dequeue_count"] == 2]

        back = await wait(again, 400)
        found = await runs(cloud, "sleep 900", 1, 20)
        return [
            one(
                "after functionTimeout of 300 s a message runs again, s",
                "330-335", back[0]["at"] - first["at"] if back else 0, 330, 345,
            ),
            one("its neighbor's dequeue count then", "2", found[0]["dequeue_count"], 2, 2),
            one("runs of `finally`", "0", float((folder / "stay limit").exists()), 0, 0),
        ]  # fmt: skip


async def killed(folder: Path) -> list[Figure]:
    async with small_cloud(folder, **_REAL) as cloud:
        found: list[Figure] = []
        begun: dict[str, float] = {}
        for text, number in (("stay term", signal.SIGTERM), ("stay kill", signal.SIGKILL)):
            await send(cloud, "work", text)
            (run,) = await runs(cloud, text, 1, 20)
            begun[text] = run["at"]
            stopping = time.monotonic()
            await cloud.stop_host(number)
            if number == signal.SIGTERM:
                seconds = time.monotonic() - stopping
                found.append(one("a stop waits for running functions, s", "10", seconds, 10, 12))
            await cloud.start_host()
        # A failing function of a poison queue, meanwhile.
        found += await poison(cloud)
        for text, at in begun.items():
            (run,) = await runs(cloud, text, 1, 60)
            what = f"message of a host stopped by {text.removeprefix('stay ')} runs again, s"
            found.append(one(what, "600.7", run["at"] - at, 599, 607))
            found.append(one("with the dequeue count", "2", run["dequeue_count"], 2, 2))
        return found


async def refused(folder: Path) -> list[Figure]:
    cloud = small_cloud(folder, **_REAL)
    async with Proxy.before_queues(cloud) as proxy, cloud:
        found: list[Figure] = []
        cases = (("GET", 403, "at once", 0.0, 1.0), ("DELETE", 500, "23-27", 19.8, 31.0))
        for method, status, microsoft, least, most in cases:
            host = cloud.host_process
            begun: list[float] = []

            def refuse(asked: str, path: str, wanted: tuple[str, int] = (method, status)) -> Any:
                if asked != wanted[0] or "/work/messages" not in path:
                    return None
                begun.append(time.monotonic())  # noqa: B023 - called within this turn
                return wanted[1]

            proxy.refuse = refuse
            await send(cloud, "work", f"refused {method}")
            await wait(partial(_changed, cloud, host), 60)
            seconds = time.monotonic() - begun[0]
            proxy.refuse = lambda _method, _path: None
            what = f"{status} on {method} stops the host after, s (tries: {len(begun)})"
            found.append(one(what, microsoft, seconds, least, most + 2))
            await cloud.wait_for_host()
        return [*found, *await timers(cloud, folder)]


async def _changed(cloud: LocalCloud, host: int | None) -> bool:
    return cloud.host_process != host


async def timers(cloud: LocalCloud, folder: Path) -> list[Figure]:
    trace = folder / "lengthy"

    async def ticks(count: int) -> float:
        async def ready() -> bool:
            return trace.exists() and len(trace.read_text("utf-8").split()) >= count

        if not await wait(ready, 120):
            raise TimeoutError
        return time.monotonic()

    await asyncio.sleep(5)  # until the timers run
    await cloud.client.clock("2020-05-06T04:59:58Z")
    await ticks(1)
    await asyncio.sleep(2)
    await cloud.stop_host()
    await cloud.start_host()
    await ticks(2)
    await cloud.stop_host(signal.SIGKILL)
    begun = time.monotonic()
    await cloud.start_host()
    again = await ticks(3) - begun
    words = trace.read_text("utf-8").split()
    return [
        one("killed tick runs again, s", "61", again, 60, 75),
        Figure(
            "past due: on time, missed, killed", "0 1 1",
            tuple(float(word == "True") for word in words), (0, 1, 1), (0, 1, 1),
        ),
    ]  # fmt: skip


async def main() -> int:
    """Measure, print the table, and return the exit code."""
    with tempfile.TemporaryDirectory() as root:
        parts = []
        for work in (alone, limited, killed, refused):
            folder = Path(root) / work.__name__
            folder.mkdir()
            parts.append(work(folder))
        ended = await asyncio.gather(*parts, return_exceptions=True)
    figures = [figure for part in ended if not isinstance(part, BaseException) for figure in part]
    broken = [part for part in ended if isinstance(part, BaseException)]
    for figure in figures:
        ours = " ".join(f"{value:g}" for value in (round(v, 2) for v in figure.ours))
        mark = "ok " if figure.fine else "BAD"
        print(f"{mark} {figure.what}: Microsoft {figure.microsoft}, here {ours}")
    for error in broken:
        print(f"BAD a part did not end: {error!r}")
    return 0 if not broken and all(figure.fine for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
