"""What a contact holds besides our fields, and which of a delta's entries are read again."""

from typing import Any

import pytest

from shared.domain.contacts.fields import Contact, Mark
from shared.domain.contacts.holdings import holds_more, shows_all
from shared.domain.contacts.known import (
    FOUND,
    Change,
    Known,
    KnownContacts,
    doubtful_ids,
    missing_ids,
    observe,
    settle,
)
from shared.domain.contacts.plan import Create, Delete, applied, make_plan

CONTACT = Contact.of("u-1", {"displayName": "Ada", "jobTitle": "CEO"})
SHOWN: dict[str, Any] = {"displayName": "Ada", "jobTitle": "CEO", "categories": ["Company"]}


def after_writing(**more: Any) -> KnownContacts:
    """Our contact as known after the delta that shows it with these values."""
    known = applied({}, [(Create("u-1", CONTACT), "id")])
    return settle(known, [Change("id", {**SHOWN, **more})])[0]


@pytest.mark.parametrize(
    ("more", "theirs"),
    [
        ({}, False),
        ({"fileAs": "Ada", "emailAddresses": [], "businessAddress": {}, "birthday": None}, False),
        ({"personalNotes": "mine"}, True),
        ({"children": ["Ann"]}, True),
        ({"mobilePhone": "+49 1"}, True),
        ({"homeAddress": {"city": "Bonn"}}, True),
        ({"categories": ["Company", "Friends"]}, True),
    ],
)
def test_contact_is_deleted_for_good_only_if_nothing_in_it_is_the_users(
    more: dict[str, Any],
    theirs: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert holds_more({**SHOWN, **more}, CONTACT.mask) == theirs
    plan = make_plan({}, after_writing(**more))
    assert plan.deletes == (Delete("u-1", "id", only_ours=not theirs),)


def test_contact_whose_values_were_never_seen_or_that_was_found_stays_recoverable() -> None:
    unseen = applied({}, [(Create("u-1", CONTACT), "id")])
    found = {"u-1": Known("id", CONTACT.hash, CONTACT.seen, CONTACT.mask, others=FOUND)}
    for known in (unseen, found):
        assert make_plan({}, known).deletes == (Delete("u-1", "id"),)


def test_removed_and_partial_entries_of_ours_are_read_again() -> None:
    known = after_writing()
    partial = {"jobTitle": "CEO"}
    assert not shows_all(partial, CONTACT.mask)
    changes = [Change("id", partial), Change("foreign", partial), Change("gone", None)]
    assert doubtful_ids(known, changes) == ["id"]
    assert doubtful_ids(known, [Change("id", None)]) == ["id"]
    assert doubtful_ids(known, [Change("id", SHOWN)]) == []
    assert missing_ids(known, [Change("foreign", SHOWN)]) == ["id"]


@pytest.mark.parametrize(
    ("ours", "other", "stays"),
    [
        ({}, {}, "id"),
        ({}, {"personalNotes": "mine"}, "other"),
        ({"personalNotes": "mine"}, {"personalNotes": "mine too"}, "id"),
    ],
)
@pytest.mark.parametrize("seen", ["before", "first", "last"])
def test_of_two_contacts_with_one_mark_that_with_the_users_data_stays(
    ours: dict[str, Any], other: dict[str, Any], stays: str, seen: str
) -> None:
    known = after_writing(**(ours if seen == "before" else {}))
    changes = [Change("other", {**SHOWN, **other})]
    if seen != "before":
        changes.insert(0 if seen == "first" else 1, Change("id", {**SHOWN, **ours}))
    marks = {"other": Mark("u-1", CONTACT.mask)}
    found, surplus = observe(known, changes, marks, {"u-1": CONTACT}, complete=seen != "before")
    assert found["u-1"].id == stays
    assert surplus == tuple({"id", "other"} - {stays})
