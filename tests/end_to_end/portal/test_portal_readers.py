"""Readers get links only to pages that they may open."""

import re

import pytest

from tests.end_to_end.browser import Browser, Shown
from tests.end_to_end.signed_in import browser_of, text_of
from tests.local.client import Client
from tests.world import World


async def refused(reader: Browser, page: Shown) -> list[str]:
    """Return the page's links that the reader cannot open."""
    links = set(re.findall(r'href="(/[^"#]*)', page.text.partition("<main")[2]))
    return [link for link in sorted(links) if (await reader.open(link)).status != 200]


async def test_pages_that_need_attention_link_readers_only_to_pages_they_may_open(
    client: Client, world: World
) -> None:
    guard = {"deletes": 0, "deleteShare": 0}
    made = await world.import_((await world.share())["id"], guard=guard)
    await world.members(world.people[:1])
    await world.next_day()
    held = await browser_of(client, world, "Reader")
    asked = await held.open("/")
    await world.days_pass(31)
    await client.settle()
    rita = await browser_of(client, world, "Reader")
    seatless = await rita.open("/")
    mailbox = await rita.open(f"/find/{world.targets[0]}")

    assert "A sync needs your review." in text_of(asked)
    assert "2 mailboxes have no license." in text_of(seatless)
    assert "waiting for a license" in text_of(mailbox)
    licenses = await rita.open("/licenses")
    for shown in (seatless, licenses):
        told = r"On \S.*?, 10 contacts will be removed from 2 mailboxes that have no license\."
        assert re.search(told, text_of(shown))
    assert re.search(r"5 contacts will be removed from 1 mailbox", text_of(mailbox))
    for page in (asked, seatless, mailbox, await rita.open(f"/imports/{made['id']}")):
        assert await refused(rita, page) == []


async def test_reader_is_told_what_a_reader_may_do(client: Client, world: World) -> None:
    rita, ada = await browser_of(client, world, "Reader"), await browser_of(client, world)

    assert "You have read-only access." in text_of(await rita.open("/"))
    assert "shown to Admins only" in text_of(await rita.open("/settings"))
    assert "Read-only access" in (await rita.open("/shares")).text
    assert "ead-only access." not in text_of(await ada.open("/"))
    assert "Read-only access" not in (await ada.open("/shares")).text


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("en", "There is no page at this address."),
        ("de", "Unter dieser Adresse gibt es keine Seite."),
    ],
)
async def test_unknown_address_is_a_page_with_ways_to_go_on(
    client: Client, language: str, told: str
) -> None:
    browser = Browser(client, language=language)

    for path in ("/nothing", "/shares/a/b/c", "/index.php?x=<script>"):
        shown = await browser.open(path)
        assert shown.status == 404
        assert told in text_of(shown)
        assert 'class="button main" href="/"' in shown.text
        assert 'href="mailto:support@service.invalid"' in shown.text
        assert "<script>" not in shown.text.partition("<main")[2]
    call = await browser.open("/api/v1/nothing")
    assert (call.status, call.headers["content-type"]) == (404, "application/problem+json")


async def test_reader_sees_that_consent_was_withdrawn_but_no_link_to_grant_it(
    client: Client, world: World
) -> None:
    made = await world.import_((await world.share())["id"])
    await client.consent(world.tenant, granted=False)
    # A cached token keeps working until it expires, as in reality.
    await client.fault(".*", {"status": 403}, times=1000, tenant=world.tenant)
    await world.next_day()
    await client.clear_faults()
    rita = await browser_of(client, world, "Reader")

    for path in ("/", f"/imports/{made['id']}"):
        page = await rita.open(path)
        assert "consent" in text_of(page).lower()
        assert 'href="/consent"' not in page.text.partition("<main")[2]
