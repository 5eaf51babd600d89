"""However Exchange answers, a mailbox ends in the right state (adapters/graph/README.md)."""

from collections.abc import AsyncIterator

import pytest

from shared.adapters.graph import transport
from shared.domain.importing.imports import Conflicts
from shared.domain.importing.runs import Outcome
from shared.domain.reasons import Reason
from tests.integration.engine.box import assert_holds_exactly
from tests.integration.engine.engine import Engine
from tests.integration.engine.place import FOLDER, OK, Place, ended, share_of
from tests.local.client import Json
from tests.local.cloud import LocalCloud
from tests.world import World

ADDRESS = {"street": "Hauptstr. 1", "city": "Bonn", "state": "NRW", "postalCode": "53111"}


@pytest.fixture
async def place(
    cloud: LocalCloud, world: World, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Place]:
    monkeypatch.setattr(transport, "_DEFAULT_WAIT", 0.0)
    async with Engine(cloud.environment) as engine:
        id_ = await engine.add_import(world.tenant, world.targets[0], FOLDER)
        yield Place(engine, world, id_)


@pytest.mark.parametrize(
    ("null", "partial"),
    [("refused", "merged"), ("partsRefused", "merged"), ("cleared", "replaced")],
)
async def test_address_is_changed_and_cleared(place: Place, null: str, partial: str) -> None:
    await place.quirks(nullAddress=null, partialAddress=partial)
    assert ended(await place.sync(share_of(3, businessAddress=ADDRESS))) == OK
    assert (await place.contact("u-00"))["businessAddress"] == ADDRESS

    assert ended(await place.sync(share_of(3, businessAddress={"city": "Köln"}))) == OK
    assert (await place.contact("u-00"))["businessAddress"] == {"city": "Köln"}

    assert ended(await place.sync(share_of(3))) == OK
    assert (await place.contact("u-00"))["businessAddress"] == {}


async def test_addresses_refused_with_null_parts_cost_one_batch_more(place: Place) -> None:
    await place.quirks(nullAddress="partsRefused")
    await place.world.client.reset_requests()
    await place.sync(share_of(40, businessAddress={"city": "Bonn"}))
    assert await place.requests("POST", "/contacts") == 60


async def test_contact_that_always_answers_500_is_rejected_alone(place: Place) -> None:
    await place.sync(share_of(25))
    id_ = (await place.contact("u-07"))["id"]
    await place.fault(f"/contacts/{id_}$", 500)
    result = await place.sync(share_of(25, jobTitle="New"))
    assert ended(result) == (Outcome.SUCCEEDED, Reason.CONTACTS_REJECTED)
    rejected = [(r.key, r.code) for r in result.rejected]
    assert rejected == [("u-07", "500 ErrorInternalServerError")]
    assert result.contacts.updated == 24

    await place.world.client.clear_faults()
    assert ended(await place.sync(share_of(25, jobTitle="New"))) == OK
    assert (await place.contact("u-07"))["jobTitle"] == "New"


@pytest.mark.parametrize("status", [500, 503])
async def test_only_change_that_always_fails_is_rejected_after_some_tries(
    place: Place, status: int
) -> None:
    await place.sync(share_of(1))
    id_ = (await place.contact("u-00"))["id"]
    await place.fault(f"/contacts/{id_}$", status)
    result = await place.sync(share_of(1, jobTitle="New"))
    assert ended(result) == (Outcome.SUCCEEDED, Reason.CONTACTS_REJECTED)
    await place.world.client.clear_faults()
    assert ended(await place.sync(share_of(1, jobTitle="New"))) == OK


@pytest.mark.parametrize("times", [2, 1_000])
async def test_conflict_is_retried_before_its_contact_is_rejected(place: Place, times: int) -> None:
    await place.sync(share_of(3))
    id_ = (await place.contact("u-01"))["id"]
    await place.fault(f"/contacts/{id_}$", 412, "ErrorIrresolvableConflict", times)
    result = await place.sync(share_of(3, jobTitle="New"))
    reason = None if times == 2 else Reason.CONTACTS_REJECTED
    assert ended(result) == (Outcome.SUCCEEDED, reason)
    assert result.contacts.updated == (3 if times == 2 else 2)


async def test_transient_error_is_recognized_by_its_code(place: Place) -> None:
    await place.fault("/contacts$", 400, "ErrorTooManyObjectsOpened", times=3)
    assert ended(await place.sync(share_of(3))) == OK


async def test_removal_that_cannot_delete_a_contact_does_not_forget_the_mailbox(
    place: Place,
) -> None:
    await place.sync(share_of(3))
    id_ = (await place.contact("u-01"))["id"]
    await place.fault(f"/contacts/{id_}", 400, "ErrorInvalidRequest", times=2)
    assert ended(await place.remove()) == (Outcome.FAILED, Reason.CONTACTS_REJECTED)
    assert await place.engine.mailboxes(place.world.tenant, place.id)
    assert ended(await place.remove()) == OK
    assert not await place.engine.mailboxes(place.world.tenant, place.id)


@pytest.mark.parametrize(
    "code", ["ResourceNotFound", "ErrorNonExistentMailbox", "MailboxNotEnabledForRESTAPI"]
)
async def test_missing_mailbox_is_skipped_whatever_its_code(place: Place, code: str) -> None:
    await place.sync(share_of(3))
    await place.quirks(missingMailbox=code)
    user = {"id": place.mailbox, "mailbox": False}
    await place.world.client.change_tenant(place.world.tenant, users=[user])
    result = await place.sync(share_of(4))
    assert ended(result) == (Outcome.SKIPPED, Reason.NO_MAILBOX)


@pytest.mark.parametrize(
    ("full", "reason"),
    [
        ("quota", Reason.MAILBOX_FULL),
        ("storage", Reason.MAILBOX_FULL),
        ("names", Reason.MAILBOX_PROPERTIES_FULL),
    ],
)
async def test_full_mailbox_is_reported_and_still_loses_contacts_that_left_the_share(
    place: Place, full: str, reason: Reason
) -> None:
    await place.sync(share_of(5))
    await place.quirks(fullMailbox=full)
    assert ended(await place.sync(share_of(5))) == OK
    left = {key: value for key, value in share_of(6).items() if key != "u-00"}
    assert ended(await place.sync(left)) == (Outcome.FAILED, reason)
    held = (await place.look()).by_key(place.id)
    assert sorted(held) == ["u-01", "u-02", "u-03", "u-04"]

    await place.quirks(fullMailbox="no")
    assert ended(await place.sync(left)) == OK
    assert_holds_exactly(await place.look(), place.id, left)


@pytest.mark.parametrize(
    "code",
    [
        "SyncStateInvalid",
        "ErrorItemNotFound",
        "ResyncRequired",
        "ErrorSyncFolderNotFound",
        "SyncStateNotFound",
    ],
)
async def test_dead_link_is_dropped_and_the_folder_read_whole(place: Place, code: str) -> None:
    await place.quirks(deadLink=code)
    await place.sync(share_of(3))
    gone, client = (await place.contact("u-01"))["id"], place.world.client
    await client.delete_contact(place.world.tenant, place.mailbox, gone)
    await client.expire_delta(place.world.tenant)
    assert ended(await place.sync(share_of(4))) == OK
    assert_holds_exactly(await place.look(), place.id, share_of(4))
    assert ended(await place.sync(share_of(4))) == OK


@pytest.mark.parametrize(
    ("quirk", "reason"),
    [
        ({"newCategory": "refused", "exists": False}, Reason.CATEGORY_COLOR_REFUSED),
        ({"categoryExists": "400"}, None),
        ({"categoryExists": "409"}, None),
    ],
)
async def test_category_that_is_refused_does_not_stop_the_mailbox(
    place: Place, quirk: Json, reason: Reason | None
) -> None:
    other = await place.beside("Other")
    if quirk.pop("exists", True):
        await place.category()
    assert ended(await place.sync(share_of(1))) == OK
    await other.category()
    await place.quirks(**quirk)
    result = await other.sync(share_of(3))
    assert ended(result) == (Outcome.SUCCEEDED, reason)
    assert_holds_exactly(await place.look(), other.id, share_of(3))


async def test_category_that_answers_500_does_not_stop_the_mailbox(place: Place) -> None:
    await place.category()
    await place.fault("/masterCategories", 500)
    result = await place.sync(share_of(2))
    assert ended(result) == (Outcome.SUCCEEDED, Reason.CATEGORY_COLOR_REFUSED)
    await place.world.client.clear_faults()
    assert ended(await place.sync(share_of(2))) == OK
    await place.fault("/masterCategories/", 500)
    assert ended(await place.remove()) == OK
    box = await place.look()
    assert_holds_exactly(box, place.id, {})


@pytest.mark.parametrize("shown", ["removed", "shown"])
async def test_contact_moved_out_and_back_stays_one(place: Place, shown: str) -> None:
    await place.quirks(movedBack=shown)
    await place.sync(share_of(3))
    tenant, mailbox, id_ = place.world.tenant, place.mailbox, (await place.contact("u-01"))["id"]
    await place.world.client.move_contact(tenant, mailbox, id_)
    await place.world.client.move_contact(tenant, mailbox, id_, FOLDER)
    changed = share_of(3, companyName="New")
    assert ended(await place.sync(changed)) == OK
    assert_holds_exactly(await place.look(), place.id, changed)
    assert (await place.contact("u-01"))["id"] == id_


async def test_contact_moved_out_is_restored(place: Place) -> None:
    await place.sync(share_of(3))
    id_ = (await place.contact("u-01"))["id"]
    await place.world.client.move_contact(place.world.tenant, place.mailbox, id_)
    assert ended(await place.sync(share_of(3))) == OK
    names = await place.world.client.folder(place.world.tenant, place.mailbox, FOLDER)
    assert len(names) == 3


@pytest.mark.parametrize("edited", ["overwrite", "keep"])
async def test_texts_that_exchange_tidies_are_not_edits(place: Place, edited: str) -> None:
    conflicts = Conflicts(edited=edited)  # type: ignore[arg-type]
    await place.engine.change_import(place.world.tenant, place.id, conflicts=conflicts)
    await place.quirks(texts="tidied")
    address = {"street": "Hauptstr. 1\nHinterhaus ", "city": " Bonn"}
    for title in ("Old ", "New "):
        share = share_of(2, jobTitle=title, businessAddress=address)
        assert ended(await place.sync(share)) == OK
        again = await place.sync(share)
        assert (ended(again), again.contacts.unchanged) == (OK, 2)
        found = await place.contact("u-01")
        assert found["jobTitle"] == title.strip()
        assert found["businessAddress"] == {"street": "Hauptstr. 1\r\nHinterhaus", "city": "Bonn"}


@pytest.mark.parametrize("edited", ["overwrite", "keep"])
async def test_delta_with_only_changed_properties_is_not_an_edit(place: Place, edited: str) -> None:
    conflicts = Conflicts(edited=edited)  # type: ignore[arg-type]
    await place.engine.change_import(place.world.tenant, place.id, conflicts=conflicts)
    await place.quirks(deltaItems="changedOnly")
    await place.sync(share_of(3, jobTitle="Old", mobilePhone="+49 1"))
    id_ = (await place.contact("u-01"))["id"]
    client, tenant = place.world.client, place.world.tenant
    await client.change_contact(tenant, place.mailbox, id_, personalNotes="mine")
    assert ended(await place.sync(share_of(3, jobTitle="Old", mobilePhone="+49 1"))) == OK
    new = share_of(3, jobTitle="New", mobilePhone="+49 2")
    assert ended(await place.sync(new)) == OK
    found = await place.contact("u-01")
    assert (found["jobTitle"], found["mobilePhone"]) == ("New", "+49 2")
    assert found["personalNotes"] == "mine"


@pytest.mark.parametrize("deleted", ["deletedItems", "gone"])
async def test_folder_that_the_user_deleted_is_made_again(place: Place, deleted: str) -> None:
    await place.quirks(deletedFolder=deleted)
    await place.sync(share_of(3))
    client, tenant, mailbox = place.world.client, place.world.tenant, place.mailbox
    await client.delete_folder(tenant, mailbox, FOLDER)
    assert ended(await place.sync(share_of(4))) == OK
    assert_holds_exactly(await place.look(), place.id, share_of(4))
    in_bin = (await client.mailbox(tenant, mailbox))["deletedItems"]["folders"]
    assert [len(f["contacts"]) for f in in_bin] == ([3] if deleted == "deletedItems" else [])
    assert ended(await place.sync(share_of(5))) == OK
    assert_holds_exactly(await place.look(), place.id, share_of(5))


async def test_folder_that_the_user_moved_stays_ours(place: Place) -> None:
    await place.sync(share_of(3))
    client, tenant, mailbox = place.world.client, place.world.tenant, place.mailbox
    await client.add_folder(tenant, mailbox, "Above")
    for count, above in enumerate(("Above", None, "Contacts"), 4):
        await client.move_folder(tenant, mailbox, FOLDER, above)
        assert ended(await place.sync(share_of(count))) == OK
        assert_holds_exactly(await place.look(), place.id, share_of(count))
        assert (await place.look()).folders_of(place.id) == 1


async def test_folder_that_the_user_restored_leaves_no_second_contacts(place: Place) -> None:
    await place.sync(share_of(3))
    client, tenant, mailbox = place.world.client, place.world.tenant, place.mailbox
    await client.delete_folder(tenant, mailbox, FOLDER)
    assert ended(await place.sync(share_of(4))) == OK
    box = await client.mailbox(tenant, mailbox)
    [deleted] = [f for f in box["deletedItems"]["folders"] if f["contacts"]]
    await client.move_folder(tenant, mailbox, deleted["id"], "Contacts")
    assert (await place.look()).folders_of(place.id) == 2
    assert ended(await place.sync(share_of(5))) == OK
    assert_holds_exactly(await place.look(), place.id, share_of(5))
    assert (await place.look()).folders_of(place.id) == 1
    # Of two, the one that we know goes: the other is ours again, with what is in it.
    await client.delete_folder(tenant, mailbox, FOLDER)
    assert ended(await place.sync(share_of(6))) == OK
    box = await client.mailbox(tenant, mailbox)
    [deleted] = [f for f in box["deletedItems"]["folders"] if f["contacts"]]
    await client.move_folder(tenant, mailbox, deleted["id"], "Contacts")
    await client.delete_folder(tenant, mailbox, FOLDER)
    assert ended(await place.sync(share_of(7))) == OK
    assert_holds_exactly(await place.look(), place.id, share_of(7))
    assert (await place.look()).folders_of(place.id) == 1


async def test_folder_check_costs_no_extra_request(place: Place) -> None:
    await place.sync(share_of(3))
    await place.world.client.reset_requests()
    await place.sync(share_of(3, jobTitle="New"))
    counted = (await place.world.client.requests())["tenants"][place.world.tenant]
    assert counted["http"] == 3


@pytest.mark.parametrize("name", ["refused", "ignored", "free"])
@pytest.mark.parametrize("for_good", ["allowed", "refused"])
async def test_removal_ends_where_the_folder_cannot_be_deleted(
    place: Place, name: str, for_good: str
) -> None:
    await place.quirks(deletedName=name, permanentDelete=for_good)
    client, tenant, mailbox = place.world.client, place.world.tenant, place.mailbox
    await client.add_folder(tenant, mailbox, FOLDER)
    await client.delete_folder(tenant, mailbox, FOLDER)
    await place.sync(share_of(3))
    assert ended(await place.remove()) == OK
    assert (await place.look()).contacts(place.id) == []
    assert not await place.engine.mailboxes(tenant, place.id)


async def test_contacts_of_ours_alone_are_deleted_for_good(place: Place) -> None:
    await place.sync(share_of(4))
    client, tenant, mailbox = place.world.client, place.world.tenant, place.mailbox
    id_ = (await place.contact("u-01"))["id"]
    await client.change_contact(tenant, mailbox, id_, personalNotes="mine")
    left = {key: value for key, value in share_of(4).items() if key > "u-01"}
    assert ended(await place.sync(left)) == OK
    deleted = (await client.mailbox(tenant, mailbox))["deletedItems"]["contacts"]
    assert [c["displayName"] for c in deleted] == ["Person u-01"]
    assert ended(await place.remove()) == OK
    deleted = (await client.mailbox(tenant, mailbox))["deletedItems"]["contacts"]
    assert [c["displayName"] for c in deleted] == ["Person u-01"]


async def test_refused_permanent_delete_is_asked_once(place: Place) -> None:
    await place.quirks(permanentDelete="refused")
    await place.sync(share_of(45))
    await place.world.client.reset_requests()
    result = await place.remove()
    assert (ended(result), result.contacts.deleted) == (OK, 45)
    assert await place.requests("POST", "permanentDelete") <= 20
    assert await place.requests("DELETE", "/contacts/") == 45


async def test_ids_of_another_mailbox_are_dropped(place: Place) -> None:
    await place.sync(share_of(3))
    path = r"/contactFolders/[^/?]+(/contacts/delta|\?)"
    await place.fault(path, 400, "ErrorInvalidMailboxItemId", times=2)
    await place.world.client.delete_folder(place.world.tenant, place.mailbox, FOLDER)
    assert ended(await place.sync(share_of(3))) == OK
    assert_holds_exactly(await place.look(), place.id, share_of(3))


async def test_contact_that_cannot_be_read_does_not_stop_the_mailbox(place: Place) -> None:
    client, tenant, mailbox = place.world.client, place.world.tenant, place.mailbox
    await place.sync(share_of(1))
    other = await place.beside(None)
    await other.sync(share_of(2))
    made = await client.add_contact(tenant, mailbox, displayName="Corrupt")
    await client.add_contact(tenant, mailbox, displayName="Fine")
    await place.fault(f"/contacts/{made['id']}", 500)
    assert ended(await other.sync(share_of(3))) == OK
    assert_holds_exactly(await other.look(), other.id, share_of(3))


async def test_batch_of_contacts_that_cannot_be_read_does_not_stop_the_mailbox(
    place: Place,
) -> None:
    client, tenant, mailbox = place.world.client, place.world.tenant, place.mailbox
    await place.sync(share_of(1))
    other = await place.beside(None)
    await other.sync(share_of(2))
    for name in ("Corrupt", "Corrupt too"):
        made = await client.add_contact(tenant, mailbox, displayName=name)
        await place.fault(f"/contacts/{made['id']}", 500)
    assert ended(await other.sync(share_of(3))) == OK
    assert_holds_exactly(await other.look(), other.id, share_of(3))
