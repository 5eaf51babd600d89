"""Readiness asks all at once, waits for nobody long, and is found once for all who ask."""

import asyncio
import time

from shared.domain.errors import Unavailable
from shared.services.insight.readiness import Readiness


async def fine() -> None:
    await asyncio.sleep(0.05)


async def away() -> None:
    raise Unavailable("It does not answer, says ada@contoso.example.", 1.0)


async def silent() -> None:
    await asyncio.sleep(60)


async def test_each_part_is_told_by_itself_and_none_holds_up_the_others() -> None:
    checks = {"a": fine, "b": away, "c": silent, "d": fine}
    begun = time.monotonic()
    found = await Readiness(checks, patience=0.3).look()

    assert [(check.name, check.ok) for check in found] == [
        ("a", True),
        ("b", False),
        ("c", False),
        ("d", True),
    ]
    assert 40 <= found[0].milliseconds < 300 <= found[2].milliseconds < 3_000
    assert time.monotonic() - begun < 3


async def test_many_who_ask_at_once_or_soon_after_ask_once() -> None:
    asked = 0

    async def count() -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.01)

    readiness = Readiness({"a": count}, kept=0.2)
    await asyncio.gather(*(readiness.look() for _ in range(100)))
    await readiness.look()
    assert asked == 1
    await asyncio.sleep(0.25)
    await readiness.look()
    assert asked == 2
