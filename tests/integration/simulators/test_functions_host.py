"""The local functions host treats an app as Azure's host and worker do."""

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from azure.storage.queue.aio import QueueServiceClient

from tests.integration.simulators.small import get, peek, seen, send, small_cloud, until
from tests.local.cloud import LocalCloud
from tests.local.host.http import QUERY_LIMIT
from tests.local.host.settings import host_settings
from tests.local.host.timers import next_tick

GUID = "0f9e8d7c-6b5a-4c3d-8e2f-1a0b9c8d7e6f"


@pytest.fixture(scope="module")
async def small(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalCloud]:
    async with small_cloud(tmp_path_factory.mktemp("small")) as running:
        yield running


async def test_request_reaches_its_function_unchanged(small: LocalCloud) -> None:
    id_ = str(uuid4())
    url = f"{small.addresses['portal']}/api/Echo/{id_}/a%20b%2Fc?x=1&x=2&y="
    answer = await small.client.send("POST", url, headers={"X-Custom": "yes"}, raw=b"body")
    got = answer.expect(200).body

    assert got["method"] == "POST"
    assert got["headers"]["x-custom"] == "yes"
    assert got["params"] == {"x": "1,2", "y": ""}
    assert got["route"] == {"id": id_, "extra": "a b%2Fc"}
    assert got["body"] == "body"
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"/echo/{GUID}", 200),
        (f"/echo/{GUID}/", 200),
        ("/echo/not-a-guid", 404),
        ("/echo", 404),
        ("/nowhere", 404),
        ("/cookies", 202),
    ],
)
async def test_path_leads_to_a_function_or_404(small: LocalCloud, path: str, status: int) -> None:
    assert (await get(small, path)).status == status


async def test_longer_query_than_the_gateway_accepts_returns_404(small: LocalCloud) -> None:
    longest = "x=" + "1" * (QUERY_LIMIT - 2)

    assert (await get(small, f"/echo/{GUID}?{longest}")).status == 200
    assert (await get(small, f"/echo/{GUID}?{longest}1")).status == 404


async def test_unsupported_method_returns_404(small: LocalCloud) -> None:
    url = f"{small.addresses['portal']}/api/health"
    assert (await small.client.send("DELETE", url)).status == 404


async def test_literal_path_takes_precedence_over_a_parameter(small: LocalCloud) -> None:
    assert (await get(small, "/things/special")).body == {"special": "GET"}
    assert (await get(small, "/things/other")).body == {"thing": "other"}


async def test_disabled_homepage_returns_204(small: LocalCloud) -> None:
    assert (await small.client.send("GET", f"{small.addresses['portal']}/")).status == 204


async def test_every_cookie_of_a_response_is_set(small: LocalCloud) -> None:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", int(small.addresses["portal"].rsplit(":", 1)[1])
    )
    writer.write(b"GET /api/cookies HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()

    assert "Set-Cookie: one=1; HttpOnly; Path=/" in answer
    assert "Set-Cookie: two=2; SameSite=Strict" in answer
    assert "content-type: text/html; charset=utf-8" in answer.lower()


async def test_function_that_raises_returns_500_and_is_logged_by_name(
    small: LocalCloud,
) -> None:
    assert (await get(small, "/broken")).status == 500
    assert (await get(small, "/health")).status == 200
    assert "broken failed (invocation " in (small.logs / "host.log").read_text("utf-8")


async def test_function_that_takes_too_long_returns_500(small: LocalCloud) -> None:
    assert (await get(small, "/endless")).status == 500


async def test_sync_function_runs_in_a_thread_and_gets_its_context(
    small: LocalCloud,
) -> None:
    got = (await get(small, "/blocking")).body

    assert got["function"] == "blocking"
    assert got["invocation"]
    assert not got["main thread"]


async def test_function_with_a_key_requires_it(small: LocalCloud) -> None:
    keys = (await small.client.send("GET", f"{small.client.host}/_sim/keys")).body

    assert (await get(small, "/keyed")).status == 401
    assert (await get(small, "/keyed", **{"x-functions-key": "wrong"})).status == 401
    assert (await get(small, "/keyed", **{"x-functions-key": keys["default"]})).status == 200
    assert (await get(small, f"/keyed?code={keys['master']}")).status == 200
    assert (await get(small, f"/admin-only?code={keys['default']}")).status == 401
    assert (await get(small, f"/admin-only?code={keys['master']}")).status == 200


async def test_requests_over_the_limit_wait_or_return_429(small: LocalCloud) -> None:
    answers = await asyncio.gather(*(get(small, "/slow") for _ in range(12)))
    statuses = sorted(answer.status for answer in answers)

    assert statuses == [200] * 8 + [429] * 4
    assert max(await seen(small, "slow")) == 4


async def test_message_is_decoded_and_delivered_once(small: LocalCloud) -> None:
    await send(small, "work", "hello")
    await small.client.settle()

    (message,) = await seen(small, "hello")
    assert message["dequeue_count"] == 1
    assert message["id"]


async def test_messages_run_concurrently_up_to_batch_size_and_threshold(
    small: LocalCloud,
) -> None:
    await send(small, "work", *(f"linger {n}" for n in range(9)))
    await small.client.settle()

    # The host fetches batchSize 2 while at most newBatchThreshold 1 runs.
    assert 1 < max(await seen(small, "work")) <= 3


async def test_message_that_keeps_failing_moves_to_the_poison_queue(
    small: LocalCloud,
) -> None:
    await send(small, "work", "fail me")
    # The poison message exists before the failed one is deleted.
    counts = await until(
        lambda c: bool(c["work"]["poison"]) and not c["work"]["invisible"], small.client
    )

    assert [m["dequeue_count"] for m in await seen(small, "fail%20me")] == [1, 2]
    assert base64.b64encode(b"fail me").decode() in await peek(small, "work-poison")
    assert (counts["work"]["waiting"], counts["work"]["invisible"]) == (0, 0)


async def test_message_that_is_not_base64_goes_straight_to_the_poison_queue(
    small: LocalCloud,
) -> None:
    before = (await small.client.queues())["work"]["poison"]
    await send(small, "work", "not base64!", encoded=False)
    await until(lambda c: c["work"]["poison"] == before + 1, small.client)

    assert "not base64!" in await peek(small, "work-poison")


async def test_message_that_fails_in_the_poison_queue_stays_there(
    small: LocalCloud,
) -> None:
    await send(small, "sour", "once", "fail again")
    await until(lambda c: c["sour-poison"]["invisible"] == 1, small.client)
    await small.client.settle()

    assert sorted(await seen(small, "poison")) == ["fail again", "once"]
    counts = (await small.client.queues())["sour-poison"]
    assert (counts["waiting"], counts["invisible"]) == (0, 1)


async def test_a_delayed_message_counts_as_invisible(small: LocalCloud) -> None:
    service = QueueServiceClient.from_connection_string(small.addresses["storage"])
    async with service:
        await service.get_queue_client("work").send_message("aGk=", visibility_timeout=1)
    counts = (await small.client.queues())["work"]
    await small.client.settle()

    assert (counts["waiting"], counts["invisible"], counts["running"]) == (0, 1, 0)
    assert len(await seen(small, "hi")) == 1


async def test_host_resumes_when_storage_comes_back(small: LocalCloud) -> None:
    await small.stop_host()
    await send(small, "work", "patience")
    await small.azurite.stop()
    await small.start_host()
    await asyncio.sleep(0.3)
    await small.azurite.start()
    for _ in range(100):
        if await seen(small, "patience"):
            break
        await asyncio.sleep(0.05)

    assert len(await seen(small, "patience")) == 1


async def test_timer_fires_on_request_and_reports_its_outcome(small: LocalCloud) -> None:
    fire = f"{small.client.host}/_sim/timer"

    good = (await small.client.send("POST", f"{fire}/nightly")).body
    bad = (await small.client.send("POST", f"{fire}/failing")).body

    assert good == {"function": "nightly", "ok": True}
    assert bad == {"function": "failing", "ok": False}
    assert (await small.client.send("POST", f"{fire}/nowhere")).status == 404
    assert (await seen(small, "nightly"))[-1]["past_due"] is False


async def test_timer_fires_when_the_apps_clock_reaches_its_schedule(small: LocalCloud) -> None:
    before = len(await seen(small, "nightly"))
    await small.client.clock("2031-05-06T02:59:59.500Z")
    for _ in range(60):
        fired = (await seen(small, "nightly"))[before:]
        if fired:
            break
        await asyncio.sleep(0.1)
    await small.client.clock("2031-05-09T12:00:00Z")
    await asyncio.sleep(0.7)
    await small.client.clock(None)

    due = datetime(2031, 5, 6, 3, tzinfo=UTC)
    (late,) = (datetime.fromisoformat(moment["now"]) - due for moment in fired)
    assert timedelta(seconds=-1) <= late < timedelta(seconds=5), "early at most"
    assert len(await seen(small, "nightly")) == before + 1, "setting the clock fires nothing"


async def test_invalid_clock_value_returns_400(small: LocalCloud) -> None:
    url = f"{small.client.host}/_sim/clock"
    assert (await small.client.send("POST", url, {"now": "soon"})).status == 400


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("0 0 3 * * *", "2026-03-02T03:00:00"),
        ("*/15 * * * * *", "2026-03-01T12:00:15"),
        ("30 5 * * * *", "2026-03-01T12:05:30"),
        ("0 0 0 13 * 5", "2026-03-13T00:00:00"),  # a Friday the 13th, not any Friday
    ],
)
def test_schedules_have_seconds_and_are_in_utc(schedule: str, expected: str) -> None:
    after = datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC)
    assert next_tick(schedule, after).isoformat() == f"{expected}+00:00"


def test_host_json_has_defaults_and_can_be_overridden(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text(
        '{"version": "2.0", "extensions": {"queues": {"visibilityTimeout": "1.02:03:04.5"}}}'
    )
    settings = host_settings(
        tmp_path, {"AzureFunctionsJobHost__extensions__queues__batchSize": "99"}
    )

    assert settings.route_prefix == "api"
    assert settings.batch_size == 32
    assert settings.max_dequeue_count == 5
    assert settings.base64
    assert settings.homepage
    assert settings.visibility_timeout.total_seconds() == 86400 + 2 * 3600 + 3 * 60 + 4.5
    assert settings.function_timeout is not None
    assert settings.function_timeout.total_seconds() == 1800
