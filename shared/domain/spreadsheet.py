"""Tables for spreadsheet programs, as comma-separated values (RFC 4180).

All files of the app are made here, so that no cell of any of them can run as a formula.
"""

import codecs
import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final, Literal

type Cell = str | int | None
type Delimiter = Literal[",", ";"]
"""Spreadsheet programs expect a semicolon where numbers are written with a decimal comma."""

_BEGINS_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", *"\uff1d\uff0b\uff0d\uff20")
"""Characters by which a spreadsheet program recognizes a formula (docs: OWASP, CSV injection).

The last four are the full-width forms of the first four.
"""


MAX_ROWS: Final = 50_000
"""The most rows in one file: five times the largest tenants we expect, about 10 MB."""


def csv_start(headings: Sequence[Cell], delimiter: Delimiter = ",") -> bytes:
    """Return the beginning of a file: the mark that Excel needs to read UTF-8, and the headings."""
    return codecs.BOM_UTF8 + csv_lines([headings], delimiter).encode()


def csv_lines(rows: Iterable[Sequence[Cell]], delimiter: Delimiter = ",") -> str:
    """Return rows as text with CR LF line ends, in which no cell can be mistaken for a formula."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows([harmless(c) for c in row] for row in rows)
    return text.getvalue()


def harmless(cell: Cell) -> Cell:
    """Put an apostrophe before text that begins like a formula; return numbers unchanged."""
    if isinstance(cell, str) and cell.startswith(_BEGINS_FORMULA):
        return f"'{cell}"
    return cell
