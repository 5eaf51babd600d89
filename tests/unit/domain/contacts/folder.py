"""A contact folder as Graph keeps it, strategies for shares and mailboxes, and a whole sync."""

import copy
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from shared.domain.contacts.fields import (
    FAX,
    MARK,
    ROWS,
    Contact,
    Mark,
    graph_body,
    key_of_mark,
    mark_of,
)
from shared.domain.contacts.known import Change, KnownContacts, observe, settle, unknown_ids
from shared.domain.contacts.mapping import clean
from shared.domain.contacts.plan import Create, Delete, Plan, Update, applied, make_plan

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
    """A contact folder as Graph keeps it: merging PATCH, hidden marks, a change log."""

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
            elif extended["id"] == FAX:
                self.contacts[id_]["fax"] = extended["value"]
        plain = {k: v for k, v in body.items() if k != "singleValueExtendedProperties"}
        for name, value in plain.items():
            if isinstance(value, dict):
                plain[name] = {part: text for part, text in value.items() if text} or None
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
    found = folder.keys(unknown_ids(known, changes))
    marks = {id_: Mark(key) for id_, key in found.items()}
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
        ROWS[name].shape.clean(folder.contacts[by_key[key]].get(name)) == value
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
