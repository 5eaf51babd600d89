"""The table of contact fields: bits that stay, what is read for it, and who may use it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgraph.generated.models.contact import Contact as GraphContact

from shared.domain.contacts.fields import (
    DEFAULT_FIELDS,
    FIELDS,
    GRAPH_FIELDS,
    LABELS,
    PUBLISHABLE,
    Contact,
    checks,
    edited,
    graph_body,
    properties_of,
)
from shared.domain.contacts.keys import ContactKind
from shared.domain.contacts.mapping import clean, map_source
from shared.domain.sharing.manual_contacts import ManualContact
from shared.domain.sharing.shares import FILTER_ATTRIBUTES
from tests.local.graph.mailboxes.contact_values import PROPERTIES, WRITABLE
from tests.unit.domain.contacts.field_bits import pinned

TEXTS = st.none() | st.text(max_size=4) | st.sampled_from([" a ", "b\x00", "c@x.example"])
ITEMS = st.fixed_dictionaries(
    {"type": st.sampled_from(["business", "mobile", "home"]), "number": TEXTS, "city": TEXTS}
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "proxyAddresses": st.none() | st.lists(st.sampled_from(["SMTP:a@b", "smtp:c@d", "sip:e"])),
    "businessPhones": st.none() | st.lists(TEXTS, max_size=4),
    "phones": st.none() | st.lists(ITEMS, max_size=4),
    "addresses": st.none() | st.lists(ITEMS, max_size=2),
}
RELATED = {
    "@odata.type",
    "extensions",
    "photo",
    "singleValueExtendedProperties",
    "multiValueExtendedProperties",
}
"""What the SDK counts among a contact's properties and Graph shows only when it is expanded."""
IN_DIRECTORY = (ContactKind.USER, ContactKind.ORG_CONTACT, ContactKind.GROUP)


def test_each_field_keeps_the_bit_that_was_first_written() -> None:
    bits = [bit for bit, _ in pinned()]

    assert bits == list(range(len(bits)))
    assert len(bits) >= 23
    assert pinned()[0] == (0, "displayName")
    assert pinned()[22] == (22, "yomiCompanyName")
    missing = {(row.bit, row.name) for row in FIELDS} - set(pinned())
    assert not missing, "a bit never changes; for a new field, which takes the next: make openapi"


@pytest.mark.parametrize("row", FIELDS, ids=lambda row: row.name)
def test_a_contact_of_one_field_has_its_bit_in_the_mask(row: Any) -> None:
    assert Contact.of("u-1", {row.name: "x"}).mask == 1 << row.bit


def test_every_publishable_field_has_a_label() -> None:
    assert set(LABELS) == set(PUBLISHABLE)
    assert all(LABELS.values())
    assert set(DEFAULT_FIELDS) < set(PUBLISHABLE)


def test_a_manual_contact_may_have_the_fields_that_the_table_says() -> None:
    named = {field.alias for field in ManualContact.model_fields.values()} - {"id"}

    assert named == {row.name for row in FIELDS if row.manual}


def test_users_are_read_with_all_that_a_filter_may_name() -> None:
    assert set(FILTER_ATTRIBUTES) - set(properties_of(ContactKind.USER)) == {"userType"}


def test_the_simulated_graph_knows_every_property_of_a_contact() -> None:
    documented = set(GraphContact().get_field_deserializers())

    assert len(documented) > 30
    assert documented - set(PROPERTIES) == RELATED


def test_graph_knows_every_field_that_is_no_extended_property() -> None:
    assert set(GRAPH_FIELDS) <= set(PROPERTIES) & WRITABLE


@pytest.mark.parametrize("kind", IN_DIRECTORY)
@given(data=st.data())
def test_whatever_the_directory_says_the_fields_are_clean(
    kind: ContactKind, data: st.DataObject
) -> None:
    object_ = {name: data.draw(VALUES.get(name, TEXTS), name) for name in properties_of(kind)}

    fields, _ = map_source(kind, object_, PUBLISHABLE)

    assert clean(fields) == (fields, False)


@pytest.mark.parametrize("row", FIELDS, ids=lambda row: row.name)
def test_a_field_that_a_contact_loses_is_cleared_in_graph(row: Any) -> None:
    body = graph_body(Contact.of("u-1", {}), before=1 << row.bit)

    if row.name == "fax":
        assert body["singleValueExtendedProperties"][0]["value"] == ""
    else:
        assert body == {row.name: row.shape.empty()}
        assert row.shape.clean(body[row.name]) is None


def test_an_edit_is_told_by_its_field() -> None:
    before = {"displayName": "A", "department": "B", "yomiCompanyName": "C"}
    mask = Contact.of("u-1", before).mask
    now = {**before, "department": "D"}

    changed = edited(checks(before, mask), checks(now, mask), mask)

    assert changed == Contact.of("u-1", {"department": ""}).mask
