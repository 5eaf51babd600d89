"""The local host fails as Microsoft's host does: kills, stops, poison and timers."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from azure.storage.queue.aio import QueueServiceClient

from tests.integration.simulators.proxy import Proxy
from tests.integration.simulators.small import peek, seen, send, small_cloud, until
from tests.local.cloud import LocalCloud

_HOLD = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("failures")


@pytest.fixture(scope="module")
async def made(folder: Path) -> AsyncIterator[tuple[LocalCloud, Proxy]]:
    cloud = small_cloud(
        folder,
        LOCAL_HOST_HELD_FOR=str(_HOLD),
        AzureFunctionsJobHost__functionTimeout="00:00:30",
    )
    async with Proxy.before_queues(cloud) as proxy, cloud:
        yield cloud, proxy


@pytest.fixture
def small(made: tuple[LocalCloud, Proxy]) -> LocalCloud:
    return made[0]


@pytest.fixture
def proxy(made: tuple[LocalCloud, Proxy]) -> Proxy:
    return made[1]


async def eventually(holds: Callable[[], bool]) -> None:
    for _ in range(200):
        if holds():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come true")


async def tries(small: LocalCloud, text: str) -> list[int]:
    return [message["dequeue_count"] for message in await seen(small, text.replace(" ", "%20"))]


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


async def test_time_limit_kills_the_worker_and_costs_its_neighbors_a_try(
    small: LocalCloud, folder: Path
) -> None:
    (before,) = (await small.client.workers()).values()
    await send(small, "work", "stay a", "stay b")
    await small.client.settle()

    assert not alive(before)
    assert await tries(small, "stay a") == [2], "the new worker got it for the second time"
    assert await tries(small, "stay b") == [2]
    assert not (folder / "stay a").exists(), "no finally ran"


async def test_worker_that_crashes_fails_what_it_ran(small: LocalCloud) -> None:
    await send(small, "work", "crash now")
    await until(lambda c: c["work"]["poison"] == 1 and not c["work"]["invisible"], small.client)

    assert "The worker ended (3)" in (small.logs / "host.log").read_text("utf-8")


async def test_third_worker_that_ends_by_itself_stops_the_host(small: LocalCloud) -> None:
    await small.stop_host()
    await small.start_host()
    host = small.host_process
    killed: set[int] = set()
    for _ in range(3):
        workers = (await small.client.workers()).values()
        for worker in set(workers) - killed:
            os.kill(worker, signal.SIGKILL)
            killed.add(worker)
        await asyncio.sleep(0.2)
        if small.host_process == host and len(killed) < 3:
            await small.wait_for_host()

    await eventually(lambda: small.host_process != host)
    await small.wait_for_host()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_message_of_a_stopped_host_stays_hidden_and_costs_a_try(
    small: LocalCloud, folder: Path, number: signal.Signals
) -> None:
    text = f"stay {number.name}"
    (worker,) = (await small.client.workers()).values()
    await send(small, "work", text)
    await until(lambda c: c["work"]["running"] == 1, small.client)
    stopping = time.monotonic()
    await small.stop_host(number)
    stopped = time.monotonic()
    await eventually(lambda: not alive(worker))
    await small.start_host()
    await small.client.settle()

    assert stopped - stopping < 3
    assert time.monotonic() - stopping > _HOLD - 1.5
    assert await tries(small, text) == [2]
    assert not (folder / text).exists(), "no finally ran"


async def test_failing_poison_function_runs_again_after_the_hold(small: LocalCloud) -> None:
    await send(small, "sour-poison", "fail again")
    await send(small, "sour-poison", "not base64!", encoded=False)
    log = small.logs / "host.log"
    # What is not base64 is logged with each fetch, and never run.
    await eventually(lambda: log.read_text("utf-8").count("is not base64") > 1)

    assert set(await seen(small, "poison")) == {"fail again"}
    assert log.read_text("utf-8").count("handle_poison failed") > 1


async def test_bytes_reach_only_a_function_that_takes_bytes(small: LocalCloud) -> None:
    await send(small, "work", "//4=", encoded=False)
    await send(small, "bytes", "//4=", encoded=False)
    await send(small, "bytes", " aG\r\nk= ", encoded=False)
    await until(lambda c: c["work"]["poison"] > 0 and not c["work"]["invisible"], small.client)
    await small.client.settle()

    assert "//4=" in await peek(small, "work-poison")
    assert await seen(small, "bytes") == ["fffe", "6869"]


async def test_missing_queue_is_not_created_and_served_as_soon_as_it_exists(
    small: LocalCloud,
) -> None:
    async with QueueServiceClient.from_connection_string(small.addresses["storage"]) as service:
        await service.delete_queue("bytes")
        await asyncio.sleep(1.2)
        names = [queue.name async for queue in service.list_queues()]
        await service.create_queue("bytes")
    before = len(await seen(small, "bytes"))
    await send(small, "bytes", "back")
    await small.client.settle()

    assert "bytes" not in names
    assert len(await seen(small, "bytes")) == before + 1


@pytest.mark.parametrize(
    ("method", "status"), [("GET", 403), ("DELETE", 500)], ids=["receive", "delete"]
)
async def test_storage_that_refuses_stops_the_host_which_is_started_again(
    small: LocalCloud, proxy: Proxy, method: str, status: int
) -> None:
    host = small.host_process
    refused = 0

    def refuse(asked: str, path: str) -> int | None:
        nonlocal refused
        if asked != method or "/work/messages" not in path:
            return None
        refused += 1
        return status

    proxy.refuse = refuse
    await send(small, "work", f"after {method}")
    await eventually(lambda: small.host_process != host)
    proxy.refuse = lambda _method, _path: None
    await small.wait_for_host()
    await small.client.settle()

    assert refused == (1 if status == 403 else 6)
    assert await tries(small, f"after {method}") == [1 if status == 403 else 2]
    assert "Host is shutting down" in (small.logs / "host.log").read_text("utf-8")


async def test_overloaded_storage_does_not_stop_the_host(small: LocalCloud, proxy: Proxy) -> None:
    host = small.host_process
    proxy.refuse = lambda method, path: 503 if method == "GET" and "/work/me" in path else None
    await send(small, "work", "patient")
    await asyncio.sleep(2)
    proxy.refuse = lambda _method, _path: None
    await small.client.settle()

    assert small.host_process == host
    assert await tries(small, "patient") == [1]


async def test_missed_tick_fires_once_and_a_killed_one_again(
    small: LocalCloud, folder: Path
) -> None:
    trace = folder / "lengthy"

    def ticks() -> list[str]:
        return trace.read_text("utf-8").split() if trace.exists() else []

    await small.client.clock("2020-05-06T04:59:59.900Z")
    await eventually(lambda: len(ticks()) == 1)
    await asyncio.sleep(1.5)
    await small.stop_host()
    await small.start_host()
    await eventually(lambda: len(ticks()) == 2)
    await small.stop_host(signal.SIGKILL)
    await small.start_host()
    await eventually(lambda: len(ticks()) == 3)
    await asyncio.sleep(1.5)
    await small.stop_host()
    await small.start_host()
    await asyncio.sleep(0.5)

    assert ticks() == ["False", "True", "True"], "thousands of missed ticks are one"


async def test_groups_of_functions_share_no_memory(small: LocalCloud) -> None:
    await small.stop_host()
    small.environment["LOCAL_HOST_GROUPS"] = "1"
    await small.start_host()
    await send(small, "work", "alone")
    await small.client.settle()

    assert await tries(small, "alone") == [], "the HTTP functions did not see it"
    assert set(await small.client.workers()) >= {"http", "work"}
