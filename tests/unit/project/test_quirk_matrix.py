"""The rows of the quirk matrix hold what their names say."""

from itertools import combinations, product

from tests.local.graph.quirks import DEFAULTS, QUIRKS
from tests.local.matrix.rows import UNPLEASANT, all_at_once, alone, pairs_of, pairwise


def test_each_value_of_each_quirk_has_a_row_of_its_own() -> None:
    rows = [row.values for row in alone()]

    assert rows[0] == {}
    assert rows[1:] == [{quirk.name: v} for quirk in QUIRKS for v in quirk.values[1:]]


def test_every_pair_of_values_is_in_some_row() -> None:
    rows = pairwise()

    met = {pair for row in rows for pair in pairs_of({**DEFAULTS, **row.values})}
    for a, b in combinations(QUIRKS, 2):
        for x, y in product(a.values, b.values):
            assert ((a.name, x), (b.name, y)) in met
    assert len(rows) < 40


def test_unpleasant_values_are_not_the_defaults() -> None:
    assert all_at_once().values == UNPLEASANT
