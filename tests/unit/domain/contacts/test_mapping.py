"""Contacts as phones need them: named, within Exchange's limits, and nothing lost silently."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.contacts.fields import (
    ALWAYS_PUBLISHED,
    PUBLISHABLE,
    Contact,
    checks,
    edited,
    graph_body,
    seen_hash,
)
from shared.domain.contacts.keys import ContactKind
from shared.domain.contacts.mapping import clean, map_source

PARTS = st.none() | st.sampled_from(["", " ", "\x00", "Ada", "Lovelace\u00a0", "山田", "x" * 300])
ORDINARY = {"displayName": "Ada Lovelace", "givenName": "Ada", "surname": "Lovelace"}


def fields_of(**values: Any) -> dict[str, Any]:
    return clean(values)[0]


def test_a_contact_is_filed_by_last_name() -> None:
    assert fields_of(**ORDINARY)["fileAs"] == "Lovelace, Ada"


@pytest.mark.parametrize("name", ["Hotline", "Sales\u3000team"])
def test_a_contact_without_a_persons_name_takes_its_display_name(name: str) -> None:
    fields = fields_of(displayName=name)

    called = name.replace("\u3000", " ")
    assert fields == {"displayName": called, "givenName": called, "fileAs": called}


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"givenName": "Ada", "surname": "Lovelace"}, "Ada Lovelace"),
        ({"emailAddresses": [{"address": "a@x.example"}]}, "a@x.example"),
        ({"companyName": "Engines Ltd"}, "Engines Ltd"),
        ({"mobilePhone": "+49 1"}, "+49 1"),
        ({"displayName": "\x00", "department": "Sales"}, "?"),
    ],
)
def test_a_contact_without_a_display_name_is_called_by_the_next_best(
    values: dict[str, Any], name: str
) -> None:
    assert fields_of(**values)["displayName"] == name


@given(
    st.fixed_dictionaries(
        dict.fromkeys(("displayName", "givenName", "surname", "companyName", "mail"), PARTS)
    ),
    st.sampled_from(ContactKind),
)
def test_every_contact_has_a_name_that_phones_show(
    source: dict[str, Any], kind: ContactKind
) -> None:
    fields, _ = map_source(kind, source, ALWAYS_PUBLISHED)

    if fields:
        assert fields["displayName"]
        assert fields["fileAs"]
        assert fields.get("givenName") or fields.get("surname")
        assert all(len(value) <= 255 for value in fields.values())


def test_a_mail_address_carries_the_persons_name_unless_it_has_its_own() -> None:
    mails = [{"address": "ada@x.example"}, {"address": "help@x.example", "name": "Help desk"}]

    assert fields_of(**ORDINARY, emailAddresses=mails)["emailAddresses"] == [
        {"address": "ada@x.example", "name": "Ada Lovelace"},
        {"address": "help@x.example", "name": "Help desk"},
    ]


def test_name_that_graph_gives_a_known_address_is_not_an_edit() -> None:
    contact = Contact.of("u-1", fields_of(**ORDINARY, emailAddresses=[{"address": "a@x.example"}]))
    shown = contact.fields | {"emailAddresses": [{"address": "a@x.example", "name": "Countess"}]}

    assert seen_hash(shown, contact.mask) == contact.seen
    before = checks(contact.fields, contact.mask)
    assert edited(before, checks(shown, contact.mask), contact.mask) == 0


def test_an_address_is_sent_whole_also_when_it_is_cleared() -> None:
    nothing = dict.fromkeys(("street", "city", "state", "postalCode", "countryOrRegion"))
    contact = Contact.of("u-1", fields_of(displayName="A", businessAddress={"city": "Bern"}))
    without = Contact.of("u-1", fields_of(displayName="A"))

    assert graph_body(contact)["businessAddress"] == nothing | {"city": "Bern"}
    assert graph_body(without, before=contact.mask)["businessAddress"] == nothing


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("jobTitle", "x" * 300, "x" * 255),
        ("businessPhones", ["1", "2", "3"], ["1", "2"]),
        ("imAddresses", ["a", "b", "c", "d"], ["a", "b", "c"]),
        ("homeAddress", {"street": "x" * 256}, {"street": "x" * 255}),
        (
            "emailAddresses",
            [{"address": "a@x.example,"}, {"address": "b@x.example"}, {"address": "no address"}],
            [{"address": "b@x.example", "name": "Ada"}],
        ),
        ("emailAddresses", [{"address": f"{'x' * 320}@x.example"}], None),
        ("emailAddresses", [{"address": "a@x."}], None),
    ],
    ids=["text", "phones", "chat", "address", "malformed", "too long", "dot"],
)
def test_values_that_exchange_does_not_store_are_reported(name: str, value: Any, kept: Any) -> None:
    fields, shortened = clean({"displayName": "Ada", name: value})

    assert fields.get(name) == kept
    assert shortened


@pytest.mark.parametrize(
    "phones",
    [
        [{"type": "mobile", "number": "1"}, {"type": "mobile", "number": "2"}],
        [{"type": "businessFax", "number": "1"}, {"type": "businessFax", "number": "2"}],
        [{"type": "pager", "number": "1"}],
        [{"number": "1"}],
    ],
    ids=["mobiles", "faxes", "pager", "untyped"],
)
def test_a_phone_that_a_contact_cannot_hold_is_reported(phones: list[dict[str, str]]) -> None:
    source = {"displayName": "Ada", "mail": "a@x.example", "phones": phones}

    _, shortened = map_source(ContactKind.ORG_CONTACT, source, PUBLISHABLE)
    _, unpublished = map_source(ContactKind.ORG_CONTACT, source, ALWAYS_PUBLISHED)

    assert shortened
    assert not unpublished


def test_a_second_address_of_an_organizational_contact_is_reported() -> None:
    source = {"displayName": "Ada", "addresses": [{"city": "Bern"}, {"city": "Basel"}]}

    fields, shortened = map_source(ContactKind.ORG_CONTACT, source, PUBLISHABLE)

    assert fields["businessAddress"] == {"city": "Bern"}
    assert shortened


def test_a_user_is_published_with_chat_addresses() -> None:
    user = {**ORDINARY, "mail": "a@x.example", "imAddresses": ["sip:ada@x.example"]}

    fields, shortened = map_source(ContactKind.USER, user, PUBLISHABLE)

    assert fields["imAddresses"] == ["sip:ada@x.example"]
    assert not shortened
