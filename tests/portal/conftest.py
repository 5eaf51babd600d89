"""One browser for all tests of a worker, and a new window for each test."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from playwright.async_api import Browser

from tests.local.client import Client
from tests.local.cloud import LocalCloud
from tests.portal.browser.chromium import chromium
from tests.portal.browser.person import Person

type NewPerson = Callable[..., Awaitable[Person]]


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Headless Chromium."""
    async with chromium() as running:
        yield running


@pytest.fixture
async def new_person(
    browser: Browser, cloud: LocalCloud, client: Client
) -> AsyncIterator[NewPerson]:
    """A factory of people with `Habits`. Whatever goes wrong in their browsers fails the test."""
    del client  # The windows close before the faults are cleared.
    seated: list[Person] = []

    async def open_window(**habits: object) -> Person:
        made = await Person.open_window(browser, cloud, **habits)  # type: ignore[arg-type]
        seated.append(made)
        return made

    yield open_window
    for made in seated:
        await made.context.close()
    for made in seated:
        await made.leave()


@pytest.fixture
async def person(new_person: NewPerson) -> Person:
    """A person with a desktop, English and the light color scheme, who is not signed in."""
    return await new_person()
