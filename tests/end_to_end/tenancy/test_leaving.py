"""Leaving: two confirmations, contacts and folders removed, every row erased, a final report."""

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from azure.data.tables.aio import TableServiceClient

from tests.end_to_end.checks import problem
from tests.end_to_end.signed_in import browser_of
from tests.local.client import Client, Json
from tests.local.cloud import LocalCloud
from tests.world import World


async def rows_containing(cloud: LocalCloud, *traces: str) -> list[str]:
    """Return the rows of all tables that contain any of these texts, in key or value."""
    found = []
    async with TableServiceClient.from_connection_string(
        cloud.environment["AzureWebJobsStorage"]
    ) as service:
        async for table in service.list_tables():
            async for entity in service.get_table_client(table.name).list_entities():
                text = json.dumps(dict(entity), default=str)
                if any(trace in text for trace in traces):
                    found.append(f"{table.name} {entity['PartitionKey']} {entity['RowKey']}")
    return found


async def leave(world: World) -> Json:
    """Leave as an admin does and wait for the end. Return what the dry run showed."""
    shown: Json = await world.api.delete("/tenant", 200)
    path = f"/tenant?confirm={shown['confirm']}&tenant={world.tenant}"
    assert (await world.api.delete(path, 202))["status"] == "leaving"
    await waited(world)
    return shown


async def waited(world: World) -> None:
    """Let the time pass in which leaving can be taken back, and wait until the tenant has left."""
    await world.hours_pass(25)
    world.days += 1


async def assert_mailboxes_empty(world: World, partner: World, theirs: Json) -> None:
    """Check the tenant's mailboxes and, after the partner's next run, the partner's."""
    for mailbox in world.targets:
        box = await world.client.mailbox(world.tenant, mailbox)
        assert [(f["displayName"], f["contacts"]) for f in box["folders"]] == [("Contacts", [])]
    partner.days = world.days
    await partner.next_day()
    assert (await partner.last_run(theirs["id"]))["reason"] == "share_withdrawn"
    assert await partner.names(partner.targets[0]) == []


async def test_leaving_shows_effect_and_requires_code_and_tenant_id(world: World) -> None:
    await world.import_((await world.share())["id"])

    shown = await world.api.delete("/tenant", 200)
    other = await world.api.send(
        "DELETE", f"/tenant?confirm={shown['confirm']}&tenant=somebody-else"
    )
    wrong = await world.api.send("DELETE", f"/tenant?confirm=000000000000&tenant={world.tenant}")

    assert {k: shown[k] for k in ("imports", "mailboxes", "shares", "partners")} == {
        "imports": 1, "mailboxes": 2, "shares": 1, "partners": 0,
    }  # fmt: skip
    problem(other, 400, "invalid-input")
    problem(wrong, 409, "conflict")
    assert (await world.api.get("/tenant"))["status"] == "connected"
    assert await world.names(world.targets[0]) == world.expected()


async def test_confirmation_code_does_not_cover_later_changes(world: World) -> None:
    shown = await world.api.delete("/tenant", 200)
    await world.share()

    late = await world.api.send(
        "DELETE", f"/tenant?confirm={shown['confirm']}&tenant={world.tenant}"
    )

    problem(late, 409, "conflict")


async def test_leaving_erases_everything_except_final_ledger_entry(
    cloud: LocalCloud, client: Client
) -> None:
    world = await World.create(client)
    partner = await World.create(client)
    share = await world.share()
    await world.import_(share["id"])
    await world.import_((await partner.share())["shareId"], name="Theirs")
    theirs = await partner.import_(share["shareId"])
    await world.api.put("/licenses", {"booked": 3})
    await world.next_day()

    await leave(world)

    people = [*world.people, *world.targets]
    names = [user["mail"] for user in world.users.values()]
    rows = await rows_containing(cloud, world.tenant, *people, *names)
    partners = [row for row in rows if partner.tenant in row]
    assert [row.split()[0] for row in rows if row not in partners] == ["Ledger"]
    await assert_mailboxes_empty(world, partner, theirs)
    assert not [r for r in await rows_containing(cloud, world.tenant) if not r.startswith("Ledger")]


async def test_final_report_counts_removed_contacts_and_lists_remaining_mailboxes(
    client: Client,
) -> None:
    world = await World.create(client)
    await world.import_((await world.share())["id"])
    gone = world.targets[1]
    await client.delete_user(world.tenant, gone)

    await leave(world)
    left = await world.api.get("/tenant")

    assert left["status"] == "left"
    report = left["report"]
    assert (report["imports"], report["shares"]) == (1, 1)
    assert (report["contacts"], report["remaining"]) == (5, 1)
    assert report["remainingMailboxes"] == [gone]
    assert "Enterprise applications" in report["inEntra"]


async def test_tenant_that_left_is_refused_until_it_joins_again(
    client: Client,
) -> None:
    world = await World.create(client)
    await world.import_((await world.share())["id"])
    trial = await world.api.get("/licenses")
    await leave(world)

    refused = await world.api.send("GET", "/shares")
    joined = await world.api.post("/tenant/consent", None, 200)

    problem(refused, 403, "tenant-left")
    assert joined["status"] == "connected"
    assert await world.api.all("/shares") == []
    assert (await world.api.get("/licenses"))["trialEnds"] == trial["trialEnds"]
    assert (await world.api.get("/tenant"))["status"] == "connected"


async def test_leaving_tenant_is_read_only(client: Client) -> None:
    world = await World.create(client)
    share = await world.share()
    await world.import_(share["id"])
    await client.fault("/contacts", {"delay_ms": 1500}, times=3, tenant=world.tenant)
    shown = await world.api.delete("/tenant", 200)
    path = f"/tenant?confirm={shown['confirm']}&tenant={world.tenant}"
    await world.api.delete(path, 202)
    asked = await world.api.send("PATCH", f"/shares/{share['id']}", {"name": "Before"})
    await world.client.clock((datetime.now(UTC) + timedelta(hours=25)).isoformat())
    await world.client.fire()

    changed = await world.api.send("PATCH", f"/shares/{share['id']}", {"name": "Other"})
    seen = await world.api.send("GET", "/tenant")
    again = await world.api.send("DELETE", path)
    await client.settle()

    assert asked.status == 200
    problem(changed, 409, "conflict")
    assert seen.status == 200
    assert again.status in {202, 403}
    assert (await world.api.get("/tenant"))["status"] == "left"


async def test_leaving_waits_a_day_and_can_be_taken_back(client: Client, world: World) -> None:
    """What a stolen session does in two calls, another admin sees and undoes."""
    made = await world.import_((await world.share())["id"])
    thief = await client.api(world.tenant, oid="thief", name="Theo Thief")
    ada = await browser_of(client, world)
    shown = await thief.delete("/tenant", 200)
    path = f"/tenant?confirm={shown['confirm']}&tenant={world.tenant}"

    asked = await thief.delete(path, 202)
    await world.hours_pass(23)
    await ada.sign_in(f"Admin-{world.tenant}")
    banner = await ada.open("/imports")
    (await world.api.send("PATCH", f"/imports/{made['id']}", {"name": "Works"})).expect(200)
    kept = await ada.submit(banner, "/settings/stay")
    await world.hours_pass(49)
    now = await world.api.get("/tenant")
    entries = await world.api.all("/ledger?action=tenant")

    begins = datetime.fromisoformat(asked["leaving"]["begins"])
    assert timedelta(hours=23.9) < begins - datetime.now(UTC) < timedelta(hours=24)
    assert asked["leaving"]["actorName"] == "Theo Thief"
    assert "Theo Thief asked to leave" in banner.text
    assert kept.status == 200
    assert (now["status"], now["leaving"]) == ("connected", None)
    assert await world.names(world.targets[0]) == world.expected()
    assert [(e["action"], e["actor"]) for e in entries[:2]] == [
        ("tenant.stayed", f"Admin-{world.tenant}"),
        ("tenant.leaving", "thief"),
    ]


async def test_second_admin_confirms_leaving_if_the_tenant_asks_for_it(
    client: Client,
) -> None:
    world = await World.create(client)
    await world.share()
    await world.api.patch("/tenant/security", {"secondAdmin": True}, 200)
    thief = await client.api(world.tenant, oid="thief", name="Theo Thief")
    program = await client.api(
        world.tenant, oid="program", claims={"scp": None, "azp": str(uuid4())}
    )
    shown = await thief.delete("/tenant", 200)
    path = f"/tenant?confirm={shown['confirm']}&tenant={world.tenant}"

    # Turning the setting off helps nobody who is in a hurry.
    await thief.patch("/tenant/security", {"secondAdmin": False}, 200)
    asked = [await api.delete(path, 202) for api in (thief, thief, program)]
    await world.hours_pass(48)
    waiting = await world.api.get("/tenant")
    confirmed = await world.api.delete(path, 202)
    await client.settle()
    left = await world.api.get("/tenant")
    report = (await (await client.operator()).get(f"/operator/tenants/{world.tenant}/closing"))[
        "report"
    ]

    assert [each["leaving"]["awaitsSecondAdmin"] for each in asked] == [True] * 3
    assert (waiting["status"], waiting["leaving"]["awaitsSecondAdmin"]) == ("leaving", True)
    assert confirmed["leaving"]["confirmedBy"] == "00000000-0000-0000-0000-00000000ad01"
    assert left["status"] == "left"
    assert (report["actor"], report["actorName"]) == ("thief", "Theo Thief")
    assert (report["network"], report["confirmedBy"]) == (
        "127.0.0.0/24",
        "00000000-0000-0000-0000-00000000ad01",
    )
    assert left["report"] == report


async def test_who_asked_to_leave_is_kept_as_long_as_the_ledger(client: Client) -> None:
    world = await World.create(client)
    await world.share()
    await leave(world)
    before = (await world.api.get("/tenant"))["report"]
    await client.clock((datetime.now(UTC) + timedelta(days=368)).isoformat())
    await client.fire("sweep_leftovers")

    after = (await world.api.get("/tenant"))["report"]

    assert (before["actorName"], after["actorName"], after["network"]) == ("Ada Admin", "", "")
    assert (after["shares"], after["contacts"]) == (before["shares"], before["contacts"])


async def test_export_holds_all_rows_of_tenant_and_none_of_others(
    cloud: LocalCloud, world: World, partner: World
) -> None:
    share = await world.share(sources={"contacts": [{"displayName": "Hotline"}]})
    made = await world.import_(share["id"])
    await partner.share()

    rows = await world.api.all("/tenant/export?top=7")

    kinds = {row["table"] for row in rows}
    assert {"Tenants", "Shares", "Imports", "Seats", "Runs", "Ledger", "Results"} <= kinds
    assert {"MailboxHeads", "MailboxContacts", "Leases", "ShareFacts", "Consumers"} <= kinds
    text = json.dumps(rows)
    assert made["id"] in text
    assert "Hotline" in text
    assert partner.tenant not in text
    keys = sorted(f"{r['table']} {r['partition']} {r['row']}" for r in rows)
    held = [r for r in await rows_containing(cloud, world.tenant) if not r.startswith("ShareIndex")]
    assert keys == sorted(held)
