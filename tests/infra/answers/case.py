"""A case: a query, the rows that it reads, and the table that it must answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.infra.answers.telemetry import at, written
from tests.infra.readers import kql
from tests.infra.readers.kql_engine import Row, engine


@dataclass(frozen=True, slots=True)
class Case:
    """A query's answer, written as a table: a line of columns, then the rows in their order.

    Cells are separated by `|`. '' is empty text, and null is no value. `given` replaces the samples
    of placeholders.
    """

    query: str
    about: str
    rows: Sequence[Row]
    expected: str
    given: Mapping[str, str] = field(default_factory=dict)
    now: str = "12:00"

    @property
    def columns(self) -> list[str]:
        """The columns that the expected table names."""
        return cells(self.expected)[0]

    def answer(self) -> list[list[str]]:
        """Return what the query answers, with the expected table's columns."""
        text = kql.filled(kql.files()[self.query], self.given)
        found = engine().ask(text, self.rows, at(self.now))
        kinds = kql.queries()[self.query].columns
        return table(found, {column: kinds[column] for column in self.columns})


def cells(text: str) -> list[list[str]]:
    """Split a table into its cells."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def table(found: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> list[list[str]]:
    """Write rows as a table with these columns, whose types are given by name."""
    lines = ([_cell(one[name], kind) for name, kind in columns.items()] for one in found)
    return [list(columns), *lines]


def _cell(value: Any, kind: str) -> str:
    match value:
        case None:
            # KQL has no null text; the engine leaves one where a join or union found nothing.
            return "''" if kind == "string" else "null"
        case "":
            return "''"
        case datetime():
            return written(value.replace(tzinfo=UTC))
        case float():
            return f"{round(value, 3):.12g}"
    return " ".join(str(value).split())
