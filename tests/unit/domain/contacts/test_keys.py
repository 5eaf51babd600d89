"""Contact keys as they are stored in mailboxes, records and results."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.contacts.keys import ContactKey, ContactKind, keys_of, object_id_of
from shared.domain.sharing.manual_contacts import MailAddress, ManualContact
from shared.domain.sharing.shares import Sources

IDS = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9.-]{0,63}\Z")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (ContactKind.USER, "u-ab-1"),
        (ContactKind.ORG_CONTACT, "o-ab-1"),
        (ContactKind.GROUP, "g-ab-1"),
        (ContactKind.MANUAL, "c-ab-1"),
    ],
)
def test_a_key_is_stored_as_its_kinds_letter_and_its_id_in_lower_case(
    kind: ContactKind, text: str
) -> None:
    key = ContactKey(kind, "AB-1")

    assert str(key) == text
    assert ContactKey.parse(text) == key == ContactKey(kind, "ab-1")


@given(st.sampled_from(ContactKind), IDS)
def test_every_key_is_read_as_it_was_written(kind: ContactKind, id_: str) -> None:
    key = ContactKey(kind, id_)

    assert ContactKey.parse(str(key)) == key


@pytest.mark.parametrize(
    "text", ["", "u", "x-1", "U-1", "c0c0c0c0-0000-4000-8000-000000000003", "-u-1"]
)
def test_an_object_id_is_no_key(text: str) -> None:
    assert ContactKey.parse(text) is None
    assert object_id_of(text) == text


def test_a_person_may_have_a_key_of_each_kind_and_a_key_only_itself() -> None:
    assert keys_of("Ab")[:4] == ("u-ab", "o-ab", "g-ab", "c-ab")
    assert len(keys_of("Ab")) == len(ContactKind)
    assert keys_of("o-Ab") == ("o-ab",)


def test_a_key_names_its_object_but_a_manual_contact_only_itself() -> None:
    assert object_id_of("g-ab-1") == "ab-1"
    assert object_id_of("c-ab-1") == "c-ab-1"


def test_a_manual_contact_is_known_by_its_id_else_by_its_name_and_first_address() -> None:
    mails = [MailAddress(address="Help@x.example")]
    hotline = ManualContact(display_name="Hotline", email_addresses=mails)

    # Stored in mailboxes, so pinned.
    assert str(hotline.key) == "c-27288c468741d0668799f257"
    assert hotline.copy_with(mobile_phone="1").key == hotline.key
    assert hotline.copy_with(display_name="HOTLINE").key == hotline.key
    assert hotline.copy_with(display_name="Taxi").key != hotline.key
    assert str(hotline.copy_with(id="Line-1").key) == "c-line-1"


def test_manual_contacts_with_the_same_name_have_different_keys() -> None:
    line = ManualContact(display_name="Hotline", mobile_phone="1")
    lines = [line, line.copy_with(mobile_phone="2"), line.copy_with(display_name="hotline")]
    same_id = [line.copy_with(id="Line-1"), line.copy_with(id="line-1")]

    keyed = list(Sources(contacts=[*lines, *same_id]).keyed_contacts())

    assert [contact for _, contact in keyed] == [*lines, *same_id]
    keys = [str(key) for key, _ in keyed]
    assert len(set(keys)) == len(keys)
    assert keys[0] == str(line.key)
    assert keys[3] == "c-line-1"
    assert [str(key) for key, _ in Sources(contacts=lines).keyed_contacts()] == keys[:3]
