"""Licenses in a browser without scripts: who has one, and what a booking would change."""

import re

import pytest

from tests.end_to_end.browser import Browser
from tests.end_to_end.signed_in import browser_of, press, text_of
from tests.local.client import Client
from tests.world import World


async def test_booking_shows_its_effect_first_and_can_be_undone(world: World, ada: Browser) -> None:
    page = await ada.open("/licenses/book")
    shown = await press(ada, page, "show", booked="3")
    assert "After the change" in shown.text
    assert "Price per license and month €1.50 Total per month now €0.00" in text_of(shown)
    assert "Total per month after the change €4.50" in text_of(shown)
    assert (await world.api.get("/licenses"))["booked"] == 0

    booked = await press(ada, shown, "book")
    assert "3 licenses are booked. Total per month: €4.50, plus VAT." in booked.text
    assert "Total per month €4.50, plus VAT" in text_of(await ada.open("/licenses"))
    assert (await world.api.get("/licenses"))["booked"] == 3
    undone = await ada.submit(booked, "/licenses/book")

    assert undone.status == 200
    assert (await world.api.get("/licenses"))["booked"] == 0


async def test_number_is_booked_only_after_its_effect_was_shown(world: World, ada: Browser) -> None:
    await world.api.put("/licenses", {"booked": 2})

    unseen = await press(ada, await ada.open("/licenses/book"), "book", booked="0")
    assert "After the change" in unseen.text
    assert "Cancel 2 licenses" in unseen.text
    another = await press(ada, unseen, "book", booked="5")
    assert "Book 3 licenses" in another.text
    assert (await world.api.get("/licenses"))["booked"] == 2
    await press(ada, another, "book")

    assert (await world.api.get("/licenses"))["booked"] == 5


async def test_mailboxes_that_would_lose_a_license_are_named_before_cancellation(
    client: Client, world: World
) -> None:
    await world.api.put("/licenses", {"booked": 2})
    await world.import_((await world.share())["id"])
    await world.days_pass(31)
    await client.settle()
    ada = await browser_of(client, world)

    shown = await press(ada, await ada.open("/licenses/book"), "show", booked="1")

    assert "1 mailbox loses its license" in shown.text
    assert re.search(r'value="book" class="main danger">Cancel 1 license<', shown.text)
    assert any(str(world.users[t]["mail"]) in shown.text for t in world.targets)
    assert (await world.api.get("/licenses"))["booked"] == 2


@pytest.mark.parametrize("typed", ["", "-1", "many", "1.5", "99999999"])
async def test_invalid_number_of_licenses_is_reported_at_its_field(
    world: World, ada: Browser, typed: str
) -> None:
    shown = await press(ada, await ada.open("/licenses/book"), "book", booked=typed)

    assert shown.status == 422
    assert 'id="booked-error"' in shown.text
    assert (await world.api.get("/licenses"))["booked"] == 0


async def test_concurrent_booking_is_reported_and_nothing_is_booked(
    world: World, ada: Browser
) -> None:
    page = await press(ada, await ada.open("/licenses/book"), "show", booked="2")
    await world.api.put("/licenses", {"booked": 7})

    shown = await press(ada, page, "book")

    assert shown.status == 422
    assert "Currently booked: 7" in shown.text
    assert (await world.api.get("/licenses"))["booked"] == 7


async def test_mailboxes_with_a_license_are_listed_and_searched(world: World, ada: Browser) -> None:
    await world.import_((await world.share())["id"])
    first, second = (str(world.users[t]["mail"]) for t in world.targets)

    everybody = await ada.open("/licenses")
    one = await ada.open(f"/licenses?q={first}")
    nobody = await ada.open("/licenses?q=nobodyatall")

    assert first in everybody.text
    assert second in everybody.text
    assert second not in one.text
    assert "No matching mailboxes" in nobody.text


async def test_reader_can_view_licenses_but_not_book(client: Client, world: World) -> None:
    rita = await browser_of(client, world, "Reader")

    assert "/licenses/book" not in (await rita.open("/licenses")).text
    assert (await rita.open("/licenses/book")).status == 403


@pytest.mark.parametrize(
    ("language", "said", "most"),
    [
        ("en", "12,345 licenses are booked.", "must be at most 1,000,000"),
        ("de", "12.345 Lizenzen", "darf höchstens 1.000.000 sein"),
    ],
)
async def test_numbers_are_formatted_for_the_language(
    client: Client, world: World, language: str, said: str, most: str
) -> None:
    ada = await browser_of(client, world, language=language)
    page = await ada.open("/licenses/book")

    refused = await press(ada, page, "book", booked="99999999")
    shown = await press(ada, page, "book", booked="12345")
    booked = await press(ada, shown, "book")

    assert most in text_of(refused)
    assert said in text_of(booked)
    assert "12345" not in text_of(booked)
