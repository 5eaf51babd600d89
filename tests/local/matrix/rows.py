"""Which quirks are in force together: none, each alone, every pair, and all at once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations, product
from typing import Final

from tests.local.graph.quirks import DEFAULTS, QUIRKS, Value

type Values = Mapping[str, Value]
type _Pair = tuple[tuple[str, Value], tuple[str, Value]]

UNPLEASANT: Final[Values] = {
    "nullAddress": "partsRefused",
    "missingMailbox": "ErrorNonExistentMailbox",
    "deadLink": "ErrorItemNotFound",
    "deltaItems": "changedOnly",
    "permanentDelete": "refused",
    "newCategory": "refused",
    "batchPhotos": "urlSafe",
    "texts": "tidied",
    "photoTags": "changing",
    "getByIds": "nulls",
    "hiddenMembers": "refused",
}
"""Answers that are harder for the app than the defaults, where it can tell.

A full mailbox is not among them: nothing else can happen in it.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the matrix: its name, and the quirks that differ from their defaults."""

    name: str
    values: Values

    @classmethod
    def of(cls, name: str, values: Values) -> "Row":
        """Return a row, without the quirks that have their default."""
        return cls(name, {n: v for n, v in values.items() if v != DEFAULTS[n]})

    @property
    def shown(self) -> str:
        """The quirks as text."""
        return ", ".join(f"{name}={value}" for name, value in self.values.items()) or "defaults"


def all_at_once() -> Row:
    """Return the row with every quirk at its most unpleasant."""
    return Row.of("all at once", {**DEFAULTS, **UNPLEASANT})


def alone() -> list[Row]:
    """Return the defaults, and a row for each other value of each quirk."""
    rows = [Row("defaults", {})]
    for quirk in QUIRKS:
        rows += [Row("alone", {quirk.name: value}) for value in quirk.values[1:]]
    return rows


def pairwise() -> list[Row]:
    """Return rows in which each value of each quirk meets each value of every other quirk.

    Greedy: a row starts with a pair that is still missing, and each further quirk takes the value
    that completes the most missing pairs.
    """
    missing = dict.fromkeys(
        ((a.name, x), (b.name, y))
        for a, b in combinations(QUIRKS, 2)
        for x, y in product(a.values, b.values)
    )
    rows: list[Row] = []
    while missing:
        row: dict[str, Value] = dict(next(iter(missing)))
        for quirk in QUIRKS:
            if quirk.name not in row:
                row[quirk.name] = max(
                    quirk.values, key=lambda v: _completed({**row, quirk.name: v}, missing)
                )
        for pair in pairs_of(row):
            missing.pop(pair, None)
        rows.append(Row.of("pairs", row))
    return rows


def pairs_of(values: Values) -> Iterable[_Pair]:
    """Return the pairs of a row, in the order of the quirks."""
    return combinations(((q.name, values[q.name]) for q in QUIRKS if q.name in values), 2)


def _completed(values: Values, missing: Mapping[_Pair, None]) -> int:
    return sum(pair in missing for pair in pairs_of(values))
