"""Properties of the policies for the user's edits, deletions and categories."""

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.contacts.fields import ROWS, Contact, Mark
from shared.domain.contacts.known import KnownContacts, Policy, observe, settle, unknown_ids
from shared.domain.contacts.plan import applied, make_plan, relabelled
from tests.unit.domain.contacts.folder import Folder, holds, ours, shares, sync


def policy_sync(
    folder: Folder, share: dict[str, Contact], known: KnownContacts, since: int | None, how: Policy
) -> tuple[KnownContacts, int]:
    changes = folder.delta(since)
    found = folder.keys(unknown_ids(known, changes))
    marks = {id_: Mark(key) for id_, key in found.items()}
    known, surplus = observe(known, changes, marks, share, complete=since is None, policy=how)
    plan = make_plan(share, known, surplus, how)
    before = len(folder.log)
    known = applied(known, folder.carry_out(plan))
    known, _ = settle(known, folder.delta(before), how)
    return known, len(folder.log)


@given(shares, shares, st.data())
def test_a_respected_deletion_lasts_until_the_person_leaves_the_share(
    first: dict[str, Contact], second: dict[str, Contact], data: st.DataObject
) -> None:
    respect, folder = Policy(restore_deleted=False), Folder()
    known, since = policy_sync(folder, first, {}, None, respect)
    by_key = {key: id_ for id_, key in folder.keys(list(folder.contacts)).items()}
    gone = data.draw(st.sets(st.sampled_from(sorted(by_key)))) if by_key else set()
    for key in gone:
        folder.remove(by_key[key])
    known, since = policy_sync(folder, first, known, since, respect)
    assert set(ours(folder)) == first.keys() - gone
    known, since = policy_sync(folder, second, known, since, respect)
    assert set(ours(folder)) == second.keys() - (gone & first.keys())
    known, since = policy_sync(folder, second, known, since, Policy())
    assert holds(folder, second)


@given(shares, shares, st.data())
def test_kept_edits_survive_updates_and_other_fields_follow_the_source(
    first: dict[str, Contact], second: dict[str, Contact], data: st.DataObject
) -> None:
    keep, folder = Policy(keep_edits=True), Folder()
    known, since = policy_sync(folder, first, {}, None, keep)
    by_key = {key: id_ for id_, key in folder.keys(list(folder.contacts)).items()}
    edits: dict[str, str] = {}
    for key, contact in first.items():
        plain = sorted(contact.fields.keys() & {"department", "mobilePhone"})
        name = data.draw(st.sampled_from(["", *plain]))
        if name:
            edits[key] = name
            folder.change(by_key[key], {name: "the user's"})
    known, since = policy_sync(folder, second, known, since, keep)
    for key, contact in second.items():
        shown = folder.contacts[next(i for i, k in folder.keys(list(folder.contacts)).items()
                                     if k == key)]  # fmt: skip
        for name, value in contact.fields.items():
            kept = key in first and edits.get(key) == name
            now = ROWS[name].shape.clean(shown.get(name))
            assert now == ("the user's" if kept else value)
    plan = make_plan(second, known, (), keep)
    assert plan.operations == ()
    policy_sync(folder, second, known, since, Policy())
    assert holds(folder, second)


@given(shares, st.data())
def test_new_category_replaces_the_old_one_and_keeps_the_users_own(
    share: dict[str, Contact], data: st.DataObject
) -> None:
    folder = Folder()
    _, known, _, _ = sync(folder, share, {}, None)
    names: st.SearchStrategy[list[str]] = st.lists(
        st.sampled_from(["Old", "Friends", "New"]), unique=True
    )
    for id_ in folder.contacts:
        folder.change(id_, {"categories": data.draw(names)})
    before = {id_: list(c["categories"]) for id_, c in folder.contacts.items()}
    labels = relabelled(known, folder.delta(None), "Old", "New")
    plan = make_plan(share, known, (), Policy(), labels)
    assert all(update.repair for update in plan.updates)
    folder.carry_out(plan)
    for id_, contact in folder.contacts.items():
        assert "Old" not in contact["categories"]
        assert "New" in contact["categories"]
        assert ("Friends" in contact["categories"]) == ("Friends" in before[id_])
