"""The pages for one mailbox of an import, in a browser without scripts."""

import json
import re
from datetime import UTC, datetime, timedelta

from azure.data.tables.aio import TableServiceClient

from tests.end_to_end.browser import Browser
from tests.end_to_end.signed_in import text_of
from tests.local.client import Client
from tests.local.cloud import LocalCloud
from tests.world import World


async def test_mailbox_of_an_import_can_be_previewed(world: World, ada: Browser) -> None:
    made = await world.import_((await world.share())["id"])
    at = f"/imports/{made['id']}/preview"
    name = world.users[world.targets[0]]["displayName"]

    found = await ada.open(f"{at}?q={name.replace(' ', '+')}")
    assert f"{at}?mailbox={world.targets[0]}" in found.text
    shown = await ada.open(f"{at}?mailbox={world.targets[0]}")
    assert "Nothing would change" in shown.text
    other = await ada.open(f"{at}?mailbox={world.people[0]}")

    assert other.status == 422
    assert "This mailbox is not a target of the import." in other.text


async def test_preview_says_that_a_run_would_be_held(world: World, ada: Browser) -> None:
    guard = {"deletes": 0, "deleteShare": 0}
    made = await world.import_((await world.share())["id"], guard=guard)
    await world.members(world.people[:2])
    await world.client.settle()

    at = f"/imports/{made['id']}/preview?mailbox={world.targets[0]}"
    shown = text_of(await ada.open(at))

    assert "This sync would need your review. It would delete or update more contacts" in shown
    assert "approve" not in shown


async def test_preview_says_that_a_run_is_using_the_mailbox(
    cloud: LocalCloud, world: World, ada: Browser
) -> None:
    made = await world.import_((await world.share())["id"])
    held = {
        "PartitionKey": f"{world.tenant}|mailbox|{world.targets[0]}",
        "RowKey": "lease",
        "body00": json.dumps({"until": (datetime.now(UTC) + timedelta(minutes=1)).isoformat()}),
    }
    async with TableServiceClient.from_connection_string(cloud.addresses["storage"]) as tables:
        await tables.get_table_client("Leases").upsert_entity(held)

    page = await ada.open(f"/imports/{made['id']}/preview?mailbox={world.targets[0]}")

    assert page.status == 422
    assert "A sync or another change is in progress. Try again in a minute." in page.text


async def test_contacts_of_another_tool_are_adopted_after_confirmation(
    client: Client, world: World, ada: Browser
) -> None:
    mailbox, person = world.targets[0], world.users[world.people[0]]
    await client.add_folder(world.tenant, mailbox, "Old tool")
    await client.add_contact(
        world.tenant,
        mailbox,
        folder="Old tool",
        displayName=person["displayName"],
        emailAddresses=[{"address": person["mail"]}],
    )
    made = await world.import_((await world.share())["id"], settle=False, active=False)
    await client.settle()
    at = f"/imports/{made['id']}/adopt"

    shown = await ada.open(f"{at}?mailbox={mailbox}&folder=Old+tool")
    assert "1 contact matches a person in the share" in text_of(shown)
    taken = [f for f in shown.text.split("<form") if 'name="confirm"' in f]
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', taken[0]))
    done = await ada.open(at, "POST", list(fields.items()))

    assert "This import now keeps 1 contact up to date." in done.text
    assert len(await client.folder(world.tenant, mailbox)) == 1


async def test_invalid_mailbox_or_folder_is_reported_at_its_field(
    world: World, ada: Browser
) -> None:
    made = await world.import_((await world.share())["id"], active=False)
    at, mailbox = f"/imports/{made['id']}", world.targets[0]

    no_target = await ada.open(f"{at}/preview?mailbox={world.people[0]}")
    no_id = await ada.open(f"{at}/adopt?mailbox=a/b")
    no_folder = await ada.open(f"{at}/adopt?mailbox={mailbox}&folder=Nowhere")
    form = no_folder.form(f"{at}/adopt")
    token = dict(no_folder.form("/sign-out").fields)["token"]
    fields = [*form.fields, ("token", token), ("confirm", "0" * 24)]
    sent = await ada.open(f"{at}/adopt", "POST", fields)

    for page, field, said in (
        (no_target, "q", "This mailbox is not a target of the import."),
        (no_id, "q", "is not an object ID: a/b."),
        (no_folder, "folder", "The mailbox has no contact folder with this name."),
        (sent, "folder", "The mailbox has no contact folder with this name."),
    ):
        assert page.status == 422, said
        assert f'id="{field}-error">{said}' in page.text
        assert re.search(rf'<input id="{field}"[^>]* aria-invalid="true"', page.text)
        assert f'<a href="#{field}">' in page.text
    assert ("folder", "Nowhere") in sent.form(f"{at}/adopt").fields
