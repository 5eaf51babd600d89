"""Properties of the plan: over any share, any mailbox and any state of our knowledge."""

import copy
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.contact import MARK, Contact, clean, graph_body, key_of_mark, mark_of
from shared.domain.guard import Guard
from shared.domain.plan import (
    Change,
    Create,
    Delete,
    Known,
    KnownContacts,
    Plan,
    Update,
    applied,
    make_plan,
    observe,
    settle,
    unknown_ids,
)
from shared.domain.reasons import Reason

IMPORT = "0123456789abcdef0123456789abcdef"
OTHER = "fedcba9876543210fedcba9876543210"

texts = st.text("aZäß日本 .-+7", min_size=1, max_size=8).filter(str.strip)
keys = st.sampled_from([f"u-{n}" for n in range(12)])
raw_fields = st.fixed_dictionaries(
    {"displayName": st.text("abcdefg ", min_size=1, max_size=8).filter(str.strip)},
    optional={
        "givenName": texts,
        "surname": texts,
        "department": texts,
        "mobilePhone": texts,
        "fax": texts,
        "businessPhones": st.lists(texts, max_size=4),
        "emailAddresses": st.lists(
            st.builds(lambda a: {"address": f"{a}@x.example"}, st.text("abc", min_size=1)),
            max_size=4,
        ),
        "businessAddress": st.fixed_dictionaries({}, optional={"city": texts, "street": texts}),
    },
)
shares = st.dictionaries(keys, raw_fields, max_size=10).map(
    lambda share: {key: Contact.of(key, clean(fields)[0]) for key, fields in share.items()}
)


@dataclass
class Folder:
    """A contact folder as Graph keeps it: merging PATCH, marks out of sight, a change log."""

    contacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    made: int = 0

    def add(self, body: dict[str, Any]) -> str:
        self.made += 1
        id_ = f"id{self.made}"
        self.contacts[id_] = {}
        self.change(id_, body)
        return id_

    def change(self, id_: str, body: dict[str, Any]) -> None:
        for extended in body.get("singleValueExtendedProperties", ()):
            if extended["id"] == MARK:
                self.marks[id_] = extended["value"]
            else:
                self.contacts[id_]["fax"] = extended["value"]
        plain = {k: v for k, v in body.items() if k != "singleValueExtendedProperties"}
        self.contacts[id_].update(copy.deepcopy(plain))
        self.log.append(id_)

    def remove(self, id_: str) -> None:
        del self.contacts[id_]
        self.marks.pop(id_, None)
        self.log.append(id_)

    def delta(self, since: int | None) -> tuple[Change, ...]:
        ids = self.contacts if since is None else dict.fromkeys(self.log[since:])
        return tuple(Change(i, self.visible(i)) for i in ids)

    def visible(self, id_: str) -> dict[str, Any] | None:
        contact = self.contacts.get(id_)
        return {k: v for k, v in contact.items() if k != "fax"} if contact is not None else None

    def keys(self, ids: list[str]) -> dict[str, str]:
        found = {i: key_of_mark(self.marks[i], IMPORT) for i in ids if i in self.marks}
        return {i: key for i, key in found.items() if key is not None}

    def carry_out(self, plan: Plan, most: int | None = None) -> list[tuple[Any, str]]:
        done: list[tuple[Any, str]] = []
        for operation in plan.operations[:most]:
            match operation:
                case Create(key, contact):
                    body = graph_body(contact)
                    body["singleValueExtendedProperties"] = [
                        *body.get("singleValueExtendedProperties", ()),
                        {"id": MARK, "value": mark_of(IMPORT, key)},
                    ]
                    done.append((operation, self.add(body)))
                case Update():
                    self.change(operation.id, operation.body)
                    done.append((operation, operation.id))
                case Delete():
                    self.remove(operation.id)
                    done.append((operation, operation.id))
        return done


def sync(
    folder: Folder, share: dict[str, Contact], known: KnownContacts, since: int | None
) -> tuple[Plan, KnownContacts, int, bool]:
    changes = folder.delta(since)
    marks = folder.keys(unknown_ids(known, changes))
    known, surplus = observe(known, changes, marks, share, complete=since is None)
    plan = make_plan(share, known, surplus)
    before = len(folder.log)
    known = applied(known, folder.carry_out(plan))
    known, calm = settle(known, folder.delta(before))
    return plan, known, len(folder.log), calm


def ours(folder: Folder) -> Counter[str]:
    return Counter(folder.keys(list(folder.contacts)).values())


def holds(folder: Folder, share: dict[str, Contact]) -> bool:
    if ours(folder) != Counter(dict.fromkeys(share, 1)):
        return False
    by_key = {key: id_ for id_, key in folder.keys(list(folder.contacts)).items()}
    return all(
        folder.contacts[by_key[key]].get(name) == value
        for key, contact in share.items()
        for name, value in contact.fields.items()
    )


@st.composite
def mailboxes(draw: st.DrawFn) -> Folder:
    """A folder with the user's own contacts, another import's, and leftovers of ours."""
    folder = Folder()
    for body in draw(st.lists(raw_fields, max_size=4)):
        folder.add({**body, "personalNotes": "private"})
    for key in draw(st.lists(keys, max_size=3)):
        folder.add(
            {
                "displayName": "other import",
                "singleValueExtendedProperties": [{"id": MARK, "value": mark_of(OTHER, key)}],
            }
        )
    for key in draw(st.lists(keys, max_size=6)):
        folder.add(
            {
                "displayName": "left behind",
                "singleValueExtendedProperties": [{"id": MARK, "value": mark_of(IMPORT, key)}],
            }
        )
    return folder


@given(mailboxes(), shares)
def test_applying_a_plan_to_any_mailbox_yields_the_desired_contacts_exactly_once(
    folder: Folder, share: dict[str, Contact]
) -> None:
    sync(folder, share, {}, None)
    assert holds(folder, share)


@given(mailboxes(), shares)
def test_a_plan_changes_nothing_that_is_not_marked_as_ours(
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
def test_any_change_of_the_share_arrives_and_only_what_changed_is_written(
    folder: Folder, first: dict[str, Contact], second: dict[str, Contact]
) -> None:
    _, known, since, _ = sync(folder, first, {}, None)
    plan, *_ = sync(folder, second, known, since)
    assert holds(folder, second)
    same = [k for k in first if k in second and first[k].hash == second[k].hash]
    assert not {o.key for o in plan.operations} & set(same)


@given(mailboxes(), shares, shares, st.integers(0, 12))
def test_a_worker_that_dies_anywhere_leaves_no_duplicate_and_no_gap(
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
def test_what_the_user_does_to_our_contacts_is_mended(
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
def test_what_the_source_no_longer_has_is_cleared_where_we_wrote_it(
    share: dict[str, Contact],
) -> None:
    folder = Folder()
    _, known, since, _ = sync(folder, share, {}, None)
    bare = {
        key: Contact.of(key, {"displayName": c.fields["displayName"]}) for key, c in share.items()
    }
    sync(folder, bare, known, since)
    for contact in folder.contacts.values():
        left = {name for name, value in contact.items() if value}
        assert left == {"displayName"}


@given(shares, st.integers(0, 20), st.floats(0, 1))
def test_the_guard_holds_a_plan_that_removes_more_than_it_allows(
    share: dict[str, Contact], deletes: int, share_of_known: float
) -> None:
    known = {f"k{n}": Known(f"id{n}", "h", "s", 1) for n in range(15)}
    plan = make_plan(share, known)
    allowed = max(deletes, share_of_known * len(known))
    held = Guard(deletes, share_of_known).objection(plan, len(known))
    assert (held is Reason.TOO_MANY_DELETES) == (allowed < 15)


@given(st.integers(0, 20), st.floats(0, 1), st.integers(0, 15))
def test_the_guard_holds_a_plan_that_changes_more_than_it_allows(
    changes: int, share_of_known: float, changed: int
) -> None:
    share = {f"k{n}": Contact.of(f"k{n}", {"displayName": str(n)}) for n in range(15)}
    known = {
        key: Known(f"id-{key}", "old" if n < changed else contact.hash, "s", 1)
        for n, (key, contact) in enumerate(share.items())
    }
    plan = make_plan(share, known)
    held = Guard(0, 0, changes, share_of_known).objection(plan, len(known))
    assert (held is Reason.TOO_MANY_CHANGES) == (changed > max(changes, share_of_known * 15))


def test_mending_contacts_never_trips_the_guard() -> None:
    share = {f"k{n}": Contact.of(f"k{n}", {"displayName": str(n)}) for n in range(15)}
    known = {key: Known(f"id-{key}", None, None, 1) for key in share}
    assert Guard(0, 0, 0, 0).objection(make_plan(share, known), len(known)) is None


def test_surplus_contacts_of_one_source_never_trip_the_guard() -> None:
    plan = Plan((), (), tuple(Delete("", f"id{n}") for n in range(50)), 0)
    assert Guard(0, 0).objection(plan, 0) is None
