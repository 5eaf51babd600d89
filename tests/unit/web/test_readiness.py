"""Readiness runs its checks at once, with a time limit, and shares the result among callers."""

import asyncio
import time

from shared.domain.errors import Unavailable
from shared.services.insight.readiness import Dependency, Readiness


class Fine:
    async def ready(self) -> None:
        await asyncio.sleep(0.05)


class Away:
    async def ready(self) -> None:
        raise Unavailable("It does not answer, says ada@contoso.example.", 1.0)


class Silent:
    async def ready(self) -> None:
        await asyncio.sleep(60)


class Counting:
    asked = 0

    async def ready(self) -> None:
        self.asked += 1
        await asyncio.sleep(0.01)


async def test_checks_report_separately_and_do_not_delay_each_other() -> None:
    dependencies: dict[str, Dependency] = {"a": Fine(), "b": Away(), "c": Silent(), "d": Fine()}
    begun = time.monotonic()
    found = await Readiness(dependencies, patience=0.3).look()

    assert [(check.name, check.ok) for check in found] == [
        ("a", True),
        ("b", False),
        ("c", False),
        ("d", True),
    ]
    assert 40 <= found[0].milliseconds < 300 <= found[2].milliseconds < 3_000
    assert time.monotonic() - begun < 3


async def test_concurrent_and_repeated_calls_share_one_check() -> None:
    dependency = Counting()
    readiness = Readiness({"a": dependency}, kept=0.2)
    await asyncio.gather(*(readiness.look() for _ in range(100)))
    await readiness.look()
    assert dependency.asked == 1
    await asyncio.sleep(0.25)
    await readiness.look()
    assert dependency.asked == 2
