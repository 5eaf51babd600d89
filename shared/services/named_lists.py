"""Lists that an admin searches and sorts: shares and imports, a few hundred in a tenant at most.

Only the names and dates of all objects are read, and sorted here, because storage sorts by key
only; the objects themselves are read for one page at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel

from shared.adapters.storage.records import Records, Stored
from shared.adapters.storage.tables.conditions import Condition
from shared.adapters.storage.tables.continuation import (
    foreign_token,
    mark_of,
    opaque,
    read_opaque,
)

_PAGES: Final = 2
"""A tenant has at most 500 of each (`limits`), which fit on one page; the second is a reserve."""


@dataclass(frozen=True, slots=True)
class NamedPage[T]:
    """One page of objects sorted by name, the number of all matches, and the next page's token."""

    items: tuple[Stored[T], ...]
    total: int
    token: str | None


async def page_by_name[T: BaseModel](
    records: Records[T],
    tenant: str,
    text: str,
    size: int,
    token: str | None,
    where: Sequence[Condition] = (),
    sort: str = "name",
) -> NamedPage[T]:
    """Return up to `size` objects of a tenant whose name contains `text`, ignoring case.

    `sort` is a column, after a minus for the reverse order. Raises `InvalidInput` if the token does
    not belong to this list.
    """
    wanted = text.strip().casefold()
    mark = f"{sort} {[(c.column, c.value) for c in where]} {text}"
    start = page_start(token, mark)
    column = sort.removeprefix("-")
    columns = list(dict.fromkeys(("name", column)))
    rows, _ = await records.read_columns(tenant, columns, pages=_PAGES, where=where)
    matching = [row for row in rows if wanted in str(row.columns.get("name", "")).casefold()]
    matching.sort(
        key=lambda row: (str(row.columns.get(column, "")).casefold(), row.row),
        reverse=sort.startswith("-"),
    )
    found = [row.row for row in matching]
    items = await records.read_many(tenant, found[start : start + size])
    more = page_token(mark, start + size) if start + size < len(found) else None
    return NamedPage(tuple(items), len(found), more)


def page_token(text: str, start: int) -> str:
    """Return the token of the page that begins at a place among the matches of a text."""
    return opaque([_mark(text), start])


def page_start(token: str | None, text: str) -> int:
    """Return where a page begins; raises `InvalidInput` if the token is of another search."""
    if token is None:
        return 0
    match read_opaque(token):
        case [str(given), int(start)] if given == _mark(text) and start >= 0:
            return start
    raise foreign_token()


def _mark(text: str) -> str:
    """Return a digest of the text searched for, which would make a token as long as it is."""
    return mark_of("", text.strip().casefold(), {})
