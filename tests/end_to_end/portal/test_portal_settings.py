"""The settings pages in a browser without scripts: consent, audit log, export, leaving."""

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from itertools import batched

from azure.data.tables.aio import TableServiceClient

from tests.end_to_end.browser import Browser, Shown
from tests.end_to_end.signed_in import browser_of, press, text_of
from tests.local.client import Client
from tests.local.cloud import LocalCloud
from tests.portal.browser.signing_in import account
from tests.world import World


def link_to(page: Shown, words: str) -> str:
    """Return the target of the link with this text."""
    (href,) = re.findall(rf'<a [^>]*href="([^"]*)"[^>]*>{words}</a>', page.text)
    return unescape(href)


async def test_consent_can_be_checked(client: Client, world: World, ada: Browser) -> None:
    page = await ada.open("/settings")
    works = await press(ada, page, "check")
    await client.consent(world.tenant, granted=False)
    gone = await press(ada, page, "check")

    assert "The consent is valid" in works.text
    assert "granted" in page.text
    assert gone.path == "/settings"
    assert "could not be confirmed" in gone.text


async def test_help_page_is_open_to_whoever_has_its_current_link(
    client: Client, world: World, ada: Browser
) -> None:
    await world.import_((await world.share())["id"], settle=False)
    stranger, field = Browser(client, language="de"), r'id="help-link" value="[^"]*?(/help/[^"]+)"'

    opened = await ada.submit(await ada.open("/settings"), "/settings", do="open-help")
    (first,) = re.findall(field, opened.text)
    page = await stranger.open(first)
    renewed = await ada.submit(opened, "/settings", do="open-help")
    (second,) = re.findall(field, renewed.text)
    old, new = await stranger.open(first), await stranger.open(second)
    closed = await ada.submit(renewed, "/settings", do="close-help")

    assert page.status == new.status == 200
    assert "Welche Rufnummern zeigen einen Namen?" in text_of(page)
    assert "in einem eigenen Ordner" in text_of(page)
    assert not any(str(user["displayName"]) in page.text for user in world.users.values())
    assert old.status == 404
    assert "The help page is closed." in closed.text
    for link in (second, f"/help/{world.tenant}/x", f"/help/{world.tenant}/", "/help/x/x"):
        assert (await stranger.open(link)).status == 404
    entries = await world.api.all("/ledger?action=tenant.help_page_changed")
    assert [entry["detail"]["open"] for entry in entries] == [False, True, True]


async def test_renaming_can_be_undone_and_blank_name_is_refused(world: World, ada: Browser) -> None:
    await press(ada, await ada.open("/settings"), "rename", name="First")
    second = await press(ada, await ada.open("/settings"), "rename", name="Second")
    wrong = await press(ada, await ada.open("/settings"), "rename", name=" ")
    await ada.submit(second, "/settings", do="rename", name="First")

    assert wrong.status == 422
    assert (await world.api.get("/tenant"))["name"] == "First"


async def test_data_region_is_shown_with_its_country(
    client: Client, world: World, ada: Browser
) -> None:
    english = await ada.open("/settings")
    german = await (await browser_of(client, world, language="de")).open("/settings")

    assert "Netherlands (westeurope)" in english.text
    assert "Niederlande (westeurope)" in german.text


async def test_audit_log_is_filtered_and_paged(world: World, ada: Browser) -> None:
    for n in range(51):
        await world.api.patch("/tenant", {"name": f"Name {n}"})
    await world.share()

    shares = await ada.open("/settings/audit?kind=share")
    all_of_it = await ada.open("/settings/audit")
    none = await ada.open("/settings/audit?until=2020-01-01")
    wrong = await ada.open("/settings/audit?since=yesterday&kind=odd")

    assert "<code>share.created</code>" in shares.text
    assert "<code>tenant.renamed</code>" not in shares.text
    assert 'rel="next"' in all_of_it.text
    assert "No entries" in none.text
    assert wrong.status == 400


async def test_audit_log_names_actors_and_subjects_filters_by_actor_and_downloads_as_csv(
    client: Client, world: World
) -> None:
    mallory = Browser(client)
    formula = '=HYPERLINK("https://evil")'
    share, person = await world.share(), world.people[0]
    await mallory.sign_in(await account(client, world.tenant, formula, oid="mallory-1"))
    await mallory.open(f"/find/{person}/everywhere")
    await mallory.open(f"/shares/{share['id']}?preview")

    text = text_of(await mallory.open("/settings/audit?actor=mallory-1"))
    await mallory.open("/settings/audit.csv?kind=share")
    table = await mallory.open("/settings/audit.csv?actor=mallory-1")
    rows = list(csv.reader(io.StringIO(table.text.removeprefix("\ufeff"))))

    assert f"person viewed access.person {world.users[person]['displayName']} {person}" in text
    assert f"preview viewed access.previewed {share['name']} {share['id']}" in text
    assert "access.signed_in" in text
    assert "published share.created" not in text
    assert "attachment" in table.headers["content-disposition"]
    assert {row[1] for row in rows[1:]} == {f"'{formula}"}
    assert {row[7] for row in rows[1:]} == {"mallory-1"}
    assert ("access.exported", "ledger") in {(row[8], row[9]) for row in rows}


async def test_audit_log_describes_actions_in_words_and_links_to_their_subjects(
    world: World, ada: Browser
) -> None:
    share, gone = await world.share(), await world.share()
    await world.api.send("DELETE", f"/shares/{gone['id']}")

    page = await ada.open("/settings/audit")
    ada.language = "de"
    german = text_of(await ada.open("/settings/audit"))

    assert "share published share.created" in text_of(page)
    assert f'href="/shares/{share["id"]}"' in page.text
    assert "Freigabe zurückgezogen share.withdrawn" in german


async def test_export_is_a_file_with_all_stored_rows(world: World, ada: Browser) -> None:
    share = await world.share()

    got = await ada.open("/settings/export.json")

    assert "attachment" in got.headers["content-disposition"]
    held = json.loads(got.text)
    assert (held["tenant"], held["next"]) == (world.tenant, None)
    assert share["id"] in {item["row"] for item in held["items"]}


async def test_large_export_is_offered_in_parts(
    cloud: LocalCloud, world: World, ada: Browser
) -> None:
    rows = [f"{number:032x}" for number in range(5_100)]

    def suppression(row: str) -> dict[str, str]:
        body = json.dumps({"person": row, "since": "2026-11-23T00:00:00Z"})
        return {"PartitionKey": world.tenant, "RowKey": row, "body00": body}

    async with TableServiceClient.from_connection_string(cloud.addresses["storage"]) as tables:
        for some in batched(rows, 100, strict=True):
            await tables.get_table_client("KeptOut").submit_transaction(
                [("upsert", suppression(row)) for row in some]
            )

    page = await ada.open("/settings/export")
    last = await ada.open(link_to(page, "Go to part 2"))
    files = [
        await ada.open(link_to(page, "Download part 1")),
        await ada.open(link_to(last, "Download part 2")),
    ]

    assert "Rows 1 to 5,000." in text_of(page)
    assert "Rows 5,001 to 5,1" in text_of(last)
    assert "This is the last part." in text_of(last)
    assert "contact-sync-part-2.json" in files[1].headers["content-disposition"]
    parts = [json.loads(file.text) for file in files]
    assert len(parts[0]["items"]) == 5_000
    assert parts[1]["next"] is None
    held = [item["row"] for part in parts for item in part["items"] if item["table"] == "KeptOut"]
    assert sorted(held) == rows


async def test_leaving_requires_the_tenant_id_and_removes_all(
    client: Client,
) -> None:
    world = await World.create(client)
    ada = await browser_of(client, world)
    await world.import_((await world.share())["id"])
    page = await ada.open("/settings/leave")

    refused = await press(ada, page, "", tenant="another")
    assert refused.status == 422
    assert 'id="tenant-error"' in refused.text
    going = await press(ada, refused, "", tenant=world.tenant)
    await world.hours_pass(25)
    after = await ada.sign_in(f"Admin-{world.tenant}")

    assert "asked to leave Contact Sync. From" in going.text
    assert "has left" in after.text
    assert await world.names(world.targets[0]) == []


async def test_changes_are_refused_while_a_tenant_leaves(
    client: Client,
) -> None:
    world = await World.create(client)
    ada = await browser_of(client, world)
    await world.import_((await world.share())["id"])
    await client.fault("/contactFolders", {"status": 503}, times=10_000)
    await press(ada, await ada.open("/settings/leave"), "", tenant=world.tenant)
    await client.clock((datetime.now(UTC) + timedelta(hours=25)).isoformat())
    await client.fire()
    await ada.sign_in(f"Admin-{world.tenant}")
    settings = await ada.open("/settings")

    refused = await press(ada, settings, "rename", name="Late")
    await client.clear_faults()
    await client.settle()

    assert refused.status == 409
    assert "leaving" in refused.text


async def test_reader_can_neither_export_nor_leave(client: Client, world: World) -> None:
    rita = await browser_of(client, world, "Reader")

    for path in ("/settings/export", "/settings/export.json", "/settings/leave"):
        assert (await rita.open(path)).status == 403
    assert (await rita.open("/settings")).status == 200
    assert (await rita.open("/settings/audit")).status == 200
