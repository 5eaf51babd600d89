"""Held changes as sets: what waits, and what an approval covers."""

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.contacts.fields import Contact
from shared.domain.contacts.guard import Guard
from shared.domain.contacts.held_plans import digest_of, divide, held_changes
from shared.domain.contacts.plan import Plan, make_plan
from tests.unit.domain.contacts.folder import Folder, mailboxes, shares, sync


def planned(folder: Folder, first: dict[str, Contact], second: dict[str, Contact]) -> Plan:
    """What a share that became another one changes in a mailbox."""
    _, known, _, _ = sync(folder, first, {}, None)
    return make_plan(second, known, ["duplicate"])


@given(mailboxes(), shares, shares, st.data())
def test_any_subset_of_what_was_approved_is_applied_and_nothing_else(
    folder: Folder, first: dict[str, Contact], second: dict[str, Contact], data: st.DataObject
) -> None:
    plan = planned(folder, first, second)
    risky = Guard(0, 0, 0, 0).held(plan, 10)
    approved = data.draw(st.sets(st.sampled_from(sorted(risky)))) if risky else set()

    now, held = divide(plan, risky - approved)

    assert held_changes(now.removed, now.changed) == approved
    assert held_changes(held.removed, held.changed) == risky - approved
    assert {*now.operations, *held.operations} == {*plan.operations}
    assert len(now.operations) + len(held.operations) == len(plan.operations)


@given(mailboxes(), shares, shares)
def test_additions_and_repairs_never_wait(
    folder: Folder, first: dict[str, Contact], second: dict[str, Contact]
) -> None:
    plan = planned(folder, first, second)

    now, held = divide(plan, Guard(0, 0, 0, 0).held(plan, 10))

    assert now.creates == plan.creates
    assert {u for u in plan.updates if u.repair} <= set(now.updates)
    assert [d for d in now.deletes if not d.key] == [d for d in plan.deletes if not d.key]
    assert not held.creates


@given(mailboxes(), shares, shares)
def test_guard_holds_only_the_kind_of_change_beyond_its_limit(
    folder: Folder, first: dict[str, Contact], second: dict[str, Contact]
) -> None:
    plan = planned(folder, first, second)

    assert Guard(0, 0, 99, 1).held(plan, 10) == held_changes(plan.removed, ())
    assert Guard(99, 1, 0, 0).held(plan, 10) == held_changes((), plan.changed)
    assert not Guard(99, 1, 99, 1).held(plan, 10)


@given(shares, shares)
def test_change_to_another_target_is_another_change(
    first: dict[str, Contact], second: dict[str, Contact]
) -> None:
    plan = planned(Folder(), first, second)
    other = {key: Contact.of(key, c.fields | {"title": "Dr."}) for key, c in second.items()}

    shown = held_changes((), plan.changed)
    later = held_changes((), planned(Folder(), first, other).changed)

    assert not shown & later


@given(mailboxes(), shares, shares)
def test_digest_does_not_depend_on_the_order(
    folder: Folder, first: dict[str, Contact], second: dict[str, Contact]
) -> None:
    plan = planned(folder, first, second)
    changes = held_changes(plan.removed, plan.changed)

    assert digest_of(sorted(changes)) == digest_of(sorted(changes, reverse=True))
    assert all(digest_of(changes - {one}) != digest_of(changes) for one in changes)
