"""The fields of a manual contact in a share's form: add one, edit it, and keep what they hide."""

import json
from contextlib import suppress
from typing import Any

import pytest
from werkzeug.datastructures import MultiDict

from shared.domain.errors import CallerError, InvalidInput
from shared.domain.sharing.shares import ShareInput
from shared.portal.forms.share_form import SHARE, ShareDraft
from shared.portal.forms.showing import Refusal, show
from shared.portal.forms.tables import TYPED
from tests.unit.portal.test_form_tables import visit


def test_error_of_a_typed_contact_stands_beside_its_field() -> None:
    draft = ShareDraft.of(SHARE.blank())
    typed = {"typed-displayName": "Hotline", "typed-emailAddress": "none"}
    draft = ShareDraft(draft.share, draft.contact.typed(**typed))

    with pytest.raises(CallerError) as caught:
        draft.pressed("add-contact")
    wrong = {error.field: "wrong" for error in caught.value.errors}
    refusal = Refusal(wrong)

    assert show(visit(), draft.contact, refusal.within(TYPED)).errors == {
        "typed-emailAddress": "wrong"
    }
    assert show(visit(), draft.share, refusal).errors == {}


def test_edited_contact_moves_into_the_fields_and_back() -> None:
    draft = ShareDraft.of(SHARE.blank())
    typed = {"typed-displayName": "Hotline", "typed-businessPhone": "1"}
    added = ShareDraft(draft.share, draft.contact.typed(**typed)).pressed("add-contact")
    assert added is not None
    assert added.contacts == [{"displayName": "Hotline", "businessPhones": ["1"]}]

    edited = added.pressed("edit-contact:0")

    assert edited is not None
    assert edited.contacts == []
    assert edited.contact.text("typed-businessPhone") == "1"
    assert edited.pressed("edit-contact:7") == edited
    assert edited.pressed("save") is None


HOTLINE: dict[str, Any] = {
    "id": "00000000-0000-4000-8000-000000000001",
    "displayName": "Hotline",
    "surname": "Line",
    "emailAddresses": [{"address": "a@x.example", "name": "A"}, {"address": "b@x.example"}],
    "businessPhones": ["1", "2"],
    "homeAddress": {"city": "Berlin"},
    "jobTitle": "Support",
}
"""A contact with more than the fields of the form show."""


def editing(*contacts: dict[str, Any]) -> ShareDraft:
    share = {"name": "x", "sources": {"contacts": list(contacts)}}
    draft = ShareDraft.of(SHARE.of(ShareInput.model_validate(share)))
    edited = draft.pressed("edit-contact:0")
    assert edited is not None
    return edited


def sent_with(draft: ShareDraft, **typed: str) -> ShareDraft:
    """The form as a browser sends it."""
    names = [*draft.share.hidden(), *draft.contact.typed(**typed).hidden()]
    return ShareDraft.read(MultiDict(names))


def test_edited_contact_keeps_what_the_form_does_not_show() -> None:
    typed = {"typed-displayName": "Help", "typed-emailAddress": "c@x.example"}

    stored = sent_with(editing(HOTLINE), **typed, **{"typed-jobTitle": ""}).input()

    (contact,) = SHARE.of(stored).many("contact")
    assert json.loads(contact) == {
        "id": HOTLINE["id"],
        "displayName": "Help",
        "surname": "Line",
        "emailAddresses": [{"address": "c@x.example", "name": "A"}, {"address": "b@x.example"}],
        "businessPhones": ["1", "2"],
        "homeAddress": {"city": "Berlin"},
    }


def test_second_number_remains_when_the_first_is_cleared() -> None:
    edited = sent_with(editing(HOTLINE), **{"typed-businessPhone": ""})

    assert edited.input().sources.contacts[0].business_phones == ["2"]


def test_editing_another_contact_puts_the_first_one_back() -> None:
    edited = sent_with(editing(HOTLINE, {"displayName": "Taxi"}))

    other = edited.pressed("edit-contact:0")

    assert other is not None
    assert other.contact.text("typed-displayName") == "Taxi"
    assert other.contacts == [HOTLINE]


@pytest.mark.parametrize("kept", ["", "[]", '{"emailAddresses": 1, "businessPhones": [{}]}'])
def test_whatever_a_browser_sends_as_the_edited_contact_is_taken_or_refused(kept: str) -> None:
    draft = editing({"displayName": "Taxi", "businessPhones": ["1"]})

    with suppress(InvalidInput):
        sent_with(draft, **{"typed-kept": kept}).input()
