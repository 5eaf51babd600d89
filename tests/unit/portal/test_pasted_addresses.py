"""Addresses in a pasted list, however it is separated."""

import pytest

from shared.portal.forms.pasted_addresses import entries_of


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("a@x.de\r\nb@x.de\n\n", ["a@x.de", "b@x.de"]),
        ("a@x.de, b@x.de;c@x.de", ["a@x.de", "b@x.de", "c@x.de"]),
        ('Weber, Anna <a@x.de>; "Bo Li" <b@x.de>', ["a@x.de", "b@x.de"]),
        ("a@x.de, Bob", ["a@x.de", "Bob"]),
        ("Anna Weber\nBob", ["Anna Weber", "Bob"]),
        ("o'brien@x.de, mailto:a@x.de", ["o'brien@x.de", "a@x.de"]),
        ("a@x.de\na@x.de", ["a@x.de"]),
        (" ,;\n", []),
    ],
)
def test_entries_of_a_pasted_list(text: str, entries: list[str]) -> None:
    assert entries_of(text) == entries
