"""Microsoft Graph is unavailable: pages show what they have and say what is missing."""

import re

import pytest

from tests.end_to_end.signed_in import browser_of, only_import, press, text_of
from tests.local.client import Client
from tests.world import World

UNAVAILABLE = {
    "en": "Microsoft 365 isn't responding right now. Try again in a minute.",
    "de": (
        "Microsoft 365 ist derzeit nicht erreichbar. Versuchen Sie es in einer Minute noch einmal."
    ),
}


@pytest.mark.parametrize("language", UNAVAILABLE)
async def test_page_shows_stored_data_and_says_that_microsoft_is_not_responding(
    client: Client, world: World, language: str
) -> None:
    await world.import_((await world.share())["id"])
    run, mailbox = (await only_import(world))["lastRun"], world.targets[0]
    ada = await browser_of(client, world, language=language)
    await client.fault(".*", {"status": 503}, times=1000, tenant=world.tenant)

    pages = {
        path: await ada.open(path)
        for path in (
            f"/runs/{run}?q=person",
            "/licenses?q=person",
            f"/find/{mailbox}",
            f"/find/{world.people[0]}/everywhere",
        )
    }

    assert [page.status for page in pages.values()] == [200] * 4
    for path, page in pages.items():
        assert UNAVAILABLE[language] in text_of(page), path
    assert f'href="/imports/{(await only_import(world))["id"]}"' in pages[f"/find/{mailbox}"].text


@pytest.mark.parametrize("language", UNAVAILABLE)
async def test_page_that_needs_microsoft_says_so_in_the_visitors_language(
    client: Client, world: World, language: str
) -> None:
    share = (await world.share())["id"]
    ada = await browser_of(client, world, language=language)
    page = await ada.open("/imports/new")
    await client.fault(".*", {"status": 503}, times=1000, tenant=world.tenant)

    shown = await press(ada, page, f"pick:{share}")

    assert shown.status == 503
    assert UNAVAILABLE[language] in text_of(shown)
    assert not re.search(r"\b503\b", text_of(shown))
