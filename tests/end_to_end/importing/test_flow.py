"""The main flow through the functions host: what admins do, and what arrives in mailboxes."""

from uuid import uuid4

from tests.world import World, person


async def test_new_import_fills_its_mailboxes_at_once(world: World) -> None:
    share = await world.share()
    made = await world.import_(share["id"])
    run = await world.api.get(f"/runs/{made['firstRun']}")
    assert (run["status"], run["trigger"]) == ("succeeded", "created")
    assert run["mailboxes"] == {"total": 2, "succeeded": 2, "skipped": 0, "failed": 0, "held": 0}
    for mailbox in world.targets:
        assert await world.names(mailbox) == world.expected()


async def test_contact_has_every_field_of_its_source(world: World) -> None:
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


async def test_every_kind_of_source_becomes_a_contact_in_the_mailbox(world: World) -> None:
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
    assert by_name["Supplier"]["businessAddress"]["city"] == "Boston"
    assert by_name["Hotline"]["businessPhones"] == ["0800 1"]
    # Home phones are published only if the field policy names them.
    assert by_name["Hotline"]["homePhones"] == []


async def test_filtered_and_excluded_people_are_omitted_with_reason(world: World) -> None:
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


async def test_only_fields_of_the_share_are_published(world: World) -> None:
    share = await world.share(fields=["displayName", "businessPhones"])
    await world.import_(share["id"])
    for contact in await world.client.folder(world.tenant, world.targets[0]):
        assert contact["businessPhones"]
        assert not contact["mobilePhone"]
        assert contact["emailAddresses"] == []


async def test_partner_imports_by_share_id_and_loses_contacts_on_withdrawal(
    world: World, partner: World
) -> None:
    share = await world.share()
    made = await partner.import_(share["shareId"])
    assert await partner.names(partner.targets[0]) == world.expected()
    await world.api.delete(f"/shares/{share['id']}", 204)
    await partner.client.settle()
    run = await partner.last_run(made["id"])
    assert run["trigger"] == "revocation"
    assert (run["status"], run["reason"]) == ("succeeded", "share_withdrawn")
    assert run["contacts"]["deleted"] == 10
    assert await partner.names(partner.targets[0]) == []
    folders = (await partner.client.mailbox(partner.tenant, partner.targets[0]))["folders"]
    assert [f["displayName"] for f in folders] == ["Contacts"]


async def test_run_without_changes_writes_nothing(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    before = await world.client.mailbox(world.tenant, world.targets[0])
    await world.client.reset_requests()
    await world.next_day()
    assert await world.client.mailbox(world.tenant, world.targets[0]) == before
    seen = (await world.client.requests())["tenants"][world.tenant]["mailboxes"]
    for mailbox in world.targets:
        assert (seen[mailbox]["http"], seen[mailbox]["batchItems"]) == (0, 1)
    assert (await world.last_run(made["id"]))["contacts"]["unchanged"] == 10


async def test_directory_changes_arrive_with_the_daily_run(world: World) -> None:
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


async def test_timer_firing_twice_a_day_starts_one_run(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    await world.next_day()
    await world.client.fire()
    await world.client.settle()
    runs = await world.api.all(f"/imports/{made['id']}/runs")
    assert [r["trigger"] for r in runs] == ["schedule", "created"]


async def test_user_edits_of_our_fields_are_overwritten_and_others_survive(
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


async def test_folder_of_another_import_with_same_name_is_left_alone(world: World) -> None:
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
