"""The way from workers to storage: every call takes time, may fail, and may take effect anyway.

A call's effect happens outside of its worker, so it happens even if the worker has died meanwhile.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any, Final

from azure.core.exceptions import ServiceResponseError

from tests.simulation.runtime.adversary import Adversary
from tests.simulation.runtime.loop import WORKER, Buried, SimulatedLoop

_RETRIES: Final = 3
_LATEST: Final = 30.0


class Network:
    """The line of all storage clients; `outage` maps a kind of storage to when it ends."""

    def __init__(self, loop: SimulatedLoop, adversary: Adversary, rng: random.Random) -> None:
        self._loop = loop
        self._adversary = adversary
        self._rng = rng
        self.outage: dict[str, float] = {}
        self.told: Callable[[str], None] | None = None
        self.calls = 0

    def page_size(self, size: int) -> int:
        """Cut a page short, even to nothing, as storage may at any time."""
        if self._adversary.strikes_now("short_pages"):
            return min(size, self._adversary.source("short_pages").choice((0, 1, 2)))
        return size

    async def call[T](self, name: str, effect: Callable[[], T]) -> T:
        """Let a call take effect and return its result, repeated as the SDK repeats it."""
        worker = WORKER.get()
        if worker is not None and worker.buried:
            raise Buried
        self.calls += 1
        failing = 0
        if self._adversary.strikes_now("storage_fault"):
            failing = self._adversary.source("storage_fault").choice((1, 1, 2, 4))
        for attempt in range(_RETRIES + 1):
            lost = attempt < failing
            effective = not lost or self._adversary.source("storage_fault").random() < 0.5
            if self._is_out(name):
                lost, effective = True, False
            try:
                return await self._try(name, effect, lost=lost, effective=effective)
            except ServiceResponseError:
                if attempt == _RETRIES:
                    raise
                await asyncio.sleep(0.5 * 2.0**attempt)
        raise AssertionError

    def _is_out(self, name: str) -> bool:
        kind = "queues" if name.startswith(("send", "count", "peek", "create queue")) else "tables"
        return self._loop.time() < self.outage.get(kind, 0.0)

    async def _try[T](
        self, name: str, effect: Callable[[], T], *, lost: bool, effective: bool
    ) -> T:
        loop, future = self._loop, self._loop.create_future()
        there = self._rng.uniform(0.001, 0.02)
        if self._adversary.strikes_now("storage_slow"):
            there += self._adversary.log_uniform("storage_slow", 1.0, 200.0)
        loop.later(there, self._arrive, name, effect, future, lost, effective)
        if not effective and self._adversary.strikes_now("storage_late"):
            # The client gives up on a request that is still on its way.
            late = there + self._adversary.source("storage_late").uniform(0.1, _LATEST)
            loop.later(late, self._arrive, f"late {name}", effect, None, True, True)
        answer: T = await future
        return answer

    def _arrive(
        self,
        name: str,
        effect: Callable[[], Any],
        future: "asyncio.Future[Any] | None",
        lost: bool,  # noqa: FBT001 - a callback
        effective: bool,  # noqa: FBT001 - a callback
    ) -> None:
        result: Any = None
        error: Exception | None = None
        if effective:
            try:
                result = effect()
            except Exception as raised:  # noqa: BLE001 - it is the answer
                error = raised
        if self.told is not None:
            told = type(error).__name__ if error is not None else "done" if effective else "lost"
            self.told(f"storage {name}: {told}")
        if future is None or future.done():
            return
        if lost:
            future.set_exception(ServiceResponseError("lost"))
        elif error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)
