"""Going back in the browser to a form that was saved, and saving it again."""

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.local.client import Client
from tests.local.cloud import LocalCloud
from tests.portal.browser.chromium import chromium
from tests.portal.browser.person import Person
from tests.portal.browser.signing_in import start_signed_in
from tests.world import World

USED = {
    "en": "You already published a share with this form.",
    "de": "Sie haben mit diesem Formular bereits eine Freigabe veröffentlicht.",
}
SHARE = re.compile(r"/shares/[0-9a-f]{32}$")


@pytest.fixture(scope="session")
async def keeping() -> AsyncIterator[Browser]:
    """A browser that keeps the pages that were left."""
    async with chromium(keeps_pages=True) as running:
        yield running


async def storable(route: Route) -> None:
    """Let the browser keep a page, as Safari does whatever the server says of it."""
    if route.request.method == "POST":
        return await route.continue_()
    answer = await route.fetch()
    headers = {n: v for n, v in answer.headers.items() if n.lower() != "cache-control"}
    return await route.fulfill(response=answer, headers=headers)


async def publish(page: Page, name: str) -> None:
    await page.locator("#name").fill(name)
    await page.locator("input[name=all_users]").check()
    await page.locator("button[value=save]").click()


@pytest.mark.parametrize(("keeps", "language"), [("kept page", "de"), ("fresh page", "en")])
async def test_share_published_after_going_back_becomes_another_share(
    cloud: LocalCloud,
    client: Client,
    world: World,
    browser: Browser,
    keeping: Browser,
    keeps: str,
    language: str,
) -> None:
    del client
    kept = keeps == "kept page"
    person = await Person.open_window(keeping if kept else browser, cloud, locale=language)
    person.expects(422)
    page = await start_signed_in(person, world)
    if kept:
        await page.route("**/shares/new", storable)
    await page.goto("/shares/new")
    await publish(page, "First")
    await page.wait_for_url(SHARE)

    # Playwright waits in vain for the load of a page that was kept.
    await page.evaluate("history.back()")
    await expect(page.locator("#name")).to_be_visible()
    await publish(page, "Second")
    if kept:
        await expect(page.locator("[data-summary]")).to_contain_text(USED[language])
        await expect(page.locator("#name")).to_have_value("Second")
        await expect(page.locator("input[name=all_users]")).to_be_checked()
        await page.locator("button[value=save]").click()
    await page.wait_for_url(SHARE)

    assert {s["name"] for s in await world.api.all("/shares")} == {"First", "Second"}
    await person.leave()
