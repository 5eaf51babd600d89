"""Every page of `PAGES`: usable by everybody, light and dark, at any width, in both languages."""

from collections.abc import AsyncIterator
from typing import Unpack

import pytest
from playwright.async_api import Browser, Page, StorageState

from tests.local.cloud import LocalCloud
from tests.portal.axe import violations
from tests.portal.conftest import NewPerson
from tests.portal.pages import PAGES, Look, ids_of
from tests.portal.person import Habits, Person
from tests.portal.signing_in import account, sign_in_as
from tests.world import World

NARROW = 360
MOST_BYTES = 150_000


@pytest.fixture(scope="module")
async def company(cloud: LocalCloud) -> AsyncIterator[dict[str, str]]:
    """A company that has made one import: the ids of what its pages show."""
    world = await World.create(cloud.client)
    made = await world.import_((await world.share())["id"])
    yield ids_of(
        made,
        tenant=world.tenant,
        mailbox=world.targets[0],
        person=world.people[0],
    )
    await world.rest()


@pytest.fixture(scope="module")
async def signed_in(
    browser: Browser, cloud: LocalCloud, company: dict[str, str]
) -> StorageState | None:
    """The cookies of its admin; None as long as no page asks for them."""
    if not any(look.signed_in for look in PAGES):
        return None
    person = await Person.sit_down(browser, cloud)
    await sign_in_as(person.page, await account(cloud.client, company["tenant"]))
    state = await person.context.storage_state()
    await person.leave()
    return state


async def seated(
    new_person: NewPerson, signed_in: StorageState | None, look: Look, **habits: Unpack[Habits]
) -> Page:
    """The page of somebody who may see it, in a new window."""
    if look.signed_in and signed_in:
        habits["storage_state"] = signed_in
    person = await new_person(**habits)
    person.expects(look.status, 422)
    return person.page


@pytest.mark.parametrize("look", PAGES, ids=[look.name for look in PAGES])
async def test_a_page_can_be_used_by_everybody_in_the_light_and_in_the_dark(
    new_person: NewPerson, company: dict[str, str], signed_in: StorageState | None, look: Look
) -> None:
    page = await seated(new_person, signed_in, look)

    await look.open(page, company)
    in_the_light = await violations(page)
    await page.emulate_media(color_scheme="dark")
    in_the_dark = await violations(page, "color-contrast")

    assert in_the_light == []
    assert in_the_dark == []


@pytest.mark.parametrize("locale", ["en", "de"])
@pytest.mark.parametrize("look", PAGES, ids=[look.name for look in PAGES])
async def test_a_page_speaks_the_language_and_fits_a_phone(
    new_person: NewPerson,
    company: dict[str, str],
    signed_in: StorageState | None,
    look: Look,
    locale: str,
) -> None:
    page = await seated(new_person, signed_in, look, locale=locale)

    await look.open(page, company)
    await page.set_viewport_size({"width": NARROW, "height": 740})
    wide = await page.evaluate("document.documentElement.scrollWidth")
    sizes = await page.evaluate(
        "performance.getEntries().filter(e => ['navigation', 'resource'].includes(e.entryType))"
        ".map(e => [e.name, e.decodedBodySize])"
    )

    assert wide <= NARROW
    assert await page.get_attribute("html", "lang") == locale
    assert sum(size for _, size in sizes) < MOST_BYTES, sizes
