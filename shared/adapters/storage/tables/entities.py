"""Rows as Table Storage takes them, with their keys and sizes checked.

The emulator does not check them: an entity has at most 1 MiB and 252 properties, a property 64 KiB
(docs: Understanding the Table service data model).
"""

from collections.abc import Mapping
from typing import Any, Final

from shared.domain.errors import Defect

_FORBIDDEN: Final = frozenset("/\\#?")


def is_key(text: str) -> bool:
    """Return whether a row may have this key."""
    return 0 < len(text) <= 512 and not _FORBIDDEN & set(text) and text.isprintable()


def entity_of(partition: str, row: str, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entity; raises `Defect` if a key is not allowed or the row is too large."""
    for key in (partition, row):
        if not is_key(key):
            message = "A table key is empty, too long, or contains / \\ # ? or a control character."
            raise Defect(message)
    size = sum(_size(value) for value in columns.values())
    if len(columns) > 250 or size > 1_000_000:
        message = f"Too large for a table row: {len(columns)} columns with {size} bytes."
        raise Defect(message)
    return {**columns, "PartitionKey": partition, "RowKey": row}


def _size(value: object) -> int:
    match value:
        case bytes():
            size = len(value)
        case str():
            size = len(value.encode("utf-16-le"))
        case _:
            return 16
    if size > 65_536:
        message = f"Too large for a table column: {size} bytes."
        raise Defect(message)
    return size
