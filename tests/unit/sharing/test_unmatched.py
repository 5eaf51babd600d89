"""Filter values that nobody has, and the values that are suggested instead."""

from typing import Any

from shared.domain.sharing.selection import Unmatched, unmatched

PEOPLE: list[dict[str, Any]] = [
    *({"department": "Sales", "city": "Berlin"} for _ in range(3)),
    {"department": " Human  Resources", "city": None},
    {"department": "Service", "city": "Bonn"},
]


def test_similar_values_are_suggested_for_a_typo() -> None:
    (found,) = unmatched({"department": ["Slaes"]}, PEOPLE)

    assert found == Unmatched("department", "Slaes", ("Sales",))


def test_frequent_values_are_suggested_if_none_is_similar() -> None:
    (found,) = unmatched({"city": ["Xyz"]}, PEOPLE)

    assert found.known == ("Berlin", "Bonn")


def test_values_are_compared_as_people_see_them() -> None:
    assert unmatched({"department": ["SALES", "human resources"], "city": ["bonn "]}, PEOPLE) == ()


def test_nothing_is_suggested_where_nobody_has_a_value() -> None:
    (found,) = unmatched({"state": ["Hesse"]}, PEOPLE)

    assert found == Unmatched("state", "Hesse", ())
