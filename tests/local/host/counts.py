"""How many messages each queue holds, and waiting until none is left, for tests."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from tests.local.host.queues import POISON, QueueTrigger
from tests.local.host.storage import Storage

_MOST_PEEKED: Final = 32
_BETWEEN_LOOKS: Final = 0.05
_BETWEEN_GLANCES: Final = 0.01
_LONGEST_TRUST: Final = 0.5
"""Seconds after which a queue is looked at even if the host expects its messages later."""

type Counts = dict[str, dict[str, int]]


async def count(storage: Storage, triggers: Sequence[QueueTrigger]) -> Counts:
    """Count the messages waiting, invisible (including those running) and poison, by queue.

    A poison queue has an entry only if a function drains it. If a message may have moved between
    queues during the count, an idle result is counted again.
    """
    while True:
        before = sum(trigger.completed for trigger in triggers)
        found = await _count(storage, triggers)
        idle = not any(c["waiting"] or c["invisible"] for c in found.values())
        if not idle or before == sum(trigger.completed for trigger in triggers):
            return found


async def until_idle(
    storage: Storage, triggers: Sequence[QueueTrigger], seconds: float
) -> tuple[bool, Counts]:
    """Wait until all queues with a function are empty. Return whether they are, and the counts.

    Invisible messages of a poison queue are ignored: their function failed.
    """
    until = time.monotonic() + seconds
    while True:
        # Counting all is expensive, so first wait for what the host knows by itself.
        await _unless(until, lambda: not any(trigger.active for trigger in triggers))
        found = await count(storage, triggers)
        busy = [
            trigger
            for trigger in triggers
            if (counted := found.get(trigger.queue))
            and counted["waiting"] + counted["running" if trigger.poison is None else "invisible"]
        ]
        if not busy or time.monotonic() > until:
            return not busy, found
        await _until_empty(storage, busy[0], until)


async def _until_empty(storage: Storage, trigger: QueueTrigger, until: float) -> None:
    """Wait until a queue is empty, invisible messages of a poison queue aside."""
    while (left := until - time.monotonic()) > 0:
        if trigger.running:
            await asyncio.wait(trigger.running, timeout=left)
            continue
        if not await storage.length(trigger.queue):
            return
        if not trigger.expects:
            trigger.poll_soon()
        trusted = time.monotonic() + _LONGEST_TRUST
        await asyncio.sleep(_BETWEEN_LOOKS)
        await _unless(trusted, lambda: trigger.active or not trigger.expects)
        if trigger.poison is None:
            return


async def _unless(until: float, reached: Callable[[], bool]) -> None:
    """Wait until then, unless something is reached before."""
    while True:
        if reached() or time.monotonic() > until:
            return
        await asyncio.sleep(_BETWEEN_GLANCES)


async def _count(storage: Storage, triggers: Sequence[QueueTrigger]) -> Counts:
    running = {trigger.queue: trigger for trigger in triggers}
    found: Counts = {}
    for name in await storage.names():
        total = await storage.length(name)
        if total is None:
            continue
        visible = await storage.peek(name, _MOST_PEEKED) if total else 0
        held = len(running[name].running) if name in running else 0
        if visible == _MOST_PEEKED:
            visible = max(visible, total - held)
        invisible = max(total - visible, held)
        found[name] = {"waiting": visible, "invisible": invisible, "running": held}
    for name, counted in found.items():
        poison = found.get(f"{name}{POISON}", {})
        counted["poison"] = poison.get("waiting", 0) + poison.get("invisible", 0)
    return {n: c for n, c in found.items() if n in running or not n.endswith(POISON)}
