"""Signing in: with the portal's button and Entra ID's pages, or before the window opens."""

import re
from urllib.parse import urlsplit

from playwright.async_api import Page, expect

from tests.end_to_end.browser import Browser
from tests.local.client import Client
from tests.portal.browser.person import Person
from tests.world import World

BUTTON = re.compile(r"Sign in with Microsoft|Mit Microsoft anmelden")


async def account(
    client: Client,
    tenant: str,
    name: str = "Ada Admin",
    roles: tuple[str, ...] = ("Admin",),
    company: str = "",
    oid: str = "",
) -> str:
    """Create an account that can sign in. Return its object id, by default made from the name."""
    oid = oid or f"{name.lower().replace(' ', '-')}-{tenant}"
    user = {"oid": oid, "name": name, "username": f"{oid}@tenant.invalid", "roles": list(roles)}
    await client.know(tenant, company, user)
    return oid


async def start_signed_in(person: Person, world: World) -> Page:
    """Give a person the session of an admin of the world's tenant, and return the empty page.

    Most tests are about what comes after signing in, which takes a second of CPU in Chromium.
    """
    browser = Browser(world.client)
    await browser.sign_in(await account(world.client, world.tenant))
    await person.context.add_cookies(
        [
            {"name": name, "value": value, "domain": "127.0.0.1", "path": "/", "secure": True}
            for name, value in browser.cookies.items()
        ]
    )
    return person.page


async def sign_in(
    page: Page,
    world: World,
    *,
    at: str = "/",
    name: str = "Ada Admin",
    roles: tuple[str, ...] = ("Admin",),
    scripts: bool = True,
) -> None:
    """Sign in as a user of the world's tenant, from a page that has the button."""
    who = await account(world.client, world.tenant, name, roles)
    await sign_in_as(page, who, at=at, scripts=scripts)


async def sign_in_as(page: Page, who: str, *, at: str = "/", scripts: bool = True) -> None:
    """Sign in to the account with this object id or user name.

    Without scripts, a person sends Entra ID's response by its button.
    """
    await page.goto(at)
    portal = urlsplit(page.url).netloc
    await page.get_by_role("button", name=BUTTON).first.click()
    named = page.locator("a").filter(has_text=f"({who})")
    await page.locator(f'a[href*="login_hint={who}"]').or_(named).first.click()
    if not scripts:
        await page.get_by_role("button", name="Continue").click()
    await page.wait_for_url(lambda url: urlsplit(url).netloc == portal)
    await expect(page.locator("h1").first).to_be_visible()
