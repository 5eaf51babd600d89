"""Searching Entra ID by a few letters, as somebody types them.

Docs: search-query-parameter (directory objects). Of displayName Graph matches words from their
beginnings, in any order; of other properties the beginning of the whole value. A clause stands in
double quotes; quotes and backslashes in it are escaped by a backslash.
"""

import unicodedata
from collections.abc import Sequence
from typing import Any, Final

from shared.adapters.graph.batch import BatchItem, read_batch
from shared.adapters.graph.transport import GraphSession

LONGEST_TEXT: Final = 100
_ADVANCED: Final = {"ConsistencyLevel": "eventual"}
_WORDS: Final = 5
_PERSON: Final = ("displayName", "givenName", "surname")
_BY: Final = {
    "/users": (_PERSON, ("mail", "userPrincipalName")),
    "/groups": (("displayName",), ("mail",)),
    "/contacts": (_PERSON, ("mail",)),
}
"""By which names and which addresses the objects of a collection are found."""


async def search(
    session: GraphSession, fields: dict[str, str], text: str, most: int
) -> list[list[dict[str, Any]]]:
    """At most `most` objects of each collection (`/users`, `/groups`, `/contacts`) for a text.

    `fields` names the properties wanted of each; all are asked in one HTTP request. A text without
    a letter or digit finds nobody. Raises `TransientError`, or `NeedsAdmin` without permission.
    """
    items: list[BatchItem] = []
    for path, select in fields.items():
        wanted = search_of(text, *_BY[path])
        if wanted is None:
            return [[] for _ in fields]
        query = {"$search": wanted, "$select": select, "$top": str(most), "$count": "true"}
        items.append(BatchItem("GET", path, query, headers=_ADVANCED))
    await session.directory.take(len(items))
    return [list(body["value"]) for body in await read_batch(session, items)]


def search_of(text: str, names: Sequence[str], addresses: Sequence[str]) -> str | None:
    """The `$search` for what somebody typed; None if there is no word in it.

    Each word (of the first five) is to begin one of the `names`, or the whole text an address.
    Symbols are left out of words, since each would be a word to find. Clauses with an ampersand
    are a known issue of Graph (docs: search-query-parameter), so there are none.
    """
    given = unicodedata.normalize("NFC", text).strip()[:LONGEST_TEXT].strip()
    # Letters, the marks on them, and numbers.
    words = "".join(c if unicodedata.category(c)[0] in "LMN" else " " for c in given).split()
    if not words:
        return None
    each = (" OR ".join(_clause(name, word) for name in names) for word in words[:_WORDS])
    clauses = [" AND ".join(f"({any_of})" for any_of in each)]
    if "&" not in given:
        clauses += [_clause(name, given) for name in addresses]
    return " OR ".join(clauses)


def _clause(name: str, text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{name}:{escaped}"'
