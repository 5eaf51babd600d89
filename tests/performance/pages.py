"""What each page of the portal takes: its requests to storage, one by one, and its time.

Requests are counted in Azurite's log, in rounds that nothing else shares. With a base, the app of
another commit runs beside this one, each with storage and simulators of its own; their pages are
asked for in turn, so that both meet the same machine, and their median times are compared.
"""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any, Final

import aiohttp

from tests.local.cloud import BUILD, LocalCloud
from tests.performance import side as side_module
from tests.performance.engine import Engine
from tests.performance.portal import ask
from tests.performance.side import side
from tests.performance.storage import counted
from tests.sources import ROOT

MOST_RATIO: Final = 1.25
"""How much slower than at the base a page may be, by the median of its times."""
_ROUNDS: Final = 41
_WARM: Final = 2
_BASE: Final = BUILD / "base"

type Side = dict[str, dict[str, Any]]


async def cost(cloud: LocalCloud, made: Engine, base: str | None) -> dict[str, Any]:
    """Return the requests of each page and, with a base, how many times slower it is than there."""
    async with AsyncExitStack() as stack, aiohttp.ClientSession() as session:
        ours = await side(cloud, made.app)
        operations = {name: await _operations(session, cloud, ours, name) for name in ours}
        found: dict[str, Any] = {"page_operations": operations}
        if base is None:
            return found
        theirs = await stack.enter_async_context(_other(base))
        both = [name for name in ours if name in theirs and await _answers(session, theirs, name)]
        seconds: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in both}
        for number in range(_WARM + _ROUNDS):
            for name in both:
                # The first of two finds caches cold more often, so they take turns.
                for which in (0, 1) if number % 2 else (1, 0):
                    took = await _ask(session, (ours, theirs)[which], name)
                    if number >= _WARM:
                        seconds[name][which].append(took)
    ratios = {name: round(median(a) / median(b), 2) for name, (a, b) in seconds.items()}
    return {**found, "page_ratios": ratios, "page_base": base}


async def _ask(session: aiohttp.ClientSession, side: Side, name: str) -> float:
    """Ask for a page and return how long it took. Raises `AssertionError` if it fails."""
    page = side[name]
    _, seconds = await ask(session, page["url"], page["headers"], page["status"])
    return seconds


async def _operations(
    session: aiohttp.ClientSession, cloud: LocalCloud, ours: Side, name: str
) -> dict[str, int]:
    """Return a page's requests to tables: of its second visit, when nothing is new any more."""
    await _ask(session, ours, name)
    log = cloud.logs / "azurite.log"
    place = log.stat().st_size
    await _ask(session, ours, name)
    tables, _ = counted(log.read_bytes()[place:].decode().splitlines())
    return dict(sorted(Counter(tables).items()))


async def _answers(session: aiohttp.ClientSession, side: Side, name: str) -> bool:
    """Return whether an app has a page."""
    try:
        await _ask(session, side, name)
    except AssertionError:
        return False
    return True


@asynccontextmanager
async def _other(commit: str) -> AsyncIterator[Side]:
    """Run the app of another commit, by its own code."""
    tree = _checked_out(commit)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        str(Path(side_module.__file__)),
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        stdin=PIPE,
        stdout=PIPE,
        limit=1 << 20,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield json.loads(await process.stdout.readline())
    finally:
        process.stdin.close()
        await process.wait()


def _checked_out(commit: str) -> Path:
    """Return a folder with the tree of a commit, and this one's packages of Node.js."""
    # A developer names the commit.
    archive = subprocess.run(  # noqa: S603
        ("git", "-C", str(ROOT), "archive", commit),  # noqa: S607
        check=True,
        capture_output=True,
    ).stdout
    shutil.rmtree(_BASE, ignore_errors=True)
    _BASE.mkdir(parents=True)
    subprocess.run(("tar", "-x", "-C", str(_BASE)), check=True, input=archive)  # noqa: S603, S607
    packages = "tests/local/node_modules"
    (_BASE / packages).symlink_to((ROOT / packages).resolve())
    return _BASE
