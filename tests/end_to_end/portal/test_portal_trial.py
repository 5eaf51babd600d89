"""What pages say about the trial and licenses: before the trial, during it, and after it."""

import re

from tests.end_to_end.browser import Browser, Shown
from tests.end_to_end.signed_in import browser_of, press, text_of
from tests.local.client import Client
from tests.world import World


async def targets_page(ada: Browser, world: World) -> Shown:
    """Return the wizard's page of targets with all of the world's targets chosen."""
    share = (await world.share())["id"]
    targets = await ada.open(f"/imports/new?share={share}")
    return await press(ada, targets, "search", users=world.targets)


async def test_wizard_says_that_the_first_import_starts_the_trial(
    client: Client, world: World
) -> None:
    english = text_of(await targets_page(await browser_of(client, world), world))
    german = text_of(await targets_page(await browser_of(client, world, language="de"), world))

    assert "Your trial starts with this import. For 30 days, every mailbox is synced" in english
    assert "30 Tage lang wird jedes Postfach synchronisiert" in german
    assert "not enough licenses" not in english


async def test_wizard_says_during_the_trial_how_many_mailboxes_wait_after_it(
    world: World, ada: Browser
) -> None:
    await world.import_((await world.share())["id"])

    said = text_of(await targets_page(ada, world))

    assert "Every mailbox is synced until the trial ends." in said
    assert "2 mailboxes of your organization will wait for a license" in said


async def test_wizard_says_after_the_trial_that_licenses_are_missing(
    client: Client, world: World
) -> None:
    await world.import_((await world.share())["id"])
    await world.days_pass(31)
    ada = await browser_of(client, world)

    said = text_of(await targets_page(ada, world))

    assert "There are not enough licenses." in said
    assert "2 mailboxes wait for a license until you book more" in said
    assert "until the trial ends" not in said


async def test_licenses_page_shows_remaining_trial_days_and_terms(
    client: Client, world: World
) -> None:
    await world.import_((await world.share())["id"])
    await world.api.put("/licenses", {"booked": 2})

    running = text_of(await (await browser_of(client, world)).open("/licenses"))
    await world.days_pass(31)
    over = text_of(await (await browser_of(client, world)).open("/licenses"))

    assert "30 days left" in running
    assert re.search(r"Booked 2 licenses since \d", running)
    assert "Bookings and cancellations take effect immediately" in running
    assert "days left" not in over
    assert re.search(r"Trial ended on \d", over)


async def test_seats_lost_with_the_trial_wait_even_before_the_next_run(
    client: Client, world: World
) -> None:
    await world.import_((await world.share())["id"])
    await world.drop_imports()
    await world.days_pass(31)
    ada = await browser_of(client, world)

    page = await ada.open("/licenses")
    searched = await ada.open(f"/licenses?q={world.users[world.targets[0]]['mail']}")
    mailbox = await ada.open(f"/find/{world.targets[0]}")
    seats = await world.api.all("/licenses/assignments")

    assert "Mailboxes waiting 2" in text_of(page)
    for shown in (page, searched, mailbox):
        assert "waiting for a license" in shown.text
        assert "license assigned" not in shown.text
    assert all(seat["waiting"] for seat in seats)
