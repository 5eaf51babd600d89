"""An import's life: destinations, targets, licenses, pauses, the guard, and its removal."""

from datetime import UTC, datetime
from uuid import uuid4

from azure.data.tables.aio import TableServiceClient

from tests.end_to_end.importing.test_photos import picture
from tests.local.client import Client
from tests.local.cloud import LocalCloud
from tests.world import World, person


async def test_default_folder_holds_our_contacts_beside_the_users_own(world: World) -> None:
    for mailbox in world.targets[:1]:
        await world.client.add_contact(world.tenant, mailbox, displayName="Oma")
    made = await world.import_(
        (await world.share())["id"], destination={"folder": None, "category": "Company"}
    )
    assert await world.names(world.targets[0], "Contacts") == sorted([*world.expected(), "Oma"])
    assert await world.names(world.targets[1], "Contacts") == world.expected()
    await world.client.reset_requests()
    await world.next_day()
    seen = (await world.client.requests())["tenants"][world.tenant]["mailboxes"]
    assert {seen[mailbox]["batchItems"] for mailbox in world.targets} == {1}
    await world.api.delete(f"/imports/{made['id']}", 202)
    await world.client.settle()
    assert await world.names(world.targets[0], "Contacts") == ["Oma"]


async def test_changing_the_destination_moves_contacts(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    await world.client.add_contact(world.tenant, world.targets[1], displayName="Oma")
    await world.api.patch(f"/imports/{made['id']}", {"destination": {"folder": None}}, 200)
    await world.next_day()
    assert (await world.last_run(made["id"]))["contacts"]["created"] == 10
    assert await world.names(world.targets[0], "Contacts") == world.expected()
    assert await world.names(world.targets[1], "Contacts") == sorted([*world.expected(), "Oma"])
    assert await world.names(world.targets[0]) == []
    await world.api.patch(f"/imports/{made['id']}", {"destination": {"folder": "Firma"}}, 200)
    await world.next_day()
    assert await world.names(world.targets[0], "Contacts") == []
    assert await world.names(world.targets[0], "Firma") == world.expected()


async def test_deleting_an_import_removes_contacts_and_frees_seats(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    assert (await world.api.get("/licenses"))["used"] == 2
    removal = await world.api.delete(f"/imports/{made['id']}", 202)
    assert (await world.api.send("GET", f"/imports/{made['id']}")).status == 404
    await world.client.settle()
    run = await world.api.get(f"/runs/{removal['removalRun']}")
    assert (run["status"], run["contacts"]["deleted"]) == ("succeeded", 10)
    box = await world.client.mailbox(world.tenant, world.targets[0])
    assert [f["displayName"] for f in box["folders"]] == ["Contacts"]
    assert (await world.api.get("/licenses"))["used"] == 0
    assert (await world.api.get("/imports"))["items"] == []


async def test_contacts_are_removed_from_former_target(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    keep, drop = world.targets
    await world.api.patch(f"/imports/{made['id']}", {"targets": {"users": [keep]}}, 200)
    await world.next_day()
    assert await world.names(keep) == world.expected()
    assert await world.names(drop) == []
    assert (await world.api.get("/licenses"))["used"] == 1


async def test_targets_without_mailbox_are_skipped_with_reason_and_others_synced(
    world: World,
) -> None:
    missing = str(uuid4())
    no_mail = person(80, mail=None)
    no_mailbox = person(81, mailbox=False)
    await world.client.change_tenant(world.tenant, users=[no_mail, no_mailbox])
    targets = {"users": [*world.targets, missing, no_mail["id"], no_mailbox["id"]]}
    made = await world.import_((await world.share())["id"], targets=targets)
    results = await world.results(made["firstRun"])
    assert results[missing]["reason"] == "user_not_found"
    assert results[no_mail["id"]]["reason"] == "no_mailbox"
    assert results[no_mailbox["id"]]["reason"] == "no_mailbox"
    assert all(results[m]["outcome"] == "succeeded" for m in world.targets)
    assert all(results[m]["remedy"] for m in (missing, no_mail["id"], no_mailbox["id"]))
    run = await world.api.get(f"/runs/{made['firstRun']}")
    assert (run["mailboxes"]["skipped"], run["mailboxes"]["total"]) == (3, 5)
    assert (await world.api.get("/licenses"))["used"] == 2


async def test_after_the_trial_only_mailboxes_with_a_seat_are_synced(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    await world.api.put("/licenses", {"booked": 1}, 200)
    await world.change(world.people[0], jobTitle="Boss")
    world.days = 31
    await world.next_day()
    run = await world.last_run(made["id"])
    results = await world.results(run["id"])
    assert sorted((r["outcome"], r["reason"]) for r in results.values()) == [
        ("skipped", "no_license"),
        ("succeeded", None),
    ]
    license_ = await world.api.get("/licenses")
    assert (license_["plan"], license_["booked"], license_["used"], license_["free"]) == (
        "standard",
        1,
        1,
        0,
    )
    served = {m for m, r in results.items() if r["outcome"] == "succeeded"}
    await world.next_day()
    again = await world.results((await world.last_run(made["id"]))["id"])
    assert {m for m, r in again.items() if r["outcome"] == "succeeded"} == served


async def test_paused_import_does_not_run(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    await world.api.patch(f"/imports/{made['id']}", {"active": False}, 200)
    await world.next_day()
    assert len(await world.api.all(f"/imports/{made['id']}/runs")) == 1


async def test_suddenly_empty_share_is_held_and_nothing_is_removed(
    world: World,
) -> None:
    made = await world.import_((await world.share())["id"])
    names = world.expected()
    await world.members([])
    await world.next_day()
    run = await world.last_run(made["id"])
    assert (run["status"], run["reason"]) == ("held", "share_empty")
    assert await world.names(world.targets[0]) == names


async def test_import_without_contacts_or_targets_says_so(world: World) -> None:
    nobody = {"id": str(uuid4()), "displayName": "Nobody", "members": []}
    await world.client.change_tenant(world.tenant, groups=[nobody])
    empty = await world.share(sources={"groups": [{"id": nobody["id"]}]})
    of_nobody = await world.import_(empty["id"])
    to_nobody = await world.import_((await world.share())["id"], targets={"groups": [nobody["id"]]})

    first = [await world.last_run(made["id"]) for made in (of_nobody, to_nobody)]
    await world.next_day()
    second = [await world.last_run(made["id"]) for made in (of_nobody, to_nobody)]

    for runs in (first, second):
        assert [run["reason"] for run in runs] == ["no_contacts", "no_targets"]
        assert {run["status"] for run in runs} == {"succeeded"}


async def test_mass_deletion_is_held_until_the_guard_is_raised(client: Client) -> None:
    world = await World.create(client, people=30, targets=1)
    made = await world.import_((await world.share())["id"])
    names = world.expected()
    await world.members(world.people[:5])
    await world.next_day()
    run = await world.last_run(made["id"])
    assert (run["status"], run["reason"]) == ("held", "too_many_deletes")
    assert await world.names(world.targets[0]) == names
    await world.api.patch(f"/imports/{made['id']}", {"guard": {"deletes": 25}}, 200)
    await world.next_day()
    assert (await world.last_run(made["id"]))["contacts"]["deleted"] == 25
    assert await world.names(world.targets[0]) == world.expected()


async def test_contacts_stay_when_the_members_of_their_group_are_hidden(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    names = await world.names(world.targets[0])
    hidden = {"id": world.group, "visibility": "HiddenMembership"}
    await world.client.change_tenant(world.tenant, groups=[hidden])
    await world.next_day()
    run = await world.last_run(made["id"])
    assert (run["status"], run["reason"]) == ("failed", "members_hidden")
    assert await world.names(world.targets[0]) == names


async def test_snapshot_is_erased_when_the_run_closes(world: World, cloud: LocalCloud) -> None:
    photos = {world.people[0]: picture("red")}
    await world.client.change_tenant(world.tenant, photos=photos)
    made = await world.import_((await world.share())["id"], photos={})
    assert (await world.api.get(f"/runs/{made['firstRun']}"))["photos"] == 2
    async with TableServiceClient.from_connection_string(cloud.addresses["storage"]) as tables:
        snapshots = tables.get_table_client("Snapshots")
        partition = f"{world.tenant}|{made['firstRun']}"
        rows = [
            row
            async for row in snapshots.query_entities(
                "PartitionKey eq @p", parameters={"p": partition}
            )
        ]
    assert rows == []


async def test_state_and_results_hold_no_personal_data(world: World, cloud: LocalCloud) -> None:
    await world.import_((await world.share())["id"])
    async with TableServiceClient.from_connection_string(cloud.addresses["storage"]) as tables:
        names = ("Results", "Runs", "Imports", "Seats", "Ledger")
        for name in ("MailboxHeads", "MailboxContacts", *names):
            table = tables.get_table_client(name)
            rows = [
                row
                async for row in table.list_entities()
                if row["PartitionKey"].startswith(world.tenant)
            ]
            assert rows, f"{name} has no row to look at"
            for row in rows:
                text = " ".join(map(str, row.values()))
                for user in world.users.values():
                    assert user["mail"] not in text
                    assert user["mobilePhone"] not in text


async def test_on_demand_runs_require_trial_or_premium(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    asked = await world.api.post(f"/imports/{made['id']}/runs", {}, 202)
    assert asked["trigger"] == "request"
    await world.client.settle()
    assert (await world.api.get(f"/runs/{asked['id']}"))["status"] == "succeeded"
    world.days = 31
    await world.client.clock(datetime.now(UTC).replace(year=datetime.now(UTC).year + 1).isoformat())
    refused = await world.api.send("POST", f"/imports/{made['id']}/runs", {})
    assert refused.status == 403
    assert "premium" in refused.body["detail"]


async def test_two_imports_of_one_mailbox_send_at_most_four_requests_at_once(
    client: Client,
) -> None:
    world = await World.create(client, people=60, targets=2)
    first, second = await world.share(), await world.share(name="Other")
    await client.reset_requests()
    await client.latency(20)
    try:
        await world.import_(first["id"], settle=False)
        await world.import_(second["id"], destination={"folder": "Other"})
    finally:
        await client.latency(0)
    for mailbox in world.targets:
        use = (await client.requests())["tenants"][world.tenant]["mailboxes"][mailbox]
        assert (use["maxConcurrent"], use["throttled"]) == (4, 0)
        assert await world.names(mailbox) == world.expected()
        assert await world.names(mailbox, "Other") == world.expected()
