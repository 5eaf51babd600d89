"""Leaving: confirmed twice, contacts and folders gone, every row erased, and a closing report."""

import json

from azure.data.tables.aio import TableServiceClient

from tests.end_to_end.checks import problem
from tests.local.client import Client, Json
from tests.local.cloud import LocalCloud
from tests.world import World


async def held_of(cloud: LocalCloud, *traces: str) -> list[str]:
    """The rows of all tables in which any of these texts occurs, in key or value."""
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
    """Leave as an admin does, and wait for the end; answers what was shown before."""
    shown: Json = await world.api.delete("/tenant", 200)
    path = f"/tenant?confirm={shown['confirm']}&tenant={world.tenant}"
    assert (await world.api.delete(path, 202))["status"] == "leaving"
    await world.client.settle()
    return shown


async def nothing_is_left_in_mailboxes(world: World, partner: World, theirs: Json) -> None:
    """Not in the tenant's own, nor (from the partner's next run on) in the partner's."""
    for mailbox in world.targets:
        box = await world.client.mailbox(world.tenant, mailbox)
        assert [(f["displayName"], f["contacts"]) for f in box["folders"]] == [("Contacts", [])]
    partner.days = world.days
    await partner.next_day()
    assert (await partner.last_run(theirs["id"]))["reason"] == "share_withdrawn"
    assert await partner.names(partner.targets[0]) == []


async def test_leaving_shows_what_goes_and_needs_both_confirmations(world: World) -> None:
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


async def test_a_code_does_not_confirm_what_was_added_since(world: World) -> None:
    shown = await world.api.delete("/tenant", 200)
    await world.share()

    late = await world.api.send(
        "DELETE", f"/tenant?confirm={shown['confirm']}&tenant={world.tenant}"
    )

    problem(late, 409, "conflict")


async def test_nothing_of_a_tenant_that_left_remains_but_the_closing_line(
    cloud: LocalCloud, client: Client
) -> None:
    world = await World.create(client)
    partner = await World.create(client)
    share = await world.share()
    await world.import_(share["id"])
    await world.import_((await partner.share())["id"], name="Theirs")
    theirs = await partner.import_(share["id"])
    await world.api.put("/licenses", {"booked": 3})
    await world.next_day()

    await leave(world)

    people = [*world.people, *world.targets]
    names = [user["mail"] for user in world.users.values()]
    rows = await held_of(cloud, world.tenant, *people, *names)
    partners = [row for row in rows if partner.tenant in row]
    assert [row.split()[0] for row in rows if row not in partners] == ["Ledger"]
    await nothing_is_left_in_mailboxes(world, partner, theirs)
    assert not [r for r in await held_of(cloud, world.tenant) if not r.startswith("Ledger")]
    await partner.rest()


async def test_the_closing_report_says_what_was_removed_and_what_remains_where(
    client: Client,
) -> None:
    world = await World.create(client)
    await world.import_((await world.share())["id"])
    closed = world.targets[1]
    await client.fault(f"/users/{closed}/", {"status": 403}, times=10_000, tenant=world.tenant)

    await leave(world)
    left = await world.api.get("/tenant")

    assert left["status"] == "left"
    report = left["report"]
    assert (report["imports"], report["shares"]) == (1, 1)
    assert (report["contacts"], report["remaining"]) == (5, 1)
    assert report["remainingMailboxes"] == [closed]
    assert "Enterprise applications" in report["inEntra"]


async def test_a_tenant_that_left_is_told_so_and_joins_anew_only_on_request(
    client: Client,
) -> None:
    world = await World.create(client)
    await world.share()
    await leave(world)

    refused = await world.api.send("GET", "/shares")
    joined = await world.api.post("/tenant/consent", None, 200)

    problem(refused, 403, "tenant-left")
    assert joined["status"] == "connected"
    assert await world.api.all("/shares") == []
    assert (await world.api.get("/tenant"))["status"] == "connected"


async def test_while_a_tenant_leaves_it_can_be_looked_at_but_not_changed(client: Client) -> None:
    world = await World.create(client)
    share = await world.share()
    await world.import_(share["id"])
    await client.fault("/contacts", {"delay_ms": 1500}, times=3, tenant=world.tenant)
    shown = await world.api.delete("/tenant", 200)
    path = f"/tenant?confirm={shown['confirm']}&tenant={world.tenant}"
    await world.api.delete(path, 202)

    changed = await world.api.send("PATCH", f"/shares/{share['id']}", {"name": "Other"})
    seen = await world.api.send("GET", "/tenant")
    again = await world.api.send("DELETE", path)
    await client.settle()

    problem(changed, 409, "conflict")
    assert seen.status == 200
    assert again.status in {202, 403}
    assert (await world.api.get("/tenant"))["status"] == "left"


async def test_an_export_holds_all_that_is_known_of_the_tenant_and_nothing_of_others(
    cloud: LocalCloud, world: World, partner: World
) -> None:
    share = await world.share(sources={"contacts": [{"displayName": "Hotline"}]})
    made = await world.import_(share["id"])
    await partner.share()

    rows = await world.api.all("/tenant/export?top=7")

    kinds = {row["table"] for row in rows}
    assert {"Tenants", "Shares", "Imports", "Seats", "Runs", "Ledger", "Results"} <= kinds
    assert {"MailboxState", "Leases", "ShareFacts", "Consumers"} <= kinds
    text = json.dumps(rows)
    assert made["id"] in text
    assert "Hotline" in text
    assert partner.tenant not in text
    keys = sorted(f"{r['table']} {r['partition']} {r['row']}" for r in rows)
    held = [r for r in await held_of(cloud, world.tenant) if not r.startswith("ShareIndex")]
    assert keys == sorted(held)
