"""Signing in as a person does: by the portal's button and the Entra simulator's pages."""

import re

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
) -> str:
    """Make somebody known to Entra, who can sign in; the object id."""
    oid = f"{name.lower().replace(' ', '-')}-{tenant}"
    user = {"oid": oid, "name": name, "username": f"{oid}@tenant.invalid", "roles": list(roles)}
    body = {"tenant": tenant, "name": company, "users": [user]}
    (await client.send("POST", f"{client.entra}/_sim/tenants", body)).expect(200)
    return oid


async def sign_in(
    page: Page,
    world: World,
    *,
    at: str = "/",
    name: str = "Ada Admin",
    roles: tuple[str, ...] = ("Admin",),
) -> None:
    """Sign somebody of a company in, from a page that has the button; ends where that leads."""
    await sign_in_as(page, await account(world.client, world.tenant, name, roles), at=at)


async def sign_in_as(page: Page, oid: str, *, at: str = "/") -> None:
    """Sign in whom Entra knows by this object id."""
    await page.goto(at)
    portal = page.url
    await page.get_by_role("button", name=BUTTON).first.click()
    await page.locator(f'a[href*="login_hint={oid}"]').click()
    await page.wait_for_url(lambda url: url.split("/")[2] == portal.split("/")[2])
    await expect(page.locator("h1")).to_be_visible()
