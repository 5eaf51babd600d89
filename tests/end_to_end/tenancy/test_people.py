"""Data-protection requests: where a person's contact is, and removing it everywhere."""

import pytest

from tests.end_to_end.checks import problem
from tests.world import DOMAIN, World


async def test_person_is_found_in_own_mailboxes_and_at_named_partners(
    world: World, partner: World
) -> None:
    share = await world.share()
    made = await world.import_(share["id"])
    await partner.api.patch("/tenant", {"name": "Fabrikam"}, 200)
    await partner.import_(share["shareId"])
    person = world.people[0]

    found = await world.api.get(f"/people/{person}")

    assert found["places"] == [{"importId": made["id"], "mailboxes": sorted(world.targets)}]
    assert found["shares"] == [{"shareId": share["id"], "partners": [f"{DOMAIN} (“Fabrikam”)"]}]
    assert (found["suppressed"], found["unknown"]) == (None, [])
    assert not any(mailbox in str(found) for mailbox in partner.targets)


async def test_person_in_no_share_is_found_nowhere(world: World) -> None:
    await world.import_((await world.share())["id"])

    found = await world.api.get(f"/people/{world.targets[0]}")

    assert (found["places"], found["shares"]) == ([], [])


async def test_removed_person_disappears_here_at_once_and_at_partners_with_next_run(
    world: World, partner: World
) -> None:
    share = await world.share()
    await world.import_(share["id"])
    theirs = await partner.import_(share["shareId"])
    person, name = world.people[0], world.users[world.people[0]]["displayName"]

    removal = await world.api.delete(f"/people/{person}", 202)
    await world.client.settle()
    here = await world.names(world.targets[0])
    await partner.next_day()

    assert len(removal["runs"]) == 1
    assert name not in here
    assert len(here) == 4
    assert name not in await partner.names(partner.targets[0])
    run = await partner.last_run(theirs["id"])
    assert run["status"] == "succeeded"
    found = await world.api.get(f"/people/{person}")
    assert (found["places"], found["shares"]) == ([], [])
    assert found["suppressed"] == removal["suppressed"]


async def test_removed_person_leaves_paused_imports_too(world: World) -> None:
    share = (await world.share())["id"]
    running, paused = await world.import_(share), await world.import_(share, name="Second")
    await world.api.patch(f"/imports/{paused['id']}", {"active": False})
    person = world.people[0]

    removal = await world.api.delete(f"/people/{person}", 202)
    await world.client.settle()

    assert removal["paused"] == []
    assert len(removal["runs"]) == 2
    assert running["id"] != paused["id"]
    assert (await world.api.get(f"/people/{person}"))["places"] == []


async def test_removed_person_stays_suppressed_until_readmitted(
    world: World,
) -> None:
    person, name = world.people[0], world.users[world.people[0]]["displayName"]
    await world.api.delete(f"/people/{person}", 202)

    share = await world.share(sources={"users": [person], "groups": [{"id": world.group}]})
    made = await world.import_(share["id"])
    out = await world.names(world.targets[0])
    run = await world.last_run(made["id"])
    await world.api.post(f"/people/{person}/readmit", None, 204)
    await world.next_day()

    assert name not in out
    assert {"id": person, "reason": "suppressed"}.items() <= run["omissions"][0].items()
    assert name in await world.names(world.targets[0])


async def test_subscriber_suppresses_publishers_person_in_own_mailboxes_only(
    world: World, partner: World
) -> None:
    share = await world.share()
    await world.import_(share["id"])
    await partner.import_(share["shareId"])
    person, name = world.people[0], world.users[world.people[0]]["displayName"]

    await partner.api.delete(f"/people/{person}", 202)
    await partner.client.settle()
    await partner.next_day()

    assert name not in await partner.names(partner.targets[0])
    assert name in await world.names(world.targets[0])


async def test_repeated_removal_and_readmission_are_recorded_once_each(world: World) -> None:
    person = world.people[0]
    for _ in range(2):
        await world.api.delete(f"/people/{person}", 202)
    for _ in range(2):
        await world.api.post(f"/people/{person}/readmit", None, 204)

    entries = await world.api.all("/ledger?action=person")

    assert [entry["action"] for entry in entries] == ["person.readmitted", "person.suppressed"]


@pytest.mark.parametrize("id_", ["a b", "%00", "x" * 200])
async def test_malformed_person_id_returns_404(world: World, id_: str) -> None:
    reply = await world.api.send("GET", f"/people/{id_}")

    problem(reply, 404, "not-found")
