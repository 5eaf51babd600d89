"""Lists of a mailbox: `$filter`, `$orderby`, `$count` and pages by `$skip`."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote, urlencode

from tests.local.graph.protocol import Answer, Request
from tests.local.graph.strict.filters import OUTLOOK, parsed, value_of
from tests.local.graph.strict.queries import sort_keys
from tests.local.graph.strict.replies import link

type Json = dict[str, Any]

_PAGE = 10


def arranged[T](
    request: Request, type_: str, text: str | None, items: list[tuple[T, Json]]
) -> list[T]:
    """Return the items that match the filter `text`, in the requested order."""
    if text:
        holds = parsed(text, type_, OUTLOOK).holds
        items = [pair for pair in items if holds(pair[1])]
    for name, falling in reversed(sort_keys(request.query.get("$orderby", ""))):
        if name:
            items = sorted(items, key=_sorted_by(name), reverse=falling)
    return [item for item, _ in items]


def _sorted_by[T](name: str) -> Callable[[tuple[T, Json]], str]:
    return lambda pair: str(value_of(pair[1], name) or "").casefold()


def names_in(request: Request, type_: str, text: str | None) -> tuple[str, ...]:
    """Return the properties that the filter `text` and `$orderby` look at."""
    uses = parsed(text, type_, OUTLOOK).uses if text else ()
    sorted_by = sort_keys(request.query.get("$orderby", ""))
    names = [use.path for use in uses] + [name for name, _ in sorted_by]
    return tuple(dict.fromkeys(name.partition("/")[0] for name in names if name))


def page[T](base: str, request: Request, items: list[T], show: Callable[[T], Json]) -> Answer:
    """Return a page of items, which `show` turns into JSON."""
    start = int(request.query.get("$skip", "0"))
    size = int(request.query.get("$top", str(_PAGE)))
    body: Json = {}
    if request.query.get("$count", "").lower() == "true":
        body["@odata.count"] = len(items)
    if start + size < len(items):
        rest = {**request.query, "$skip": str(start + size)}
        query = urlencode(rest, quote_via=quote)
        body["@odata.nextLink"] = f"{link(base, request.path)}?{query}"
    body["value"] = [show(item) for item in items[start : start + size]]
    return Answer(200, body)
