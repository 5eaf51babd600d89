"""The formats of lists: JSON pages, and files as CSV or NDJSON, chosen by the Accept header.

A file is one page of the list: the Link header has the address of the next. Every operation that
returns an `ItemPage` offers all formats; all others answer with JSON.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, get_args

import orjson
from pydantic import BaseModel

from shared.domain.errors import NotAcceptable
from shared.domain.spreadsheet import Cell, csv_lines
from shared.web.operations import Content, Operation
from shared.web.repeats import JSON
from shared.web.views import ItemPage

CSV: Final = "text/csv"
NDJSON: Final = "application/x-ndjson"
PROBLEM: Final = "application/problem+json"
_MOST_RANGES: Final = 50

type Path = tuple[str, ...]


def list_of(operation: Operation) -> type[ItemPage[Any]] | None:
    """Return the page that an operation returns, or None if it returns no list."""
    model = operation.responses.get(200)
    return model if model is not None and issubclass(model, ItemPage) else None


def offered(operation: Operation) -> tuple[str, ...]:
    """Return the media types of an operation's answers."""
    return (JSON, CSV, NDJSON) if list_of(operation) else (JSON,)


def chosen(operation: Operation, accept: str) -> str:
    """Return the media type that a caller prefers (RFC 9110, Accept); JSON if it does not say.

    Raises `NotAcceptable` if it accepts none of those that the operation offers.
    """
    if not accept.strip():
        return JSON
    ranges = [_range(part) for part in accept.split(",")[:_MOST_RANGES]]
    kinds = offered(operation)
    weights = {kind: _weight(kind, ranges) for kind in kinds}
    best = max(kinds, key=lambda kind: weights[kind])
    if weights[best][0] <= 0:
        raise NotAcceptable("format_not_offered", types=kinds)
    return best


def written(kind: str, operation: Operation, page: BaseModel | None) -> Content | None:
    """Return a page as a file of this media type; None if it is sent as JSON."""
    model = list_of(operation)
    if kind == JSON or model is None or not isinstance(page, ItemPage):
        return None
    rows = [item.model_dump(mode="json", by_alias=True) for item in page.items]
    if kind == NDJSON:
        return Content(NDJSON, b"".join(orjson.dumps(row) + b"\n" for row in rows))
    (item,) = get_args(model.model_fields["items"].annotation)
    columns = list(_columns(item))
    lines: list[list[Cell]] = [[".".join(path) for path in columns]]
    lines += [[_cell(row, path) for path in columns] for row in rows]
    return Content(CSV, csv_lines(lines).encode())


def _range(part: str) -> tuple[str, float]:
    """Return a media range and its weight (`q`)."""
    kind, *parameters = (each.strip().lower() for each in part.split(";"))
    weight = next((p.removeprefix("q=") for p in parameters if p.startswith("q=")), "1")
    try:
        return kind, min(max(float(weight), 0.0), 1.0)
    except ValueError:
        return kind, 0.0


def _weight(kind: str, ranges: list[tuple[str, float]]) -> tuple[float, int]:
    """Return how much a media type is wanted, and how precisely it is named."""
    names = {kind: 2, f"{kind.split('/', maxsplit=1)[0]}/*": 1, "*/*": 0}
    if kind == JSON:  # clients that name problems take what they describe
        names[PROBLEM] = 1
    found = [(names[name], weight) for name, weight in ranges if name in names]
    if not found:
        return 0.0, 0
    precision = max(level for level, _ in found)
    return max(weight for level, weight in found if level == precision), precision


def _columns(model: type[BaseModel], at: Path = ()) -> Iterator[Path]:
    """Yield the paths of all values of a model; those of an inner object each have a column."""
    for name, field in model.model_fields.items():
        if field.exclude:
            continue
        path = (*at, field.serialization_alias or field.alias or name)
        inner = _model(field.annotation)
        if inner is None:
            yield path
        else:
            yield from _columns(inner, path)


def _model(annotation: Any) -> type[BaseModel] | None:
    """Return the model of an inner object, which may be null."""
    kinds = [kind for kind in get_args(annotation) or (annotation,) if kind is not type(None)]
    (kind, *others) = kinds
    is_model = isinstance(kind, type) and issubclass(kind, BaseModel)
    return kind if is_model and not others and _is_optional(annotation) else None


def _is_optional(annotation: Any) -> bool:
    return isinstance(annotation, type) or type(None) in get_args(annotation)


def _cell(row: Mapping[str, Any], path: Path) -> Cell:
    value: Any = row
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    match value:
        case bool():
            return "true" if value else "false"
        case None | str() | int():
            return value
        case float():
            return repr(value)
        case _:
            return orjson.dumps(value).decode()
