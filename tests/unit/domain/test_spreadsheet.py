"""CSV files for spreadsheet programs: no cell runs as a formula, and no text is lost."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.spreadsheet import csv_lines

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
FORMULAS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1")


@given(st.lists(st.tuples(TEXTS, st.integers(), TEXTS), max_size=5), st.sampled_from([",", ";"]))
def test_csv_round_trip_preserves_cells_and_no_cell_starts_a_formula(
    rows: list[tuple[str, int, str]], delimiter: str
) -> None:
    text = csv_lines(rows, ";" if delimiter == ";" else ",")
    found = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    assert [row[1] for row in found] == [str(row[1]) for row in rows]
    for row, (one, _, other) in zip(found, rows, strict=True):
        for cell, given_ in ((row[0], one), (row[2], other)):
            assert cell in {given_, f"'{given_}"}
            assert not cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


@pytest.mark.parametrize("cell", FORMULAS)
def test_formulas_are_escaped_as_text(cell: str) -> None:
    assert next(csv.reader(io.StringIO(csv_lines([[cell]]), newline=""))) == [f"'{cell}"]
