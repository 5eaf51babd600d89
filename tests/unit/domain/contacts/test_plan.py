"""Properties of plans, for any share, any mailbox and any known state."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.contacts.fields import ROWS, Contact
from shared.domain.contacts.plan import make_plan
from tests.unit.domain.contacts.folder import Folder, holds, mailboxes, shares, sync


@given(mailboxes(), shares)
def test_applying_a_plan_to_any_mailbox_yields_the_desired_contacts_exactly_once(
    folder: Folder, share: dict[str, Contact]
) -> None:
    sync(folder, share, {}, None)
    assert holds(folder, share)


@given(mailboxes(), shares)
def test_plan_changes_only_contacts_with_our_mark(
    folder: Folder, share: dict[str, Contact]
) -> None:
    def others() -> dict[str, Any]:
        return {
            id_: contact
            for id_, contact in folder.contacts.items()
            if id_ not in folder.keys([id_])
        }

    before = copy.deepcopy(others())
    sync(folder, share, {}, None)
    assert others() == before


@given(mailboxes(), shares)
def test_a_second_plan_is_empty(folder: Folder, share: dict[str, Contact]) -> None:
    _, known, since, calm = sync(folder, share, {}, None)
    plan, *_ = sync(folder, share, known, since)
    assert calm
    assert plan.operations == ()
    assert plan.unchanged == len(share)


@given(mailboxes(), shares, shares)
def test_share_changes_are_applied_and_unchanged_contacts_are_not_written(
    folder: Folder, first: dict[str, Contact], second: dict[str, Contact]
) -> None:
    _, known, since, _ = sync(folder, first, {}, None)
    plan, *_ = sync(folder, second, known, since)
    assert holds(folder, second)
    same = [k for k in first if k in second and first[k].hash == second[k].hash]
    assert not {o.key for o in plan.operations} & set(same)


@given(mailboxes(), shares, shares, st.integers(0, 12))
def test_sync_after_a_worker_crash_leaves_no_duplicates_and_no_gaps(
    folder: Folder, first: dict[str, Contact], second: dict[str, Contact], survived: int
) -> None:
    _, known, since, _ = sync(folder, first, {}, None)
    folder.carry_out(make_plan(second, known), survived)
    sync(folder, second, known, since)
    assert holds(folder, second)


@given(mailboxes(), shares, shares)
def test_lost_state_is_rebuilt_from_the_marks(
    folder: Folder, first: dict[str, Contact], second: dict[str, Contact]
) -> None:
    sync(folder, first, {}, None)
    sync(folder, second, {}, None)
    assert holds(folder, second)


@given(mailboxes(), shares, st.data())
def test_user_edits_and_deletions_of_our_contacts_are_reverted(
    folder: Folder, share: dict[str, Contact], data: st.DataObject
) -> None:
    _, known, since, _ = sync(folder, share, {}, None)
    for id_ in list(folder.keys(list(folder.contacts))):
        match data.draw(st.sampled_from(["leave", "rename", "delete"])):
            case "rename":
                folder.change(id_, {"displayName": "Nickname"})
            case "delete":
                folder.remove(id_)
    sync(folder, share, known, since)
    assert holds(folder, share)


@given(shares, shares)
def test_fields_that_we_never_wrote_survive_every_update(
    first: dict[str, Contact], second: dict[str, Contact]
) -> None:
    folder = Folder()
    _, known, since, _ = sync(folder, first, {}, None)
    private = {"personalNotes": "mine", "nickName": "Bob", "categories": ["Friends"]}
    written = {i: folder.contacts[i].copy() for i in folder.contacts}
    for id_ in list(folder.contacts):
        folder.change(id_, private)
    numbers = [i for i, c in written.items() if "mobilePhone" not in c]
    for id_ in numbers:
        folder.change(id_, {"mobilePhone": "+49 private"})
    by_key = {key: id_ for id_, key in folder.keys(list(folder.contacts)).items()}
    sync(folder, second, known, since)
    for key in first.keys() & second.keys():
        contact = folder.contacts[by_key[key]]
        assert private.items() <= contact.items()
        if by_key[key] in numbers and "mobilePhone" not in second[key].fields:
            assert contact["mobilePhone"] == "+49 private"


@given(shares)
def test_fields_removed_from_the_source_are_cleared(
    share: dict[str, Contact],
) -> None:
    folder = Folder()
    _, known, since, _ = sync(folder, share, {}, None)
    bare = {
        key: Contact.of(key, {"displayName": c.fields["displayName"]}) for key, c in share.items()
    }
    sync(folder, bare, known, since)
    for contact in folder.contacts.values():
        left = {name for name, value in contact.items() if ROWS[name].shape.clean(value)}
        assert left == {"displayName"}
