"""Helpers of the portal tests: a signed-in browser, pressing buttons, reading a page's text."""

import html
import re
from typing import Any

from tests.end_to_end.browser import Browser, Shown
from tests.local.client import Client, Json
from tests.world import World

HOSTILE = "<script>alert(1)</script>\u202eevil\u2066 & " + "x" * 150
"""A name in a directory. Nobody can type the characters that turn its direction."""
TYPED = "<script>alert(1)</script>evil & " + "x" * 150
"""A name that people can type."""


async def browser_of(
    client: Client, world: World, role: str = "Admin", language: str = "en"
) -> Browser:
    """Return the browser of a signed-in user with this role."""
    oid = f"{role}-{world.tenant}"
    await client.know(world.tenant, "Contoso", {"oid": oid, "name": "Ada", "roles": [role]})
    browser = Browser(client, language=language)
    await browser.sign_in(oid)
    return browser


async def press(browser: Browser, page: Shown, button: str, **values: Any) -> Shown:
    """Press a button of the form that the page sends to its own address."""
    return await browser.submit(page, page.path, do=button, **values)


def text_of(page: Shown) -> str:
    """Return the page's text without markup, with single spaces."""
    without = re.sub(r"<[^>]*>", " ", page.text.partition("<main")[2])
    return re.sub(r" ([.,:])", r"\1", re.sub(r"\s+", " ", html.unescape(without)))


async def only_import(world: World) -> Json:
    (made,) = await world.api.all("/imports")
    return made
