"""One browser for all tests of a worker; each test sits down at a window of its own."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from playwright.async_api import Browser

from tests.local.client import Client
from tests.local.cloud import LocalCloud
from tests.portal.chromium import chromium
from tests.portal.person import Person

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
    """Somebody with `Habits`; whatever goes wrong in their browser fails the test at its end."""
    del client  # Before the faults are cleared, the windows are closed.
    seated: list[Person] = []

    async def sit_down(**habits: object) -> Person:
        made = await Person.sit_down(browser, cloud, **habits)  # type: ignore[arg-type]
        seated.append(made)
        return made

    yield sit_down
    for made in seated:
        await made.context.close()
    for made in seated:
        await made.leave()


@pytest.fixture
async def person(new_person: NewPerson) -> Person:
    """Somebody with a desktop, English and in the light, whom nobody knows yet."""
    return await new_person()
