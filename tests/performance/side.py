"""One of the two apps whose pages are compared: where its portal is, and how to ask for a page.

The app of another commit is started by that commit's own code, so that the API's paths, the rows
and the local cloud are its own: run as a program in that commit's tree, this module starts the
cloud, prints one line of JSON and ends when its standard input ends.
"""

import asyncio
import json
import sys
from typing import Any

from shared.wiring.app import App
from tests.local.cloud import LocalCloud
from tests.performance import portal
from tests.performance.engine import engine
from tests.portal.pages import PAGES


async def side(cloud: LocalCloud, app: App) -> dict[str, Any]:
    """Make a small company; return its portal's pages by name, each with what a request needs."""
    # The name had an underscore once.
    create = getattr(portal, "company", None) or vars(portal)["_company"]
    made = await create(cloud.client, app, portal.SMALL)
    cookies = "; ".join(f"{name}={value}" for name, value in made.browser.cookies.items())
    return {
        look.name: {
            "url": cloud.addresses["portal"] + look.at(made.ids),
            "status": look.status,
            "headers": {"Cookie": cookies} if look.signed_in else {},
        }
        for look in PAGES
        if look.prepare is None
    }


async def _serve() -> None:
    async with LocalCloud(access_log=True) as cloud, engine(cloud) as made:
        print(json.dumps(await side(cloud, made.app)), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve())
