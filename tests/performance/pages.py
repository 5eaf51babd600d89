"""What each page of the portal takes: its requests to storage, one by one, and its time.

Requests are counted in Azurite's log, in rounds that nothing else shares. With a base, the app of
another commit runs beside this one, each with storage and simulators of its own; their pages are
asked for in turn, so that both meet the same machine, and their median times are compared.
"""

import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final
from urllib.parse import urljoin

import aiohttp

from shared.wiring import app as wiring
from shared.wiring.ports import open_ports
from shared.wiring.settings import Settings
from tests.local.cloud import BUILD, LocalCloud
from tests.performance.portal import SMALL, Company, ask, company, headers
from tests.performance.storage import counted
from tests.portal.pages import PAGES, Look
from tests.sources import ROOT

MOST_RATIO: Final = 1.25
"""How much slower than at the base a page may be, by the median of its times."""
_ROUNDS: Final = 15
_WARM: Final = 2
_BASE: Final = BUILD / "base"


@dataclass(slots=True)
class Side:
    """One of the apps, with a company whose admin is signed in, and the seconds of each page."""

    cloud: LocalCloud
    company: Company
    seconds: dict[str, list[float]] = field(default_factory=dict)

    async def ask(self, session: aiohttp.ClientSession, look: Look) -> float:
        """Ask for a page and return how long it took. Raises `AssertionError` if it fails."""
        url = urljoin(self.cloud.addresses["portal"], look.at(self.company.ids))
        _, seconds = await ask(session, url, headers(look, self.company), look.status)
        return seconds


async def cost(cloud: LocalCloud, base: str | None) -> dict[str, Any]:
    """Return the requests of each page and, with a base, how many times slower it is than there."""
    looks = [look for look in PAGES if look.prepare is None]
    async with AsyncExitStack() as stack, aiohttp.ClientSession() as session:
        ours = await stack.enter_async_context(_side(cloud))
        operations = {look.name: await _operations(session, ours, look) for look in looks}
        found: dict[str, Any] = {"page_operations": operations}
        if base is None:
            return found
        other = LocalCloud(
            app=_checked_out(base), build=_BASE.with_suffix(".cloud"), access_log=True
        )
        await stack.enter_async_context(other)
        theirs = await stack.enter_async_context(_side(other))
        shared = [look for look in looks if await _answers(session, theirs, look)]
        for number in range(_WARM + _ROUNDS):
            for look in shared:
                # The first of two finds caches cold more often, so they take turns.
                for side in (ours, theirs) if number % 2 else (theirs, ours):
                    seconds = await side.ask(session, look)
                    if number >= _WARM:
                        side.seconds.setdefault(look.name, []).append(seconds)
    ratios = {
        look.name: round(median(ours.seconds[look.name]) / median(theirs.seconds[look.name]), 2)
        for look in shared
    }
    return {**found, "page_ratios": ratios, "page_base": base}


async def _operations(session: aiohttp.ClientSession, side: Side, look: Look) -> dict[str, int]:
    """Return a page's requests to tables: of its second visit, when nothing is new any more."""
    await side.ask(session, look)
    log = side.cloud.logs / "azurite.log"
    place = log.stat().st_size
    await side.ask(session, look)
    tables, _ = counted(log.read_bytes()[place:].decode().splitlines())
    return dict(sorted(Counter(tables).items()))


async def _answers(session: aiohttp.ClientSession, side: Side, look: Look) -> bool:
    """Return whether an app has a page."""
    try:
        await side.ask(session, look)
    except AssertionError:
        return False
    return True


@asynccontextmanager
async def _side(cloud: LocalCloud) -> AsyncIterator[Side]:
    settings = Settings.from_environment(cloud.environment)
    app = wiring.App(settings, open_ports(settings, wiring.utc_now, wiring.new_id))
    try:
        yield Side(cloud, await company(cloud.client, app, SMALL))
    finally:
        await app.close()


def _checked_out(commit: str) -> Path:
    """Return a folder with the app as a commit has it."""
    # A developer names the commit.
    archive = subprocess.run(  # noqa: S603
        ("git", "-C", str(ROOT), "archive", commit, "function_app.py", "host.json", "shared"),  # noqa: S607
        check=True,
        capture_output=True,
    ).stdout
    _BASE.mkdir(parents=True, exist_ok=True)
    subprocess.run(("tar", "-x", "-C", str(_BASE)), check=True, input=archive)  # noqa: S603, S607
    return _BASE
