"""Previews and explanations: they show what a run would do, and change nothing."""

from typing import Any

from tests.end_to_end.checks import UNKNOWN, fields, problem
from tests.local.client import Json
from tests.world import World, person


async def test_share_preview_has_count_sample_and_omissions_with_reason(
    world: World,
) -> None:
    gone, silent = person(70, accountEnabled=False), person(71, mail=None)
    await world.client.change_tenant(world.tenant, users=[gone, silent])
    await world.members([*world.people, gone["id"], silent["id"]])
    share = await world.share()
    seen = await world.api.get(f"/shares/{share['id']}/preview")
    assert (seen["count"], seen["omitted"]) == (5, 2)
    assert [c["displayName"] for c in seen["sample"]] == [f"Person {n}" for n in range(5)]
    assert {(o["id"], o["reason"]) for o in seen["omissions"]} == {
        (gone["id"], "disabled"),
        (silent["id"], "no_email"),
    }
    assert all(o["remedy"] for o in seen["omissions"])


async def test_share_preview_shows_only_published_fields(world: World) -> None:
    share = await world.share(fields=["displayName"])
    seen = await world.api.get(f"/shares/{share['id']}/preview")
    assert set(seen["sample"][0]) == {"key", "displayName", "givenName", "surname", "fileAs"}


async def test_only_the_publisher_sees_the_share_preview(world: World, partner: World) -> None:
    share = await world.share()
    foreign = await partner.api.send("GET", f"/shares/{share['id']}/preview")
    problem(foreign, 404, "not-found")


async def test_share_preview_without_consent_needs_an_admin(world: World) -> None:
    share = await world.share()
    await world.client.fault("/transitiveMembers/", {"status": 403})
    refused = await world.api.send("GET", f"/shares/{share['id']}/preview")
    body = problem(refused, 409, "needs-admin")
    assert body["reason"] == "consent_missing"


async def preview(world: World, made: Json, mailbox: str) -> Any:
    return await world.api.post(f"/imports/{made['id']}/preview", {"mailbox": mailbox}, 200)


async def test_import_preview_shows_the_plan_and_changes_nothing(world: World) -> None:
    made = await world.import_((await world.share())["id"], active=False)
    box = world.targets[0]
    before = await world.client.mailbox(world.tenant, box)
    seen = await preview(world, made, box)
    assert seen["planned"] == {"created": 5, "updated": 0, "deleted": 0, "unchanged": 0}
    assert {(c["action"], c["displayName"]) for c in seen["changes"]} == {
        ("create", name) for name in world.expected()
    }
    assert await world.client.mailbox(world.tenant, box) == before
    await world.api.patch(f"/imports/{made['id']}", {"active": True}, 200)
    await world.next_day()
    await world.change(world.people[0], jobTitle="Boss")
    await world.members(world.people[:4])
    before = await world.client.mailbox(world.tenant, box)
    seen = await preview(world, made, box)
    assert seen["planned"] == {"created": 0, "updated": 1, "deleted": 1, "unchanged": 3}
    assert await world.client.mailbox(world.tenant, box) == before
    await world.next_day()
    assert (await world.last_run(made["id"]))["contacts"]["updated"] == 2


async def test_import_preview_shows_what_would_be_held(world: World) -> None:
    made = await world.import_((await world.share())["id"], guard={"deletes": 0, "deleteShare": 0})
    gone = [world.users[who]["displayName"] for who in world.people[2:]]
    await world.change(world.people[0], jobTitle="Boss")
    await world.members(world.people[:2])
    seen = await preview(world, made, world.targets[0])
    assert (seen["held"], seen["planned"]["deleted"]) == ("too_many_deletes", 3)
    assert seen["remedy"]
    actions = [(change["action"], change["displayName"]) for change in seen["changes"]]
    assert sorted(actions[:3]) == [("delete", name) for name in sorted(gone)]
    assert [action for action, _ in actions[3:]] == ["update"]


async def test_only_target_mailboxes_can_be_previewed(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    path = f"/imports/{made['id']}/preview"
    refused = await world.api.send("POST", path, {"mailbox": world.people[0]})
    assert fields(problem(refused, 400, "invalid-input")) == {"mailbox"}
    for body in ({}, {"mailbox": 7}, {"mailbox": "mueller"}):
        refused = await world.api.send("POST", path, body)
        assert fields(problem(refused, 400, "invalid-input")) == {"mailbox"}
    foreign = f"/imports/{UNKNOWN}/preview"
    problem(await world.api.send("POST", foreign, {"mailbox": world.targets[0]}), 404, "not-found")


async def explain(world: World, made: Json, mailbox: str, person: str) -> tuple[Any, ...]:
    path = f"/imports/{made['id']}/explain?mailbox={mailbox}&person={person}"
    seen = await world.api.get(path)
    assert bool(seen["reason"]) == bool(seen["remedy"])
    return seen["published"], seen["present"], seen["reason"]


async def test_explanation_names_the_first_cause(world: World) -> None:
    gone, stranger, late = person(70, accountEnabled=False), person(71), person(72)
    await world.client.change_tenant(world.tenant, users=[gone, stranger, late])
    await world.members([*world.people, gone["id"]])
    made = await world.import_((await world.share())["id"], conflicts={"deleted": "respect"})
    box, one, two = world.targets[0], *world.people[:2]
    assert await explain(world, made, box, one) == (True, True, None)
    assert await explain(world, made, box, f"u-{one}") == (True, True, None)
    assert await explain(world, made, box, gone["id"]) == (False, False, "disabled")
    assert await explain(world, made, box, stranger["id"]) == (False, False, "not_in_share")
    assert await explain(world, made, stranger["id"], one) == (True, False, "not_a_target")
    await world.members([*world.people[1:], late["id"]])
    assert await explain(world, made, box, late["id"]) == (True, False, "not_yet_synced")
    assert await explain(world, made, box, one) == (False, True, "not_in_share")
    contacts = await world.client.folder(world.tenant, box)
    contact = next(c for c in contacts if c["displayName"] == world.users[two]["displayName"])
    await world.client.delete_contact(world.tenant, box, contact["id"])
    assert await explain(world, made, box, two) == (True, False, "deleted_by_user")
    await world.next_day()
    assert await explain(world, made, box, two) == (True, False, "deleted_by_user")
    assert await explain(world, made, box, late["id"]) == (True, True, None)


async def test_explanation_covers_missing_seats_rejected_contacts_and_missing_mailboxes(
    world: World,
) -> None:
    nobody = person(80, mailbox=False)
    await world.client.change_tenant(world.tenant, users=[nobody])
    one, (box, other) = world.people[0], world.targets
    await world.client.fault("/contacts$", {"status": 400}, times=1, method="POST")
    made = await world.import_((await world.share())["id"], targets={"users": [box, nobody["id"]]})
    assert await explain(world, made, nobody["id"], one) == (True, False, "no_mailbox")
    states = [await explain(world, made, box, p) for p in world.people]
    assert sorted(map(str, states)) == sorted(
        map(str, [*[(True, True, None)] * 4, (True, False, "contacts_rejected")])
    )
    await world.api.put("/licenses", {"booked": 0}, 200)
    await world.api.patch(f"/imports/{made['id']}", {"targets": {"users": [box, other]}}, 200)
    world.days = 31
    await world.next_day()
    assert await explain(world, made, other, one) == (True, False, "no_license")


async def test_explanation_requires_mailbox_and_person(world: World) -> None:
    made = await world.import_((await world.share())["id"], settle=False)
    for query in ("", "?mailbox=m", "?person=p", "?mailbox=m&person=a/b"):
        refused = await world.api.send("GET", f"/imports/{made['id']}/explain{query}")
        problem(refused, 400, "invalid-input")
    await world.client.settle()


async def test_preview_and_explanation_work_with_a_deleted_folder(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    box = world.targets[0]
    await world.client.delete_folder(world.tenant, box, "Contact Sync")
    assert await explain(world, made, box, world.people[0]) == (True, False, "not_yet_synced")
    assert (await preview(world, made, box))["planned"]["created"] == 5
    await world.client.expire_delta(world.tenant)
    assert (await preview(world, made, box))["planned"]["created"] == 5
