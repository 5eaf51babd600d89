"""The main job through the functions host: what admins do, and what arrives in mailboxes."""

from datetime import UTC, datetime
from uuid import uuid4

from azure.data.tables.aio import TableServiceClient

from tests.local.cloud import LocalCloud
from tests.world import World, person


async def test_a_new_import_fills_its_mailboxes_at_once(world: World) -> None:
    share = await world.share()
    made = await world.import_(share["id"])
    run = await world.api.get(f"/runs/{made['firstRun']}")
    assert (run["status"], run["trigger"]) == ("succeeded", "created")
    assert run["mailboxes"] == {"total": 2, "succeeded": 2, "skipped": 0, "failed": 0, "held": 0}
    for mailbox in world.targets:
        assert await world.names(mailbox) == world.expected()


async def test_a_contact_carries_every_field_of_its_source(world: World) -> None:
    boss, worker = world.people[0], world.people[1]
    await world.change(
        worker,
        manager={"id": boss},
        streetAddress="Domstr. 1",
        postalCode="50667",
        country="Germany",
        officeLocation="B 12",
        businessPhones=["1", "2"],
        proxyAddresses=[
            "SMTP:main@example.com",
            "smtp:alias@example.com",
            "smtp:x@a.onmicrosoft.com",
        ],
        mail="main@example.com",
    )
    await world.import_((await world.share())["id"])
    found = {c["surname"]: c for c in await world.client.folder(world.tenant, world.targets[0])}[
        "Nº 1"
    ]
    assert [m["address"] for m in found["emailAddresses"]] == [
        "main@example.com",
        "alias@example.com",
    ]
    assert found["manager"] == "Person 0"
    assert found["businessAddress"] == {
        "street": "Domstr. 1",
        "city": "Köln",
        "postalCode": "50667",
        "countryOrRegion": "Germany",
    }
    fax = [
        e["value"] for e in found["singleValueExtendedProperties"] if "0x3a24" in e["id"].lower()
    ]
    assert fax == [world.users[worker]["faxNumber"]]
    assert found["officeLocation"] == "B 12"
    assert found["businessPhones"] == ["1", "2"]
    assert (found["companyName"], found["department"], found["jobTitle"]) == (
        "Example",
        "Sales",
        "Agent",
    )


async def test_every_kind_of_source_becomes_a_contact(world: World) -> None:
    team = {
        "id": str(uuid4()),
        "displayName": "Team",
        "mail": "team@example.com",
        "mailEnabled": True,
        "members": [],
    }
    org = {
        "id": str(uuid4()),
        "displayName": "Supplier",
        "mail": "supplier@example.org",
        "phones": [
            {"type": "business", "number": "+1 555"},
            {"type": "mobile", "number": "+1 666"},
        ],
        "addresses": [{"city": "Boston", "officeLocation": "HQ"}],
    }
    await world.client.change_tenant(world.tenant, groups=[team], contacts=[org])
    hotline = {"displayName": "Hotline", "businessPhones": ["0800 1"], "homePhones": ["0800 2"]}
    share = await world.share(
        sources={
            "users": [world.people[0]],
            "groups": [{"id": team["id"], "as": "contact"}],
            "orgContacts": True,
            "contacts": [hotline],
        }
    )
    await world.import_(share["id"])
    contacts = await world.client.folder(world.tenant, world.targets[0])
    by_name = {c["displayName"]: c for c in contacts}
    assert sorted(by_name) == ["Hotline", "Person 0", "Supplier", "Team"]
    assert by_name["Supplier"]["mobilePhone"] == "+1 666"
    assert by_name["Supplier"]["businessAddress"] == {"city": "Boston"}
    assert by_name["Hotline"]["businessPhones"] == ["0800 1"]
    # Home phones are published only if the field policy names them.
    assert by_name["Hotline"]["homePhones"] == []


async def test_filters_and_exclusions_leave_people_out_with_a_reason(world: World) -> None:
    share = await world.share(
        sources={
            "allUsers": True,
            "filter": {"department": ["sales"]},
            "exclude": [world.people[1]],
        }
    )
    made = await world.import_(share["id"])
    run = await world.api.get(f"/runs/{made['firstRun']}")
    reasons = {o["id"]: o["reason"] for o in run["omissions"]}
    assert reasons[world.people[1]] == "excluded"
    assert reasons[world.people[0]] == "filtered"
    assert all(o["remedy"] for o in run["omissions"])
    assert await world.names(world.targets[0]) == ["Person 3", "Person 5"]


async def test_the_field_policy_keeps_fields_in_the_house(world: World) -> None:
    share = await world.share(fields=["displayName", "businessPhones"])
    await world.import_(share["id"])
    for contact in await world.client.folder(world.tenant, world.targets[0]):
        assert contact["businessPhones"]
        assert not contact["mobilePhone"]
        assert contact["emailAddresses"] == []


async def test_a_partner_imports_by_the_id_and_loses_it_when_withdrawn(
    world: World, partner: World
) -> None:
    share = await world.share()
    made = await partner.import_(share["id"])
    assert await partner.names(partner.targets[0]) == world.expected()
    await world.api.delete(f"/shares/{share['id']}", 204)
    await partner.next_day()
    run = await partner.last_run(made["id"])
    assert (run["status"], run["contacts"]["deleted"]) == ("succeeded", 10)
    assert await partner.names(partner.targets[0]) == []
    folders = (await partner.client.mailbox(partner.tenant, partner.targets[0]))["folders"]
    assert [f["displayName"] for f in folders] == ["Contacts"]


async def test_a_second_run_with_nothing_changed_writes_nothing(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    before = await world.client.mailbox(world.tenant, world.targets[0])
    await world.client.reset_requests()
    await world.next_day()
    assert await world.client.mailbox(world.tenant, world.targets[0]) == before
    seen = (await world.client.requests())["tenants"][world.tenant]["mailboxes"]
    for mailbox in world.targets:
        assert (seen[mailbox]["http"], seen[mailbox]["batchItems"]) == (1, 0)
    assert (await world.last_run(made["id"]))["contacts"]["unchanged"] == 10


async def test_changes_in_the_directory_arrive_with_the_daily_run(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    joined = person(77)
    await world.client.change_tenant(world.tenant, users=[joined])
    world.users[joined["id"]] = joined
    await world.change(world.people[0], jobTitle="Boss", mobilePhone=None)
    await world.members([*world.people[:-1], joined["id"]])
    await world.next_day()
    run = await world.last_run(made["id"])
    assert run["trigger"] == "schedule"
    assert run["contacts"] == {"created": 2, "updated": 2, "deleted": 2, "unchanged": 6}
    assert await world.names(world.targets[0]) == world.expected()
    changed = await world.client.folder(world.tenant, world.targets[0])
    boss = next(c for c in changed if c["jobTitle"] == "Boss")
    assert not boss["mobilePhone"]


async def test_a_timer_that_fires_twice_in_a_day_means_one_run(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    await world.next_day()
    await world.client.fire()
    await world.client.settle()
    runs = await world.api.all(f"/imports/{made['id']}/runs")
    assert [r["trigger"] for r in runs] == ["schedule", "created"]


async def test_what_the_user_changed_in_our_fields_is_put_right_and_the_rest_survives(
    world: World,
) -> None:
    await world.import_((await world.share())["id"])
    mailbox = world.targets[0]
    first, second, *_ = await world.client.folder(world.tenant, mailbox)
    await world.client.change_contact(
        world.tenant, mailbox, first["id"],
        jobTitle="Nonsense", personalNotes="likes tea", categories=["Friends"],
    )  # fmt: skip
    await world.client.delete_contact(world.tenant, mailbox, second["id"])
    await world.client.add_contact(
        world.tenant, mailbox, displayName="Plumber", folder="Contact Sync"
    )
    await world.next_day()
    contacts = await world.client.folder(world.tenant, mailbox)
    assert sorted(c["displayName"] for c in contacts) == sorted([*world.expected(), "Plumber"])
    mended = next(c for c in contacts if c["id"] == first["id"])
    assert mended["jobTitle"] == "Agent"
    assert (mended["personalNotes"], mended["categories"]) == ("likes tea", ["Friends"])


async def test_a_renamed_folder_is_kept_and_a_deleted_one_is_filled_anew(world: World) -> None:
    await world.import_((await world.share())["id"])
    renamed, deleted = world.targets
    for mailbox in world.targets:
        box = await world.client.mailbox(world.tenant, mailbox)
        folder = next(f for f in box["folders"] if not f["default"])
        if mailbox == renamed:
            await world.client.rename_folder(world.tenant, mailbox, folder["id"], "Firma")
        else:
            await world.client.delete_folder(world.tenant, mailbox, folder["id"])
    await world.change(world.people[0], jobTitle="Boss")
    await world.next_day()
    assert await world.names(renamed, "Firma") == world.expected()
    assert await world.names(renamed) == []
    assert await world.names(deleted) == world.expected()


async def test_a_folder_of_the_same_name_that_is_not_ours_is_left_alone(world: World) -> None:
    first = await world.import_((await world.share())["id"])
    second = await world.import_((await world.share(name="Other"))["id"])
    box = await world.client.mailbox(world.tenant, world.targets[0])
    assert [f["displayName"] for f in box["folders"]] == [
        "Contacts",
        "Contact Sync",
        "Contact Sync (2)",
    ]
    await world.api.delete(f"/imports/{first['id']}", 202)
    await world.client.settle()
    assert await world.names(world.targets[0]) == []
    assert await world.names(world.targets[0], "Contact Sync (2)") == world.expected()
    assert await world.api.get(f"/imports/{second['id']}")


async def test_the_default_folder_holds_our_contacts_beside_the_users_own(world: World) -> None:
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
    assert {seen[mailbox]["http"] for mailbox in world.targets} == {1}
    await world.api.delete(f"/imports/{made['id']}", 202)
    await world.client.settle()
    assert await world.names(world.targets[0], "Contacts") == ["Oma"]


async def test_moving_an_import_to_another_destination_moves_its_contacts(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    await world.api.patch(f"/imports/{made['id']}", {"destination": {"folder": None}}, 200)
    await world.next_day()
    assert await world.names(world.targets[0], "Contacts") == world.expected()
    assert await world.names(world.targets[0]) == []
    await world.api.patch(f"/imports/{made['id']}", {"destination": {"folder": "Firma"}}, 200)
    await world.next_day()
    assert await world.names(world.targets[0], "Contacts") == []
    assert await world.names(world.targets[0], "Firma") == world.expected()


async def test_deleting_an_import_removes_its_contacts_and_seats(world: World) -> None:
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


async def test_a_mailbox_that_is_no_target_any_more_is_cleared(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    keep, drop = world.targets
    await world.api.patch(f"/imports/{made['id']}", {"targets": {"users": [keep]}}, 200)
    await world.next_day()
    assert await world.names(keep) == world.expected()
    assert await world.names(drop) == []
    assert (await world.api.get("/licenses"))["used"] == 1


async def test_targets_without_a_mailbox_are_reported_and_the_others_go_on(world: World) -> None:
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


async def test_after_the_trial_only_mailboxes_with_a_seat_go_on(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    await world.api.put("/licenses", {"booked": 1}, 200)
    await world.change(world.people[0], jobTitle="Boss")
    world.days = 31
    await world.next_day()
    run = await world.last_run(made["id"])
    results = await world.results(run["id"])
    assert sorted((r["outcome"], r["reason"]) for r in results.values()) == [
        ("skipped", "no_seat"),
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


async def test_a_paused_import_does_not_run(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    await world.api.patch(f"/imports/{made['id']}", {"active": False}, 200)
    await world.next_day()
    assert len(await world.api.all(f"/imports/{made['id']}/runs")) == 1


async def test_a_share_that_suddenly_is_empty_is_held_and_nothing_is_removed(
    world: World,
) -> None:
    made = await world.import_((await world.share())["id"])
    names = world.expected()
    await world.members([])
    await world.next_day()
    run = await world.last_run(made["id"])
    assert (run["status"], run["reason"]) == ("held", "share_empty")
    assert await world.names(world.targets[0]) == names


async def test_mass_deletion_is_held_until_the_guard_is_raised(
    client: object, cloud: LocalCloud
) -> None:
    del client
    world = await World.create(cloud.client, people=30, targets=1)
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


async def test_the_snapshot_is_erased_when_the_run_closes(world: World, cloud: LocalCloud) -> None:
    made = await world.import_((await world.share())["id"])
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
        for name in ("MailboxState", "Results", "Runs", "Imports", "Seats", "Ledger"):
            table = tables.get_table_client(name)
            async for row in table.list_entities():
                if not row["PartitionKey"].startswith(world.tenant):
                    continue
                text = " ".join(map(str, row.values()))
                for user in world.users.values():
                    assert user["mail"] not in text
                    assert user["mobilePhone"] not in text


async def test_on_demand_runs_need_the_trial_or_premium(world: World) -> None:
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
