"""`$search` in the directory (docs: search-query-parameter, directory objects).

There is no 'contains': displayName and description are split into words, which match by their
beginning in any order. Every other property matches by the beginning of its whole value.
"""

import re
from collections.abc import Callable
from typing import Any

from tests.local.graph.protocol import GraphError, unsupported

type Predicate = Callable[[dict[str, Any]], bool]

TOKENIZED = {"displayName", "description"}
BEGINNINGS = {
    "city",
    "companyName",
    "department",
    "givenName",
    "jobTitle",
    "mail",
    "mailNickname",
    "surname",
    "userPrincipalName",
}
_PART = re.compile(r'\s*(?:"(?P<clause>(?:[^"\\]|\\["\\])*)"|(?P<word>AND|OR|\(|\)))')
_MOST_GROUPS = 50
_RUNS = re.compile(r"[A-Z]+[^\W\d_A-Z]*|[^\W\d_A-Z]+|\d+|[^\w\s]|_")


def searched(text: str) -> Predicate:
    """Return the predicate of a `$search`. Raises a 400 if it is malformed."""
    parts: list[tuple[str, str]] = []
    if text.count("(") > _MOST_GROUPS:
        raise _malformed()
    position = 0
    while position < len(text.rstrip()):
        match = _PART.match(text, position)
        if match is None:
            raise _malformed()
        parts.append((str(match.lastgroup), match.group(str(match.lastgroup))))
        position = match.end()
    found = _either(parts)
    if parts:
        raise _malformed()
    return found


def words_of(text: str) -> list[str]:
    """Split a text into words at spaces, numbers, symbols and before capitals.

    A symbol is a word by itself. Words joined by symbols also count as one word.
    """
    found: list[str] = []
    for piece in text.split():
        runs = _RUNS.findall(piece)
        found += [run.casefold() for run in runs]
        joined = "".join(run for run in runs if run[0].isalnum())
        if any(not run[0].isalnum() for run in runs) and joined:
            found.append(joined.casefold())
    return found


def _either(parts: list[tuple[str, str]]) -> Predicate:
    options = [_both(parts)]
    while parts and parts[0] == ("word", "OR"):
        parts.pop(0)
        options.append(_both(parts))
    return lambda o: any(option(o) for option in options)


def _both(parts: list[tuple[str, str]]) -> Predicate:
    needed = [_one(parts)]
    while parts and parts[0] == ("word", "AND"):
        parts.pop(0)
        needed.append(_one(parts))
    return lambda o: all(need(o) for need in needed)


def _one(parts: list[tuple[str, str]]) -> Predicate:
    if not parts:
        raise _malformed()
    kind, text = parts.pop(0)
    if kind == "clause":
        return _clause(re.sub(r"\\(.)", r"\1", text))
    if text != "(":
        raise _malformed()
    inner = _either(parts)
    if not parts or parts.pop(0) != ("word", ")"):
        raise _malformed()
    return inner


def _clause(text: str) -> Predicate:
    name, colon, value = text.partition(":")
    if not colon or not value.strip() or name not in TOKENIZED | BEGINNINGS:
        raise _malformed()
    if name in BEGINNINGS:
        wanted = value.casefold()
        return lambda o: str(o.get(name) or "").casefold().startswith(wanted)
    wanted_words = [run.casefold() for run in _RUNS.findall(value)]

    def matches(item: dict[str, Any]) -> bool:
        words = words_of(str(item.get(name) or ""))
        return all(any(word.startswith(wanted) for word in words) for wanted in wanted_words)

    return matches


def _malformed() -> GraphError:
    return unsupported("Unrecognized query argument specified: 'search'.")
