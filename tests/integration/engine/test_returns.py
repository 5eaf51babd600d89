"""A contact that its user moved out of our folder, or deleted, and brings back some days later."""

from collections.abc import AsyncIterator

import pytest

from shared.adapters.graph import transport
from shared.domain.importing.imports import Conflicts
from shared.domain.importing.messages import Task
from tests.integration.engine.box import assert_holds_exactly
from tests.integration.engine.engine import Engine
from tests.integration.engine.place import FOLDER, OK, Place, ended, share_of
from tests.local.cloud import LocalCloud
from tests.world import World

SHARE = share_of(3)


@pytest.fixture
async def place(
    cloud: LocalCloud, world: World, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Place]:
    monkeypatch.setattr(transport, "_DEFAULT_WAIT", 0.0)
    async with Engine(cloud.environment) as engine:
        id_ = await engine.add_import(world.tenant, world.targets[0], FOLDER)
        yield Place(engine, world, id_)


async def leave(place: Place, how: str) -> str:
    """Let the user take a contact out of our folder, and sync; return its id."""
    client, tenant, mailbox = place.world.client, place.world.tenant, place.mailbox
    await place.sync(SHARE)
    id_ = str((await place.contact("u-01"))["id"])
    if how == "moved":
        await client.move_contact(tenant, mailbox, id_)
    else:
        await client.delete_contact(tenant, mailbox, id_)
    assert ended(await place.sync(SHARE)) == OK
    assert ended(await place.sync(SHARE)) == OK
    return id_


async def come_back(place: Place, id_: str) -> None:
    await place.world.client.move_contact(place.world.tenant, place.mailbox, id_, FOLDER)


@pytest.mark.parametrize("how", ["moved", "deleted"])
@pytest.mark.parametrize("shown", ["removed", "shown"])
async def test_contact_that_comes_back_is_no_second_one(place: Place, how: str, shown: str) -> None:
    await place.quirks(movedBack=shown)
    id_ = await leave(place, how)
    await come_back(place, id_)
    assert ended(await place.sync(SHARE)) == OK
    assert_holds_exactly(await place.look(), place.id, SHARE)
    assert (await place.contact("u-01"))["id"] != id_
    assert ended(await place.sync(SHARE)) == OK
    assert_holds_exactly(await place.look(), place.id, SHARE)


@pytest.mark.parametrize("shown", ["removed", "shown"])
async def test_contact_with_the_users_notes_is_the_one_that_stays(place: Place, shown: str) -> None:
    await place.quirks(movedBack=shown)
    id_ = await leave(place, "moved")
    client, tenant = place.world.client, place.world.tenant
    await client.change_contact(tenant, place.mailbox, id_, personalNotes="mine")
    await come_back(place, id_)
    assert ended(await place.sync(SHARE)) == OK
    assert_holds_exactly(await place.look(), place.id, SHARE)
    found = await place.contact("u-01")
    assert (found["id"], found["personalNotes"]) == (id_, "mine")
    changed = share_of(3, companyName="New")
    assert ended(await place.sync(changed)) == OK
    assert_holds_exactly(await place.look(), place.id, changed)


async def test_notes_in_both_contacts_are_kept_in_one_and_recoverable_in_the_other(
    place: Place,
) -> None:
    id_ = await leave(place, "moved")
    client, tenant, mailbox = place.world.client, place.world.tenant, place.mailbox
    [new] = [c for c in await client.folder(tenant, mailbox, FOLDER) if "u-01" in c["displayName"]]
    for contact in (id_, new["id"]):
        await client.change_contact(tenant, mailbox, contact, personalNotes=contact[-6:])
    await come_back(place, id_)
    assert ended(await place.sync(SHARE)) == OK
    assert_holds_exactly(await place.look(), place.id, SHARE)
    assert (await place.contact("u-01"))["personalNotes"] == new["id"][-6:]
    in_bin = (await client.mailbox(tenant, mailbox))["deletedItems"]["contacts"]
    assert [c["personalNotes"] for c in in_bin] == [id_[-6:]]


async def test_contact_that_comes_back_is_ours_again_where_deletions_are_kept(
    place: Place,
) -> None:
    conflicts = Conflicts(deleted="respect")
    await place.engine.change_import(place.world.tenant, place.id, conflicts=conflicts)
    id_ = await leave(place, "moved")
    assert "u-01" in (await place.look()).by_key(place.id)
    await come_back(place, id_)
    changed = share_of(3, companyName="New")
    assert ended(await place.sync(changed)) == OK
    assert_holds_exactly(await place.look(), place.id, changed)
    assert (await place.contact("u-01"))["id"] == id_


@pytest.mark.parametrize("task", [Task.REMOVE, Task.PURGE])
async def test_contact_that_the_user_moved_elsewhere_is_removed_with_its_person(
    place: Place, task: Task
) -> None:
    client, tenant, mailbox = place.world.client, place.world.tenant, place.mailbox
    await client.add_folder(tenant, mailbox, "Friends")
    await place.sync(SHARE)
    id_ = (await place.contact("u-01"))["id"]
    await client.move_contact(tenant, mailbox, id_, "Friends")
    assert ended(await place.sync(SHARE)) == OK
    assert len((await place.look()).by_key(place.id)["u-01"]) == 2
    if task is Task.REMOVE:
        assert ended(await place.remove()) == OK
        assert (await place.look()).by_key(place.id) == {}
    else:
        message = await place.engine.purge(tenant, place.id, mailbox, frozenset({"u-01"}))
        assert ended(await place.end(message)) == OK
        assert set((await place.look()).by_key(place.id)) == {"u-00", "u-02"}


async def test_contacts_elsewhere_cost_one_batch_more_until_they_are_gone(place: Place) -> None:
    id_ = await leave(place, "moved")
    await place.world.client.reset_requests()
    assert (await place.sync(SHARE)).graph_requests == 2
    client, tenant, mailbox = place.world.client, place.world.tenant, place.mailbox
    for _ in range(2):
        await client.delete_contact(tenant, mailbox, id_)
    assert (await place.sync(SHARE)).graph_requests == 2
    assert (await place.sync(SHARE)).graph_requests == 1
