"""Changes by a mailbox's user to our contacts and folder, and how each policy handles them."""

from tests.local.client import Json
from tests.world import World


async def contact_of(world: World, mailbox: str, person: str) -> Json:
    name = world.users[person]["displayName"]
    contacts = await world.client.folder(world.tenant, mailbox)
    return next(c for c in contacts if world.users[person]["mail"] in str(c) or name in str(c))


async def test_by_default_deleted_contact_is_restored_and_edit_is_overwritten(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    box = world.targets[0]
    edited, deleted = (await world.client.folder(world.tenant, box))[:2]
    await world.client.change_contact(world.tenant, box, edited["id"], mobilePhone="+1 555")
    await world.client.delete_contact(world.tenant, box, deleted["id"])
    await world.next_day()
    run = await world.last_run(made["id"])
    assert (run["contacts"]["created"], run["contacts"]["updated"]) == (1, 1)
    assert await world.names(box) == world.expected()
    assert "+1 555" not in str(await world.client.folder(world.tenant, box))


async def test_deletion_is_respected_until_policy_changes(world: World) -> None:
    made = await world.import_((await world.share())["id"], conflicts={"deleted": "respect"})
    box, gone = world.targets[0], world.people[0]
    contact = await contact_of(world, box, gone)
    await world.client.delete_contact(world.tenant, box, contact["id"])
    left = [n for n in world.expected() if n != world.users[gone]["displayName"]]
    await world.next_day()
    assert await world.names(box) == left
    await world.change(gone, jobTitle="Boss")
    await world.next_day()
    assert await world.names(box) == left
    await world.client.reset_requests()
    await world.next_day()
    counted = (await world.client.requests())["tenants"][world.tenant]["mailboxes"]
    assert counted[box]["batchItems"] == 1
    await world.client.expire_delta(world.tenant)
    await world.next_day()
    assert await world.names(box) == left
    await world.api.patch(f"/imports/{made['id']}", {"conflicts": {"deleted": "restore"}}, 200)
    await world.next_day()
    assert await world.names(box) == world.expected()


async def test_kept_edit_survives_while_other_fields_are_updated(world: World) -> None:
    made = await world.import_((await world.share())["id"], conflicts={"edited": "keep"})
    box, person = world.targets[0], world.people[0]
    contact = await contact_of(world, box, person)
    await world.client.change_contact(world.tenant, box, contact["id"], mobilePhone="+1 555")
    await world.change(person, jobTitle="Boss", mobilePhone="+49 999")
    await world.next_day()
    now = await contact_of(world, box, person)
    assert (now["mobilePhone"], now["jobTitle"]) == ("+1 555", "Boss")
    await world.change(person, department="Board", mobilePhone=None)
    await world.next_day()
    now = await contact_of(world, box, person)
    assert (now["mobilePhone"], now["department"]) == ("+1 555", "Board")
    other = await contact_of(world, world.targets[1], person)
    assert (other["mobilePhone"], other["department"]) == (None, "Board")
    await world.change(person, mobilePhone="+49 999")
    await world.api.patch(f"/imports/{made['id']}", {"conflicts": {"edited": "overwrite"}}, 200)
    await world.next_day()
    assert (await contact_of(world, box, person))["mobilePhone"] == "+49 999"


async def test_edited_name_keeps_all_name_fields(world: World) -> None:
    await world.import_((await world.share())["id"], conflicts={"edited": "keep"})
    box, person = world.targets[0], world.people[1]
    contact = await contact_of(world, box, person)
    await world.client.change_contact(world.tenant, box, contact["id"], displayName="Bobby")
    await world.change(person, surname="Married", jobTitle="Boss")
    await world.next_day()
    now = await contact_of(world, box, person)
    assert (now["displayName"], now["jobTitle"]) == ("Bobby", "Boss")
    assert now["surname"] != "Married"


async def test_edits_are_kept_only_after_the_first_run_with_the_keep_policy(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    box, person = world.targets[0], world.people[0]
    contact = await contact_of(world, box, person)
    await world.api.patch(f"/imports/{made['id']}", {"conflicts": {"edited": "keep"}}, 200)
    await world.client.change_contact(world.tenant, box, contact["id"], jobTitle="Clown")
    await world.next_day()
    assert (await contact_of(world, box, person))["jobTitle"] == "Agent"
    await world.client.change_contact(world.tenant, box, contact["id"], jobTitle="Clown")
    await world.next_day()
    assert (await contact_of(world, box, person))["jobTitle"] == "Clown"


async def test_renamed_folder_is_found_and_deleted_folder_is_recreated(world: World) -> None:
    made = await world.import_((await world.share())["id"], conflicts={"deleted": "respect"})
    box = world.targets[0]
    await world.client.rename_folder(world.tenant, box, "Contact Sync", "Colleagues")
    await world.change(world.people[0], displayName="Aaron")
    await world.next_day()
    assert await world.names(box, "Colleagues") == world.expected()
    await world.client.delete_folder(world.tenant, box, "Colleagues")
    # It lives on in Deleted Items, where an idle mailbox's folder is looked for once a week.
    await world.days_pass(7)
    await world.client.settle()
    assert await world.names(box) == world.expected()
    assert (await world.last_run(made["id"]))["contacts"]["created"] == 5


async def test_folder_deleted_during_a_run_is_recreated(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    box = world.targets[0]
    await world.members(world.people[:4])
    await world.client.fault("/permanentDelete", {"delay_ms": 1500}, times=1, tenant=world.tenant)
    await world.days_pass(1)
    await world.client.delete_folder(world.tenant, box, "Contact Sync")
    await world.client.settle()
    await world.days_pass(8)
    await world.client.settle()
    assert await world.names(box) == world.expected()
    assert (await world.last_run(made["id"]))["status"] == "succeeded"


async def test_category_is_created_with_color_and_removed_with_import(world: World) -> None:
    made = await world.import_(
        (await world.share())["id"], destination={"category": "Firma"}, categoryColor="preset4"
    )
    box = world.targets[0]
    found = await world.client.mailbox(world.tenant, box)
    assert [(c["displayName"], c["color"]) for c in found["categories"]] == [("Firma", "preset4")]
    assert {tuple(c["categories"]) for c in await world.client.folder(world.tenant, box)} == {
        ("Firma",)
    }
    await world.api.delete(f"/imports/{made['id']}", 202)
    await world.client.settle()
    assert (await world.client.mailbox(world.tenant, box))["categories"] == []


async def test_new_category_replaces_the_old_one_and_keeps_the_users_categories(
    world: World,
) -> None:
    made = await world.import_(
        (await world.share())["id"], destination={"category": "Firma"}, guard={"changes": 0}
    )
    box = world.targets[0]
    contact = (await world.client.folder(world.tenant, box))[0]
    await world.client.change_contact(
        world.tenant, box, contact["id"], categories=["Friends", "Firma"]
    )
    await world.api.patch(f"/imports/{made['id']}", {"destination": {"category": "Company"}}, 200)
    await world.next_day()
    assert (await world.last_run(made["id"]))["status"] == "succeeded"
    contacts = await world.client.folder(world.tenant, box)
    assert sorted(tuple(c["categories"]) for c in contacts) == [
        *[("Company",)] * 4,
        ("Friends", "Company"),
    ]
    found = await world.client.mailbox(world.tenant, box)
    assert [c["displayName"] for c in found["categories"]] == ["Company"]
    await world.client.reset_requests()
    await world.next_day()
    counted = (await world.client.requests())["tenants"][world.tenant]["mailboxes"]
    assert {counted[mailbox]["batchItems"] for mailbox in world.targets} == {1}


async def test_contacts_are_synced_with_a_reason_if_category_color_is_refused(
    world: World,
) -> None:
    await world.client.fault("/masterCategories", {"status": 403}, times=2)
    made = await world.import_((await world.share())["id"], destination={"category": "Firma"})
    results = await world.results(made["firstRun"])
    assert {(r["outcome"], r["reason"]) for r in results.values()} == {
        ("succeeded", "category_color_refused")
    }
    assert await world.names(world.targets[0]) == world.expected()
    await world.next_day()
    results = await world.results((await world.last_run(made["id"]))["id"])
    assert {r["reason"] for r in results.values()} == {None}
    found = await world.client.mailbox(world.tenant, world.targets[0])
    assert [c["displayName"] for c in found["categories"]] == ["Firma"]


async def test_existing_category_keeps_its_color_and_outlives_the_import(world: World) -> None:
    share = (await world.share())["id"]
    await world.import_(share, destination={"category": "Firma"}, categoryColor="preset1")
    second = await world.import_(
        share, destination={"folder": "Other", "category": "Firma"}, categoryColor="preset9"
    )
    await world.api.delete(f"/imports/{second['id']}", 202)
    await world.client.settle()
    found = await world.client.mailbox(world.tenant, world.targets[0])
    assert [(c["displayName"], c["color"]) for c in found["categories"]] == [("Firma", "preset1")]


async def test_two_imports_of_one_mailbox_do_not_affect_each_other(world: World) -> None:
    share = (await world.share())["id"]
    first = await world.import_(share, destination={"folder": None})
    second = await world.import_(share, destination={"folder": None})
    box = world.targets[0]
    assert await world.names(box, "Contacts") == sorted(world.expected() * 2)
    await world.change(world.people[0], jobTitle="Boss")
    await world.next_day()
    assert await world.names(box, "Contacts") == sorted(world.expected() * 2)
    await world.api.delete(f"/imports/{first['id']}", 202)
    await world.client.settle()
    assert await world.names(box, "Contacts") == world.expected()
    await world.next_day()
    assert (await world.last_run(second["id"]))["contacts"]["created"] == 0
