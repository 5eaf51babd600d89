"""Whether the app can work: storage, the vault and Entra's keys answer, each within a few seconds.

Anybody may ask, so the answer is kept for some seconds and found once for all who ask meanwhile:
the load is the same however often it is asked for. It tells names and times, never a cause, which
is logged instead.
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


class Part(Protocol):
    """Something that the app needs."""

    async def ready(self) -> None:
        """Return once it answers; whatever this raises means that it does not."""


@dataclass(frozen=True, slots=True)
class Check:
    """One part that the app needs: whether it answered, and after how many milliseconds."""

    name: str
    ok: bool
    milliseconds: int


class Readiness:
    """Asks what the app needs, all at once."""

    def __init__(
        self,
        parts: Mapping[str, Part],
        *,
        patience: float = _PATIENCE,
        kept: float = _KEPT,
    ) -> None:
        """Wait `patience` seconds for each; keep the answer for `kept` seconds."""
        self._parts = parts
        self._patience = patience
        self._kept = kept
        self._found: tuple[Check, ...] = ()
        self._until = float("-inf")
        self._asking = asyncio.Lock()

    async def look(self) -> tuple[Check, ...]:
        """Each part's answer, in the order of the parts, at most some seconds old."""
        async with self._asking:
            if time.monotonic() >= self._until:
                asked = (self._ask(name, part) for name, part in self._parts.items())
                self._found = tuple(await asyncio.gather(*asked))
                self._until = time.monotonic() + self._kept
            return self._found

    async def _ask(self, name: str, part: Part) -> Check:
        begun, ok = time.monotonic(), True
        try:
            async with asyncio.timeout(self._patience):
                await part.ready()
        except Exception as error:  # noqa: BLE001 - whatever it is, this part does not answer
            ok = False
            _log.warning("not ready: %s: %s", name, type(error).__name__)
        return Check(name, ok, int((time.monotonic() - begun) * 1000))
