"""Signing in with the portal's button and the Entra simulator's pages."""

import re
from urllib.parse import urlsplit

from playwright.async_api import Page, expect

from tests.local.client import Client
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


async def sign_in(
    page: Page,
    world: World,
    *,
    at: str = "/",
    name: str = "Ada Admin",
    roles: tuple[str, ...] = ("Admin",),
) -> None:
    """Sign in as a user of the world's tenant, from a page that has the button."""
    await sign_in_as(page, await account(world.client, world.tenant, name, roles), at=at)


async def sign_in_as(page: Page, who: str, *, at: str = "/") -> None:
    """Sign in to the account with this object id or user name."""
    await page.goto(at)
    portal = urlsplit(page.url).netloc
    await page.get_by_role("button", name=BUTTON).first.click()
    named = page.locator("a").filter(has_text=f"({who})")
    await page.locator(f'a[href*="login_hint={who}"]').or_(named).first.click()
    await page.wait_for_url(lambda url: urlsplit(url).netloc == portal)
    await expect(page.locator("h1").first).to_be_visible()
