"""Text as Exchange takes it: what is cleaned, what stays, and where a text is cut."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.contacts.cleaning import MAX_UNITS, fitting, line, lines

ANY_TEXT = st.text(st.characters())
"""All of Unicode, unpaired surrogates included."""


def units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Marie\u00a0Curie", "Marie Curie"),
        ("山田\u3000太郎", "山田 太郎"),
        (
            "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",
            "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627",
        ),
        ("👩\u200d💻", "👩\u200d💻"),
        ("\u200fשרה\u200f", "\u200fשרה\u200f"),
        ("co\u00adworker", "co\u00adworker"),
        ("\ue000 Logo", "\ue000 Logo"),
        ("A\tB", "A B"),
        ("A\u2028B\r\nC", "A B C"),
        ("A\x00\x07\x9fB", "AB"),
        ("A\ud83dB", "AB"),
        ("\ud83d\udc69", "👩"),
    ],
    ids=ascii,
)
def test_only_controls_and_broken_characters_are_removed(text: str, cleaned: str) -> None:
    assert line(text) == cleaned


def test_an_address_keeps_its_lines() -> None:
    assert lines("Main St 1\u2028Rear\tbuilding\r\nFloor\u00a02") == (
        "Main St 1\nRear building\nFloor 2"
    )


@pytest.mark.parametrize("value", [None, 5, "", " \u00a0\t", "\x00\x85"])
def test_empty_values_and_other_types_become_none(value: object) -> None:
    assert line(value) is None
    assert lines(value) is None


@given(ANY_TEXT)
def test_clean_text_stays_as_it_is_and_holds_no_control(text: str) -> None:
    for cleaned in (line(text), lines(text)):
        if cleaned is None:
            continue
        assert line(cleaned) == cleaned.replace("\n", " ")
        assert lines(cleaned) == cleaned
        found = {unicodedata.category(c) for c in cleaned.replace("\n", "")}
        assert not found & {"Cc", "Cs", "Zl", "Zp"}


@given(ANY_TEXT)
def test_cleaning_removes_nothing_else(text: str) -> None:
    removed = {"Cc", "Cs", "Zs", "Zl", "Zp"}
    kept = [c for c in text if unicodedata.category(c) not in removed]

    assert [c for c in line(text) or "" if c != " " and ord(c) < 0x10000] == [
        c for c in kept if ord(c) < 0x10000
    ]


@given(st.text("aß日é\u0301👩\u200d💻🏽🇩\u0915\u094d가\u1161", min_size=100, max_size=400))
def test_a_cut_text_fits_and_is_the_beginning(text: str) -> None:
    cut = fitting(text)

    assert text.startswith(cut)
    assert units(cut) <= MAX_UNITS
    assert fitting(cut) == cut
    assert (cut == text) == (units(text) <= MAX_UNITS)


@pytest.mark.parametrize(
    "character",
    [
        "👩\u200d💻",
        "👍🏽",
        "🇩🇪",
        "e\u0301",
        "❤\ufe0f",
        "\u1112\u1161\u11ab",
        "\u0915\u094d\u0937",
        "🏴\U000e0067\U000e007f",
    ],
    ids=ascii,
)
def test_no_text_is_cut_within_a_character(character: str) -> None:
    for before in range(MAX_UNITS - units(character), MAX_UNITS + 1):
        start = "x" * before

        cut = fitting(start + character)

        assert cut == (start + character if units(start + character) <= MAX_UNITS else start)


def test_one_endless_character_is_cut_at_the_limit() -> None:
    assert fitting("a" + "\u0301" * 400) == "a" + "\u0301" * 254


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("\u202enoitcerid", "noitcerid"),
        ("left open\u2066", "left open"),
        ("\u202bpaired\u202c", "\u202bpaired\u202c"),
        ("\u2067paired\u2069", "\u2067paired\u2069"),
        ("\u2067a\u202eb\u2069c", "\u2067ab\u2069c"),
        ("\u202ea\u2067b\u202cc\u2069", "a\u2067bc\u2069"),
        ("closed\u202c\u2069", "closed"),
        ("\u202e\u202e\u202cA", "\u202e\u202cA"),
    ],
    ids=ascii,
)
def test_what_turns_the_direction_of_text_stays_in_pairs_only(text: str, cleaned: str) -> None:
    # Of two openers, the outer one is alone.
    assert line(text) == cleaned


def test_direction_ends_with_its_line_and_where_a_text_is_cut() -> None:
    assert lines("\u2067A\nB\u2069") == "A\nB"
    assert fitting(f"\u2067{'x' * 300}\u2069") == "x" * 254
