"""OData as the directory supports it: $filter, $select, $top, $orderby, $search and paging.

Docs: filter-query-parameter, query-parameters, aad-advanced-queries.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from tests.local.graph.protocol import GraphError, Request, unsupported
from tests.local.graph.search import searched

type Object = dict[str, Any]
type Predicate = Callable[[Object], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<punct>[(),])|(?P<word>[A-Za-z_][\w./]*)|(?P<number>-?\d+))"
)
MAX_IN_VALUES = 15


class _Parser:
    def __init__(self, text: str, *, advanced: bool) -> None:
        self._tokens: list[tuple[str, str]] = []
        self._advanced = advanced
        position = 0
        while position < len(text.rstrip()):
            match = _TOKEN.match(text, position)
            if match is None:
                raise unsupported()
            self._tokens.append((str(match.lastgroup), match.group(str(match.lastgroup))))
            position = match.end()
        self._at = 0

    def parse(self) -> Predicate:
        found = self._or()
        if self._at != len(self._tokens):
            raise unsupported()
        return found

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise unsupported()
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, word: str) -> None:
        if self._next()[1].lower() != word:
            raise unsupported()

    def _or(self) -> Predicate:
        parts = [self._and()]
        while self._peek().lower() == "or":
            self._next()
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else lambda o: any(part(o) for part in parts)

    def _and(self) -> Predicate:
        parts = [self._not()]
        while self._peek().lower() == "and":
            self._next()
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else lambda o: all(part(o) for part in parts)

    def _not(self) -> Predicate:
        if self._peek().lower() == "not":
            self._next()
            self._need_advanced("not")
            inner = self._not()
            return lambda o: not inner(o)
        if self._peek() == "(":
            self._take("(")
            inner = self._or()
            self._take(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Predicate:
        name = self._next()[1]
        if name.lower() in {"startswith", "endswith"}:
            if name.lower() == "endswith":
                self._need_advanced("endsWith")
            self._take("(")
            field = self._next()[1]
            self._take(",")
            value = str(self._value()).casefold()
            self._take(")")
            method = "startswith" if name.lower() == "startswith" else "endswith"
            return lambda o: getattr(str(o.get(field) or "").casefold(), method)(value)
        operator = self._next()[1].lower()
        if operator == "in":
            values = self._values()
            return lambda o: _folded(o.get(name)) in values
        wanted = _folded(self._value())
        if operator == "eq":
            return lambda o: _folded(o.get(name)) == wanted
        if operator == "ne":
            self._need_advanced("ne")
            return lambda o: _folded(o.get(name)) != wanted
        raise unsupported()

    def _values(self) -> set[Any]:
        self._take("(")
        values = [_folded(self._value())]
        while self._peek() == ",":
            self._take(",")
            values.append(_folded(self._value()))
        self._take(")")
        if len(values) > MAX_IN_VALUES:
            raise unsupported(
                f"Too many child clauses specified in search filter expression containing 'OR' "
                f"operators: {len(values)}. Max allowed: {MAX_IN_VALUES}."
            )
        return set(values)

    def _value(self) -> Any:
        kind, text = self._next()
        if kind == "text":
            return text[1:-1].replace("''", "'")
        if kind == "number":
            return int(text)
        named = {"true": True, "false": False, "null": None}
        if text not in named:
            raise unsupported()
        return named[text]

    def _need_advanced(self, what: str) -> None:
        if not self._advanced:
            raise unsupported(f"Operator '{what}' needs ConsistencyLevel: eventual and $count.")


def _folded(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value


def advanced(request: Request) -> bool:
    """Return whether this is an advanced query with $count, or a later page of one."""
    counted = request.query.get("$count", "").lower() == "true"
    return request.advanced and (counted or "$skiptoken" in request.query)


def collection(
    request: Request,
    objects: Sequence[Object],
    default_fields: Sequence[str],
    base: str,
    show: Callable[[Object, list[str]], Object],
    *,
    empty_page: bool = False,
) -> Object:
    """Return a page of directory objects for all options of the query.

    With `empty_page` the second page is empty although more follow, as Graph may do.
    """
    query = request.query
    if "$skip" in query:
        raise unsupported("'$skip' is not supported by the service.")
    top = _top(query.get("$top"))
    if "$filter" in query:
        objects = list(
            filter(_Parser(query["$filter"], advanced=advanced(request)).parse(), objects)
        )
    if "$search" in query:
        if not request.advanced:
            raise unsupported("Request with $search needs ConsistencyLevel: eventual.")
        objects = list(filter(searched(query["$search"]), objects))
    if "$orderby" in query:
        name, _, direction = query["$orderby"].partition(" ")
        objects = sorted(
            objects,
            key=lambda o: str(o.get(name) or "").casefold(),
            reverse=direction.strip().lower() == "desc",
        )
    start, page = _skip(query.get("$skiptoken"))
    empty = empty_page and page == 1
    part = [] if empty else objects[start : start + top]
    chosen = selected(request, default_fields)
    body: Object = {"@odata.context": f"{base}/$metadata{request.path}"}
    if query.get("$count", "").lower() == "true" and request.advanced and page == 0:
        body["@odata.count"] = len(objects)
    end = start + len(part)
    if end < len(objects):
        token = f"RFNwdAIAAQ{end}z{page + 1}"
        rest = {**query, "$skiptoken": token}
        body["@odata.nextLink"] = f"{base}{request.path}?{urlencode(rest, quote_via=quote)}"
    body["value"] = [show(o, chosen) for o in part]
    return body


def selected(request: Request, default_fields: Iterable[str]) -> list[str]:
    """Return the names of the properties to show."""
    text = request.query.get("$select")
    return [f.strip() for f in text.split(",")] if text else list(default_fields)


def _top(text: str | None) -> int:
    if text is None:
        return 100
    if not text.isdigit() or not 1 <= int(text) <= 999:
        message = f"Invalid page size specified: '{text}'. Must be between 1 and 999 inclusive."
        raise unsupported(message)
    return int(text)


def _skip(token: str | None) -> tuple[int, int]:
    if token is None:
        return 0, 0
    match = re.fullmatch(r"RFNwdAIAAQ(\d+)z(\d+)", token)
    if match is None:
        raise GraphError(400, "Directory_ExpiredPageToken", "The page token is not valid.")
    return int(match[1]), int(match[2])
