"""Where the simulator's times, ids and numbers come from: the machine, or a test in its place."""

import hashlib
import itertools
import secrets
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Sources:
    """The time of day, seconds for measuring, unguessable texts, and numbers that only grow."""

    now: Callable[[], datetime] = _now
    seconds: Callable[[], float] = time.monotonic
    token: Callable[[], str] = secrets.token_urlsafe
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def guid(self) -> str:
        """Return a new id in the form of a GUID."""
        digest = hashlib.blake2b(self.token().encode(), digest_size=16).digest()
        return str(UUID(bytes=digest))


_used: ContextVar[Sources] = ContextVar("_used", default=Sources())  # noqa: B039 - frozen


def sources() -> Sources:
    """Return the sources in use."""
    return _used.get()


def use(given: Sources) -> None:
    """Use these sources in the current context and in the tasks it starts."""
    _used.set(given)
