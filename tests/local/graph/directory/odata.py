"""OData as the directory supports it: $filter, $select, $top, $orderby, $search, paging, /$count.

Docs: filter-query-parameter, query-parameters, aad-advanced-queries.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlencode

from tests.local.graph.directory.search import searched
from tests.local.graph.protocol import Answer, GraphError, Request, unsupported
from tests.local.graph.strict.filters import DIRECTORY, parsed
from tests.local.graph.strict.queries import selected as names_of
from tests.local.graph.strict.queries import sort_keys

type Object = dict[str, Any]
type Listing = Callable[..., Answer]


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
    type_: str,
    empty_page: bool = False,
) -> Object:
    """Return a page of directory objects of a type for all options of the query.

    With `empty_page` the second page is empty although more follow, as Graph may do.
    """
    query = request.query
    top = _top(query.get("$top"))
    if "$expand" in query:
        # Known issue 13635: whatever $top asks.
        top = min(top, int(request.quirk("expandedPage")))
    if "accountEnabled" in query.get("$filter", ""):
        objects = [{"accountEnabled": True, **item} for item in objects]
    if "$filter" in query:
        objects = list(filter(parsed(query["$filter"], type_, DIRECTORY).holds, objects))
    if "$search" in query:
        if not request.advanced:
            raise unsupported("Request with $search needs ConsistencyLevel: eventual.")
        objects = list(filter(searched(query["$search"]), objects))
    if "$orderby" in query:
        for name, falling in reversed(sort_keys(query["$orderby"])):
            objects = sorted(objects, key=_sorted_by(name), reverse=falling)
    start, page = _skip(query.get("$skiptoken"))
    empty = empty_page and page == 1
    part = [] if empty else objects[start : start + top]
    chosen = selected(request, default_fields)
    body: Object = {}
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
    return list(names_of(request.query.get("$select")) or default_fields)


def _sorted_by(name: str) -> Callable[[Object], str]:
    return lambda item: str(item.get(name) or "").casefold()


def _top(text: str | None) -> int:
    if text is None:
        return 100
    if not text.isdecimal() or not 1 <= int(text) <= 999:
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


def counted(listing: Listing) -> Listing:
    """Return the handler that counts what a collection of the directory lists."""

    def count(place: Any, request: Request, *rest: Any) -> Answer:
        if not request.advanced:
            raise GraphError(400, "Request_BadRequest", "$count is not currently supported.")
        return _count(listing, place, request, *rest)

    return count


def counted_in_mailbox(listing: Listing) -> Listing:
    """Return the handler that counts what a collection of a mailbox lists."""

    def count(place: Any, request: Request, *rest: Any) -> Answer:
        return _count(listing, place, request, *rest)

    return count


def _count(listing: Listing, place: Any, request: Request, *rest: Any) -> Answer:
    query = {**request.query, "$count": "true", "$top": "1"}
    found = listing(place, replace(request, query=query), *rest)
    number = str(found.body["@odata.count"]).encode()
    return Answer(200, number, {"Content-Type": "text/plain;charset=utf-8"})
