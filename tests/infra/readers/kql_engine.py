"""Runs the queries of infra/queries over rows that a test writes down.

`duckdb-kql` translates KQL to SQL and refuses what it does not know; test_kql_engine compares each
operator and function that our queries use with answers computed by hand. The tables have the
columns that Microsoft documents. A row that a query must not see yet is left out by its `seen`.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

import duckdb_kql
from duckdb_kql.translate import CLOCK_SLOT

from tests.infra.readers.tables import TABLES

_TYPES: Final = {
    "bool": "BOOLEAN",
    "datetime": "TIMESTAMP",
    "dynamic": "JSON",
    "int": "INTEGER",
    "long": "BIGINT",
    "real": "DOUBLE",
    "string": "VARCHAR",
}

_BEFORE: Final = datetime(2000, 1, 1, tzinfo=UTC)
_HELD: Final = " held"
"""The end of the name of a table with all rows; the table of the query shows those seen so far."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: its time, its other columns, and when a query sees it first."""

    table: str
    at: datetime
    columns: Mapping[str, Any] = field(default_factory=dict)
    seen: datetime | None = None


class Engine:
    """A workspace with all tables, which holds the rows of one question at a time."""

    def __init__(self) -> None:
        self._connection = duckdb_kql.connect()
        self._connection.execute("SET threads = 1")
        self._translated: dict[str, Any] = {}
        self._held: list[Row] = []
        self._filled: set[str] = set()
        self._columns = {name: _columns(schema) for name, schema in TABLES.items()}
        for name, columns in self._columns.items():
            listed = ", ".join(f'"{column}" {_TYPES[kind]}' for column, kind in columns.items())
            self._connection.execute(f'CREATE TABLE "{name}{_HELD}" (Seen TIMESTAMP, {listed})')
            self._connection.execute(
                f'CREATE VIEW "{name}" AS SELECT * EXCLUDE (Seen) FROM "{name}{_HELD}"'
                " WHERE Seen <= getvariable('now') AND TimeGenerated > getvariable('since')"
            )

    def ask(
        self, query: str, rows: Iterable[Row], now: datetime, since: datetime = _BEFORE
    ) -> list[dict[str, Any]]:
        """Return what a query answers at a time over the rows since another that it sees then."""
        self._hold(list(rows))
        if query not in self._translated:
            schema = {name: list(columns) for name, columns in self._columns.items()}
            self._translated[query] = duckdb_kql.to_sql(query, schema, query_now=now)
        sql = self._translated[query]
        # Time values without a zone are UTC, here as in KQL.
        moment = now.replace(tzinfo=None)
        clock = {name: moment for name in sql.parameters if name == CLOCK_SLOT}
        for name, value in (("now", now), ("since", since)):
            self._connection.execute(
                f"SET VARIABLE {name} = TIMESTAMP '{value.replace(tzinfo=None)}'"
            )
        found = self._connection.execute(str(sql), clock)
        columns = [column[0] for column in found.description]
        return [dict(zip(columns, one, strict=True)) for one in found.fetchall()]

    def _hold(self, rows: list[Row]) -> None:
        """Hold these rows, and no others."""
        if rows == self._held:
            return
        for name in self._filled:
            self._connection.execute(f'DELETE FROM "{name}{_HELD}"')
        self._held, self._filled = rows, {row.table for row in rows}
        for name in self._filled:
            lines = [self._line(row) for row in rows if row.table == name]
            marks = f"({', '.join('?' * len(lines[0]))})"
            self._connection.execute(
                f'INSERT INTO "{name}{_HELD}" VALUES {", ".join([marks] * len(lines))}',
                [cell for line in lines for cell in line],
            )

    def _line(self, row: Row) -> list[Any]:
        columns = self._columns[row.table]
        values = {"TimeGenerated": row.at.replace(tzinfo=None), "Type": row.table, **row.columns}
        if unknown := values.keys() - columns.keys() - {"Type"}:
            raise KeyError(f"{row.table} has no column {unknown}")
        # A column of text is never null in KQL.
        given = (
            values.get(column, "" if kind == "string" else None) for column, kind in columns.items()
        )
        seen = (row.seen or row.at).replace(tzinfo=None)
        return [seen, *(json.dumps(cell) if isinstance(cell, dict) else cell for cell in given)]


@cache
def engine() -> Engine:
    """Return the engine of this process; creating its tables takes a while."""
    return Engine()


def _columns(schema: str) -> dict[str, str]:
    return dict(re.findall(r"(\w+): (\w+)", schema))
