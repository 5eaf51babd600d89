"""Every page of `PAGES`: usable by everybody, light and dark, at any width, in both languages."""

import re
from collections.abc import AsyncIterator
from typing import Unpack

import pytest
from playwright.async_api import Browser, Page, StorageState

from tests import routes
from tests.local.cloud import LocalCloud
from tests.portal.axe import violations
from tests.portal.conftest import NewPerson
from tests.portal.hostile import FOUND, NAMES, hostile_company
from tests.portal.pages import PAGES, Look
from tests.portal.person import Habits, Person
from tests.portal.signing_in import account, sign_in_as

WIDTHS = (1440, 1280, 1024, 960, 700, 360)
"""A page is never wider than these windows, on both sides of where its layout changes."""
UNSEEN = frozenset({"runs/{id}/results.csv", "settings/export.json"})
"""Routes that no person looks at, such as downloads."""
MOST_BYTES = 150_000


@pytest.fixture(scope="module")
async def company(cloud: LocalCloud) -> AsyncIterator[dict[str, str]]:
    """The ids of what the pages of a company with hostile names show."""
    world, ids = await hostile_company(cloud.client)
    yield ids
    await world.rest()


@pytest.fixture(scope="module")
async def signed_in(browser: Browser, cloud: LocalCloud, company: dict[str, str]) -> StorageState:
    """The cookies of its admin, whose name is as bad."""
    person = await Person.sit_down(browser, cloud)
    await sign_in_as(
        person.page, await account(cloud.client, company["tenant"], NAMES[0], oid=company["person"])
    )
    state = await person.context.storage_state()
    await person.leave()
    return state


async def seated(
    new_person: NewPerson, signed_in: StorageState, look: Look, **habits: Unpack[Habits]
) -> Page:
    """The page of somebody who may see it, in a new window."""
    if look.signed_in:
        habits["storage_state"] = signed_in
    person = await new_person(**habits)
    person.expects(look.status, 422)
    return person.page


@pytest.mark.parametrize("look", PAGES, ids=[look.name for look in PAGES])
async def test_a_page_can_be_used_by_everybody_whatever_names_it_shows(
    new_person: NewPerson, company: dict[str, str], signed_in: StorageState, look: Look
) -> None:
    """In German, whose words are the longer ones: in the light and the dark, and on a phone."""
    page = await seated(new_person, signed_in, look, locale="de")

    await look.open(page, company)
    slipped = await page.evaluate(FOUND)
    in_the_light = await violations(page)
    # A color that is still on its way from light to dark has the contrast of neither.
    await page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    in_the_dark = await violations(page, "color-contrast")
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
    assert in_the_light == []
    assert in_the_dark == []
    assert too_wide == []
    assert await page.get_attribute("html", "lang") == "de"
    assert sum(size for _, size in sizes) < MOST_BYTES, sizes


def test_every_page_is_looked_at() -> None:
    """As `PAGES` names them; an id may have another name there."""

    def shape(path: str) -> str:
        whole = re.sub(r"\{\w+:maxlength\(0\)\?\}", "", path).split("?")[0].strip("/")
        return re.sub(r"\{\w+\}", "{}", whole)

    looked_at = {shape(look.path) for look in PAGES}
    shown = {r.path for r in routes.PAGES if r.method == "GET"} - UNSEEN

    assert {path for path in shown if shape(path) not in looked_at} == set()
