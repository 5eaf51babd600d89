"""Keeps the event loop responsive while a large mailbox is computed."""

import asyncio
from collections.abc import Callable
from typing import Final

_SMALL: Final = 500


async def run_in_thread_if_large[**P, T](
    size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Run pure work on `size` items, in a thread if there are many of them.

    500 contacts take about 10 ms; 50,000 would block every other mailbox of the worker for a
    second.
    """
    if size <= _SMALL:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)
