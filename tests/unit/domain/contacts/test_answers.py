"""How our own writes are told from a user's edit that comes before we read them back."""

from typing import Any

import pytest

from shared.domain.contacts.fields import Contact
from shared.domain.contacts.known import Answer, Change, Known, settle
from shared.domain.contacts.plan import make_plan

CONTACT = Contact.of("u-1", {"displayName": "Ours"})
WRITTEN = {"u-1": Known("id", CONTACT.hash, None, CONTACT.mask, CONTACT.source)}


def shown(name: str, version: str | None) -> dict[str, Any]:
    """A contact as Graph shows it, with or without its version."""
    return {"displayName": name} | ({"@odata.etag": version} if version is not None else {})


def settled(answered: dict[str, Any], echo: dict[str, Any], edit: str | None = None) -> Known:
    """What is known after the echo of a write, which Graph had answered so."""
    answer = Answer.of(answered, CONTACT.mask, edit)
    answers = {"id": answer} if answer is not None else {}
    known, only_ours = settle(WRITTEN, [Change("id", echo)], answers=answers)
    assert only_ours == (known["u-1"].written is not None)
    return known["u-1"]


@pytest.mark.parametrize(
    ("answered", "echo"),
    [
        (shown("Ours", "1"), shown("Ours", "1")),
        (shown("Ours", "1"), shown("Shown otherwise", "1")),
        (shown("Ours", "1"), shown("Ours", "2")),
        (shown("Shown otherwise", "1"), shown("Shown otherwise", "2")),
        (shown("Ours", None), shown("Another", "2")),
        (shown("Ours", "1"), shown("Another", None)),
    ],
)
def test_echo_of_our_version_or_content_is_ours(
    answered: dict[str, Any], echo: dict[str, Any]
) -> None:
    assert settled(answered, echo).written == CONTACT.hash


def test_other_content_in_another_version_is_an_edit_and_is_written_again() -> None:
    entry = settled(shown("Ours", "1"), shown("The user's", "2"))

    [update] = make_plan({"u-1": CONTACT}, {"u-1": entry}).updates
    assert update.repair


def test_edit_that_comes_back_each_time_ends_the_writing() -> None:
    edit = settled(shown("Ours", "1"), shown("Always so", "2")).seen

    again = settled(shown("Ours", "3"), shown("Always so", "4"), edit)

    assert again.written == CONTACT.hash
    assert settled(shown("Ours", "3"), shown("Another", "4"), edit).written is None
