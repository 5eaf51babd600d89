"""Adoption: taking over another tool's contacts without duplicates."""

from typing import Any

from tests.end_to_end.checks import fields, problem
from tests.local.client import Json
from tests.world import World


async def add_old_contacts(world: World, mailbox: str, folder: str | None) -> None:
    """Add old contacts: three published people, one of them twice, and the user's Oma."""
    place = {"folder": folder} if folder else {}
    if folder:
        await world.client.add_folder(world.tenant, mailbox, folder)
    one, two, three = (world.users[id_] for id_ in world.people[:3])
    contacts: list[Json] = [
        {"displayName": "Chief", "emailAddresses": [{"address": one["mail"].upper()}]},
        {"displayName": one["displayName"], "emailAddresses": [{"address": one["mail"]}]},
        {
            "displayName": two["displayName"],
            "mobilePhone": two["mobilePhone"].replace(" ", "-"),
            "personalNotes": "likes tea",
        },
        {"displayName": three["displayName"]},
        {"displayName": "Oma", "mobilePhone": "+49 30 1"},
    ]
    for contact in contacts:
        await world.client.add_contact(world.tenant, mailbox, **contact, **place)


async def adopt(world: World, made: Json, **body: Any) -> Any:
    return await world.api.post(f"/imports/{made['id']}/adoptions", body, 200)


async def test_contacts_of_another_tool_are_adopted_without_duplicates(world: World) -> None:
    box = world.targets[0]
    await add_old_contacts(world, box, "Old Tool")
    made = await world.import_((await world.share())["id"], active=False)
    before = await world.client.mailbox(world.tenant, box)
    seen = await adopt(world, made, mailbox=box, folder="old tool")
    assert await world.client.mailbox(world.tenant, box) == before
    one, two = world.people[:2]
    assert {a["key"]: a["by"] for a in seen["adopt"]} == {
        f"u-{one}": "mail",
        f"u-{two}": "phone_and_name",
    }
    assert (len(seen["duplicates"]), seen["left"], seen["adopted"]) == (1, 2, None)
    assert seen["duplicates"][0]["of"] in {a["contact"] for a in seen["adopt"]}
    done = await adopt(world, made, mailbox=box, folder="Old Tool", confirm=seen["digest"])
    assert done["adopted"] == 2
    await world.api.patch(f"/imports/{made['id']}", {"active": True}, 200)
    await world.next_day()
    run = await world.last_run(made["id"])
    assert run["status"] == "succeeded"
    names = await world.names(box)
    one, three = (world.users[world.people[n]]["displayName"] for n in (0, 2))
    assert names == sorted([*world.expected(), "Oma", one, three])
    ours = {c["id"]: c for c in await world.client.folder(world.tenant, box)}
    assert all(a["contact"] in ours for a in seen["adopt"])
    notes = [c["personalNotes"] for c in ours.values() if c["personalNotes"]]
    assert notes == ["likes tea"]
    await world.next_day()
    assert await world.names(box) == names
    await world.api.delete(f"/imports/{made['id']}", 202)
    await world.client.settle()
    assert await world.names(box) == sorted(["Oma", one, three])


async def test_contacts_in_default_folder_are_adopted_in_place(world: World) -> None:
    box = world.targets[0]
    await add_old_contacts(world, box, None)
    made = await world.import_(
        (await world.share())["id"], active=False, destination={"folder": None}
    )
    seen = await adopt(world, made, mailbox=box)
    await adopt(world, made, mailbox=box, confirm=seen["digest"])
    again = await adopt(world, made, mailbox=box)
    assert (again["adopt"], len(again["duplicates"]), again["left"]) == ([], 1, 2)
    await world.api.patch(f"/imports/{made['id']}", {"active": True}, 200)
    await world.next_day()
    one, three = (world.users[world.people[n]]["displayName"] for n in (0, 2))
    assert await world.names(box, "Contacts") == sorted([*world.expected(), "Oma", one, three])


async def test_adoption_after_first_run_reports_duplicates_and_adopts_none(world: World) -> None:
    box = world.targets[0]
    made = await world.import_((await world.share())["id"], destination={"folder": None})
    await add_old_contacts(world, box, None)
    seen = await adopt(world, made, mailbox=box)
    assert (seen["adopt"], len(seen["duplicates"])) == ([], 3)


async def test_another_imports_contacts_are_never_adopted(world: World) -> None:
    box, share = world.targets[0], (await world.share())["id"]
    await world.import_(share, destination={"folder": None})
    second = await world.import_(share, active=False, destination={"folder": None})
    seen = await adopt(world, second, mailbox=box)
    assert (seen["adopt"], seen["duplicates"], seen["left"]) == ([], [], 0)


async def test_confirmation_does_not_cover_contacts_added_since(world: World) -> None:
    box = world.targets[0]
    await add_old_contacts(world, box, "Old Tool")
    made = await world.import_((await world.share())["id"], active=False)
    seen = await adopt(world, made, mailbox=box, folder="Old Tool")
    four = world.users[world.people[3]]
    await world.client.add_contact(
        world.tenant, box, folder="Old Tool", emailAddresses=[{"address": four["mail"]}]
    )
    body = {"mailbox": box, "folder": "Old Tool", "confirm": seen["digest"]}
    path = f"/imports/{made['id']}/adoptions"
    problem(await world.api.send("POST", path, body), 409, "conflict")


async def test_adoption_is_refused_without_folder_or_while_import_is_active(
    world: World, partner: World
) -> None:
    box = world.targets[0]
    await add_old_contacts(world, box, "Old Tool")
    made = await world.import_((await world.share())["id"])
    path = f"/imports/{made['id']}/adoptions"
    default = await world.api.send("POST", path, {"mailbox": box})
    assert fields(problem(default, 400, "invalid-input")) == {"folder"}
    running = await world.api.send("POST", path, {"mailbox": box, "folder": "Old Tool"})
    assert "Create the import paused" in problem(running, 409, "conflict")["detail"]
    missing = await world.api.send("POST", path, {"mailbox": box, "folder": "No such"})
    problem(missing, 404, "not-found")
    foreign = await partner.api.send("POST", path, {"mailbox": box, "folder": "Old Tool"})
    problem(foreign, 404, "not-found")
