"""What pages say of the trial and of seats: before it begins, while it runs, and after it ended."""

import re

from tests.end_to_end.browser import Browser, Shown
from tests.end_to_end.signed_in import browser_of, press, text_of
from tests.local.client import Client
from tests.world import World


async def asked_for_targets(ada: Browser, world: World) -> Shown:
    """The wizard's page of targets, where all of the world's are chosen."""
    share = (await world.share())["id"]
    targets = await press(ada, await ada.open(f"/imports/new?share={share}"), "next")
    return await press(ada, targets, "search", users=world.targets)


async def test_before_the_first_import_the_wizard_says_that_the_trial_begins_with_it(
    client: Client, world: World
) -> None:
    english = text_of(await asked_for_targets(await browser_of(client, world), world))
    german = text_of(await asked_for_targets(await browser_of(client, world, language="de"), world))

    assert "Your trial begins with this import: for 30 days every mailbox is served" in english
    assert "30 Tage lang wird jedes Postfach versorgt" in german
    assert "not enough seats" not in english


async def test_while_the_trial_runs_the_wizard_says_who_waits_after_it(
    world: World, ada: Browser
) -> None:
    await world.import_((await world.share())["id"])

    said = text_of(await asked_for_targets(ada, world))

    assert "Until the trial ends every mailbox is served." in said
    assert "2 mailboxes of your company would wait for a seat" in said


async def test_after_the_trial_the_wizard_says_that_seats_are_missing(
    client: Client, world: World
) -> None:
    await world.import_((await world.share())["id"])
    await world.days_pass(31)
    ada = await browser_of(client, world)

    said = text_of(await asked_for_targets(ada, world))

    assert "There are not enough seats." in said
    assert "2 mailboxes wait for a seat until you book more" in said
    assert "Until the trial ends" not in said


async def test_the_licenses_page_tells_the_days_that_are_left_and_the_term(
    client: Client, world: World
) -> None:
    await world.import_((await world.share())["id"])
    await world.api.put("/licenses", {"booked": 2})

    running = text_of(await (await browser_of(client, world)).open("/licenses"))
    await world.days_pass(31)
    over = text_of(await (await browser_of(client, world)).open("/licenses"))

    assert "30 days left" in running
    assert re.search(r"Booked 2 seats since \d", running)
    assert "Booking and canceling seats take effect at once" in running
    assert "days left" not in over
    assert re.search(r"Trial ended on \d", over)


async def test_seats_that_fell_away_with_the_trial_are_shown_so_before_the_next_run(
    client: Client, world: World
) -> None:
    await world.import_((await world.share())["id"])
    await world.rest()
    await world.days_pass(31)
    ada = await browser_of(client, world)

    page = await ada.open("/licenses")
    searched = await ada.open(f"/licenses?q={world.users[world.targets[0]]['mail']}")
    mailbox = await ada.open(f"/find/{world.targets[0]}")
    seats = await world.api.all("/licenses/seats")

    assert "Mailboxes waiting 2" in text_of(page)
    for shown in (page, searched, mailbox):
        assert "waits for a seat" in shown.text
        assert "has a seat" not in shown.text
    assert all(seat["waiting"] for seat in seats)
