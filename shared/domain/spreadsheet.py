"""Tables for spreadsheet programs, as comma-separated values (RFC 4180)."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final, Literal

type Cell = str | int | None
type Delimiter = Literal[",", ";"]
"""A semicolon where numbers have a decimal comma: spreadsheet programs expect it there."""

_BEGINS_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", *"\uff1d\uff0b\uff0d\uff20")
"""How a cell begins that a spreadsheet program may run (docs: OWASP, CSV injection).

The last four are the first four in full width.
"""


def csv_lines(rows: Iterable[Sequence[Cell]], delimiter: Delimiter = ",") -> str:
    """Rows as text, each ended by CR LF; no text of a cell is taken for a formula."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows([harmless(c) for c in row] for row in rows)
    return text.getvalue()


def harmless(cell: Cell) -> Cell:
    """A text that begins like a formula gets an apostrophe before it; numbers stay."""
    if isinstance(cell, str) and cell.startswith(_BEGINS_FORMULA):
        return f"'{cell}"
    return cell
