"""Conditions on the columns of a table, and the OData query that they make together."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

ROW: Final = "RowKey"
PARTITION: Final = "PartitionKey"
KEYS: Final = frozenset({PARTITION, ROW})

type Value = str | int | bool | datetime


@dataclass(frozen=True, slots=True)
class Condition:
    """One column compared with a value."""

    column: str
    operator: Literal["eq", "ne", "lt", "le", "gt", "ge"]
    value: Value


def query_of(conditions: Iterable[Condition]) -> tuple[str, dict[str, Any]]:
    """Return the query of the rows for which all conditions hold, and its parameters.

    It contains no parentheses, which the SDK does not accept together with parameters.
    """
    numbered = list(enumerate(conditions))
    query = " and ".join(f"{c.column} {c.operator} @v{n}" for n, c in numbered)
    return query, {f"v{n}": c.value for n, c in numbered}
