"""Whether the app can work: storage, the vault and Entra ID's keys respond within a few seconds.

Anyone can call it, so the result is cached for some seconds and concurrent callers share one check:
the load does not depend on the number of calls. The result contains names and times only; causes
are logged.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

_KEPT: Final = 5.0
_PATIENCE: Final = 3.0
_log = logging.getLogger(__name__)


class Dependency(Protocol):
    """Something that the app needs."""

    async def ready(self) -> None:
        """Return once the dependency responds; any exception means that it does not."""


@dataclass(frozen=True, slots=True)
class Check:
    """One dependency: whether it responded, and how many milliseconds that took."""

    name: str
    ok: bool
    milliseconds: int


class Readiness:
    """Checks all dependencies of the app in parallel."""

    def __init__(
        self,
        dependencies: Mapping[str, Dependency],
        *,
        patience: float = _PATIENCE,
        kept: float = _KEPT,
    ) -> None:
        """Wait at most `patience` seconds for each of them; cache the result for `kept` seconds."""
        self._dependencies = dependencies
        self._patience = patience
        self._kept = kept
        self._found: tuple[Check, ...] = ()
        self._until = float("-inf")
        self._asking = asyncio.Lock()

    async def look(self) -> tuple[Check, ...]:
        """Return the result of each dependency, in their order, at most some seconds old."""
        async with self._asking:
            if time.monotonic() >= self._until:
                asked = (
                    self._ask(name, dependency) for name, dependency in self._dependencies.items()
                )
                self._found = tuple(await asyncio.gather(*asked))
                self._until = time.monotonic() + self._kept
            return self._found

    async def _ask(self, name: str, dependency: Dependency) -> Check:
        begun, ok = time.monotonic(), True
        try:
            async with asyncio.timeout(self._patience):
                await dependency.ready()
        except Exception as error:  # noqa: BLE001 - any exception means that it is not ready
            ok = False
            _log.warning("not ready: %s: %s", name, type(error).__name__)
        return Check(name, ok, int((time.monotonic() - begun) * 1000))
