"""Searches Entra ID for names and addresses that start with a typed text.

Docs: search-query-parameter (directory objects). In displayName Graph matches the start of each
word, in any order; in other properties only the start of the whole value. A clause is put in double
quotes; quotes and backslashes in it are escaped by a backslash.
"""

import unicodedata
from collections.abc import Sequence
from typing import Any, Final

from shared.adapters.graph.batch import BatchItem, read_batch, require_all
from shared.adapters.graph.directory import ADVANCED
from shared.adapters.graph.transport import GraphResponse, GraphSession, required

LONGEST_TEXT: Final = 100
_WORDS: Final = 5
_PERSON: Final = ("displayName", "givenName", "surname")
_BY: Final = {
    "/users": (_PERSON, ("mail", "userPrincipalName")),
    "/groups": (("displayName",), ("mail",)),
    "/contacts": (_PERSON, ("mail",)),
}
"""The name and address properties to search in each collection."""


async def search(
    session: GraphSession, fields: dict[str, str], text: str, most: int
) -> list[list[dict[str, Any]]]:
    """Return up to `most` objects of each collection (`/users`, `/groups`, `/contacts`) for a text.

    `fields` maps each collection to the properties to read; one HTTP request searches all of them.
    A text without a letter or digit finds nothing. Where Graph refuses to search other properties,
    which its documents leave open for organizational contacts, only display names are searched.
    Raises `TransientError`, or `NeedsAdmin` if a permission is missing.
    """
    if search_of(text, ("displayName",), ()) is None:
        return [[] for _ in fields]
    items = [_item(path, text, _BY[path], select, most) for path, select in fields.items()]
    answers = await _answers(session, items)
    if refused := [number for number, answer in enumerate(answers) if answer.status == 400]:
        by_name = [
            _item(path, text, (("displayName",), ()), select, most)
            for number, (path, select) in enumerate(fields.items())
            if number in refused
        ]
        again = await _answers(session, by_name)
        for number, answer in zip(refused, again, strict=True):
            answers[number] = answer
    return [list(required(answer).value) for answer in answers]


async def _answers(session: GraphSession, items: Sequence[BatchItem]) -> list[GraphResponse]:
    await session.directory.take(len(items))
    answers = await read_batch(session, items)
    require_all(answers)
    return answers


def _item(
    path: str,
    text: str,
    by: tuple[Sequence[str], Sequence[str]],
    select: str,
    most: int,
) -> BatchItem:
    wanted = search_of(text, *by) or ""
    query = {"$search": wanted, "$select": select, "$top": str(most), "$count": "true"}
    return BatchItem("GET", path, query, headers=ADVANCED)


def search_of(text: str, names: Sequence[str], addresses: Sequence[str]) -> str | None:
    """Return the `$search` for a typed text; None if the text contains no word.

    Each of the first five words must start one of the `names`, or the whole text an address.
    Symbols are removed, because Graph would treat each as a word. Clauses with an ampersand are
    left out, because they fail (known issue; docs: search-query-parameter).
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
