"""Posts to receivers that admins name, and refuses every address that is not public.

The address is checked when the socket is made, after the name was resolved: so a name that leads
elsewhere a moment later reaches nothing. Redirects are not followed, and answers are not read.
"""

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final, Protocol

import aiohttp

from shared.domain.notices.deliveries import AttemptOutcome
from shared.domain.notices.webhooks import is_public

_TIMEOUT: Final = aiohttp.ClientTimeout(total=15, sock_connect=5)
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Posted:
    """What came of a post; `status` of the answer, and how long the receiver asked us to wait."""

    outcome: AttemptOutcome
    status: int | None = None
    wait: timedelta | None = None


class WebhookPost(Protocol):
    """Posts a body to a receiver."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Posted:
        """Post, and return what came of it; raises nothing that the receiver could cause."""


class GuardedPost:
    """Posts to public addresses; a `local` service reaches this machine as well."""

    def __init__(self, *, local: bool) -> None:
        self._local = local

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Posted:
        """Post, and return what came of it."""
        refused = False

        def open_socket(found: tuple[Any, ...]) -> socket.socket:
            nonlocal refused
            family, kind, protocol, _, target = found
            if not self._admits(str(target[0])):
                refused = True
                raise OSError("The address is not public.")
            return socket.socket(family, kind, protocol)

        connector = aiohttp.TCPConnector(
            socket_factory=open_socket, use_dns_cache=False, force_close=True
        )
        try:
            async with (
                aiohttp.ClientSession(
                    connector=connector,
                    timeout=_TIMEOUT,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    auto_decompress=False,
                ) as session,
                session.post(url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                return _posted(answer.status, answer.headers.get("Retry-After", ""))
        except TimeoutError:
            return Posted(AttemptOutcome.TIMED_OUT)
        except (aiohttp.ClientError, OSError, ValueError, asyncio.IncompleteReadError):
            outcome = AttemptOutcome.ADDRESS_REFUSED if refused else AttemptOutcome.UNREACHABLE
            return Posted(outcome)

    def _admits(self, address: str) -> bool:
        return is_public(address) or (self._local and address in _LOOPBACK)


def _posted(status: int, retry_after: str) -> Posted:
    if 200 <= status < 300:
        return Posted(AttemptOutcome.ACCEPTED, status)
    if status == HTTPStatus.GONE:
        return Posted(AttemptOutcome.GONE, status)
    seconds = int(retry_after[:9]) if retry_after.isascii() and retry_after.isdigit() else 0
    return Posted(AttemptOutcome.REJECTED, status, timedelta(seconds=seconds) if seconds else None)
