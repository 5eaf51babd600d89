"""The guard of what admins let the service call: where a socket leads decides, not the name."""

import asyncio
import socket
from typing import Any

import pytest
from aiohttp import ClientTimeout, web
from aiohttp.abc import AbstractResolver, ResolveResult

from shared.adapters import webhook_post
from shared.adapters.webhook_post import GuardedPost
from shared.domain.notices.deliveries import AttemptOutcome
from tests.webhook_sink import webhook_sink


class Rebound(AbstractResolver):
    """Resolves every name to this machine, as a name does that was changed after a check."""

    def __init__(self, *, loop: asyncio.AbstractEventLoop) -> None:
        del loop

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found: Any = {
            "hostname": host,
            "host": "127.0.0.1",
            "port": port,
            "family": family,
            "proto": 0,
            "flags": 0,
        }
        return [found]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "hooks.contoso.example"])
async def test_socket_to_a_private_address_is_never_opened(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiohttp.connector.DefaultResolver", Rebound)
    async with webhook_sink() as sink:
        url = sink.url.replace("127.0.0.1", host)
        posted = await GuardedPost(local=False).post(url, b"{}", {})

    assert (posted.outcome, sink.got) == (AttemptOutcome.ADDRESS_REFUSED, [])


async def test_redirect_is_not_followed() -> None:
    async with webhook_sink() as inner:
        moved = web.Response(status=307, headers={"Location": inner.url})
        async with webhook_sink(moved) as sink:
            posted = await GuardedPost(local=True).post(sink.url, b"{}", {})

    assert (posted.outcome, posted.status) == (AttemptOutcome.REJECTED, 307)
    assert (len(sink.got), inner.got) == (1, [])


@pytest.mark.parametrize(
    ("status", "retry_after", "outcome", "wait"),
    [
        (204, "", AttemptOutcome.ACCEPTED, None),
        (410, "", AttemptOutcome.GONE, None),
        (500, "", AttemptOutcome.REJECTED, None),
        (503, "7200", AttemptOutcome.REJECTED, 7200),
        (503, "9" * 500, AttemptOutcome.REJECTED, 999_999_999),
        (503, "soon", AttemptOutcome.REJECTED, None),
    ],
)
async def test_answer_is_told_by_its_status(
    status: int, retry_after: str, outcome: AttemptOutcome, wait: int | None
) -> None:
    headers = {"Retry-After": retry_after} if retry_after else {}
    async with webhook_sink(web.Response(status=status, headers=headers)) as sink:
        posted = await GuardedPost(local=True).post(sink.url, b"{}", {})

    assert (posted.outcome, posted.status) == (outcome, status)
    assert (posted.wait and posted.wait.total_seconds()) == wait


async def test_endless_answer_is_not_read() -> None:
    async with webhook_sink(web.Response(body=b"x" * 50_000_000)) as sink:
        posted = await GuardedPost(local=True).post(sink.url, b"{}", {})

    assert posted.outcome is AttemptOutcome.ACCEPTED


async def test_receiver_that_never_answers_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_post, "_TIMEOUT", ClientTimeout(total=0.05))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        posted = await GuardedPost(local=True).post(url, b"{}", {})

    assert posted.outcome is AttemptOutcome.TIMED_OUT
