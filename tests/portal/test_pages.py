"""Every page of `PAGES`: accessible, light and dark, at any width, with hostile names."""

import re
from collections.abc import AsyncIterator
from typing import Unpack

import pytest
from playwright.async_api import Browser, Page, StorageState

from shared.portal.languages import LANGUAGES
from tests import app_functions
from tests.local.cloud import LocalCloud
from tests.portal.browser.axe import violations
from tests.portal.browser.person import Habits, Person
from tests.portal.browser.signing_in import account, sign_in_as
from tests.portal.conftest import NewPerson
from tests.portal.hostile import FOUND, NAMES, hostile_company
from tests.portal.pages import PAGES, Look

WIDTHS = (1440, 1280, 1024, 960, 700, 360)
"""No page is wider than these windows, which lie on both sides of each layout change."""
UNSEEN = frozenset(
    {
        "runs/{id}/results.csv",
        "settings/audit.csv",
        "settings/export.json",
        "{*unknown}",
        "help/{tenant}/{key}",
    }
)
"""Routes that show no page, such as downloads."""
MOST_BYTES = 150_000
_ORIGINAL, *TRANSLATED = LANGUAGES
"""The language in which texts are written, and those of the translations."""


@pytest.fixture(scope="module")
async def company(cloud: LocalCloud) -> AsyncIterator[dict[str, str]]:
    """The ids of what the pages of a tenant with hostile names show."""
    world, ids = await hostile_company(cloud.client)
    yield ids
    await world.drop_imports()


@pytest.fixture(scope="module")
async def signed_in(browser: Browser, cloud: LocalCloud, company: dict[str, str]) -> StorageState:
    """The cookies of its admin, whose name is hostile as well."""
    person = await Person.open_window(browser, cloud)
    await sign_in_as(
        person.page, await account(cloud.client, company["tenant"], NAMES[0], oid=company["person"])
    )
    state = await person.context.storage_state()
    await person.leave()
    return state


async def seated(
    new_person: NewPerson, signed_in: StorageState, look: Look, **habits: Unpack[Habits]
) -> Page:
    """Return the page of a person who may see this look, in a new window."""
    if look.signed_in:
        habits["storage_state"] = signed_in
    person = await new_person(**habits)
    person.expects(look.status, 422)
    return person.page


@pytest.mark.parametrize("language", TRANSLATED)
@pytest.mark.parametrize("look", PAGES, ids=[look.name for look in PAGES])
async def test_page_is_accessible_and_safe_with_hostile_names(
    new_person: NewPerson,
    company: dict[str, str],
    signed_in: StorageState,
    look: Look,
    language: str,
) -> None:
    """In the translations, whose words are longer: in both color schemes and at all widths."""
    page = await seated(new_person, signed_in, look, locale=language)

    await look.open(page, company)
    slipped = await page.evaluate(FOUND)
    light = await violations(page)
    # With motion, colors would still be changing from light to dark.
    await page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    dark = await violations(page, "color-contrast")
    too_wide = []
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 740})
        if await page.evaluate("document.documentElement.scrollWidth") > width:
            too_wide.append(width)
    sizes = await page.evaluate(
        "performance.getEntries().filter(e => ['navigation', 'resource'].includes(e.entryType))"
        ".map(e => [e.name, e.decodedBodySize])"
    )

    assert slipped == []
    assert light == []
    assert dark == []
    assert too_wide == []
    assert await page.get_attribute("html", "lang") == language
    assert sum(size for _, size in sizes) < MOST_BYTES, sizes


def test_every_page_route_is_in_pages() -> None:
    """An id may have another name in `PAGES`."""

    def shape(path: str) -> str:
        whole = re.sub(r"\{\w+:maxlength\(0\)\?\}", "", path).split("?")[0].strip("/")
        return re.sub(r"\{\w+\}", "{}", whole)

    looked_at = {shape(look.path) for look in PAGES}
    shown = {r.path for r in app_functions.PAGES if r.method == "GET"} - UNSEEN

    assert {path for path in shown if shape(path) not in looked_at} == set()
