"""The types of Graph v1.0 that the simulator serves, and whether a JSON value fits one.

The table is `metadata.json`; `derive.py` makes it from Microsoft's SDK.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

_TABLE: Final[dict[str, Any]] = json.loads(
    Path(__file__).with_name("metadata.json").read_text("utf-8")
)
_MOMENT: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,12})?)?(Z|[+-]\d\d:\d\d)", re.IGNORECASE
)
_LARGEST_INT: Final = 2**31


@dataclass(frozen=True, slots=True)
class Property:
    """One property of a type. `type` is a primitive of OData (`Edm.…`) or a name of the table."""

    name: str
    type: str
    collection: bool
    navigation: bool

    @property
    def is_primitive(self) -> bool:
        return self.type.startswith("Edm.")


def _property(name: str, text: str) -> Property:
    inner = text.removeprefix("Navigation(")
    item = inner.removeprefix("Collection(")
    return Property(
        name,
        item.rstrip(")").removeprefix("graph."),
        collection=item != inner,
        navigation=inner != text,
    )


TYPES: Final[Mapping[str, Mapping[str, Property]]] = {
    type_: {name: _property(name, text) for name, text in properties.items()}
    for type_, properties in _TABLE["types"].items()
}
ENUMS: Final[Mapping[str, frozenset[str]]] = {
    name: frozenset(values) for name, values in _TABLE["enums"].items()
}


@lru_cache(maxsize=4096)
def property_of(type_: str, path: str) -> Property | None:
    """Return a property of a type; its path may lead through complex types (`address/city`)."""
    found: Property | None = None
    for name in path.split("/"):
        if found is not None and (found.collection or found.navigation):
            return None
        found = TYPES.get(type_ if found is None else found.type, {}).get(name)
        if found is None:
            return None
    return found


def problem(found: Property, value: Any) -> str | None:
    """Return what is wrong with a JSON value for a property; None if it fits.

    A collection cannot be null, but a single value can.
    """
    if not found.collection:
        return None if value is None else _item_problem(found, value)
    if not isinstance(value, list):
        return f"The value of '{found.name}' is not a collection."
    for item in value:
        if wrong := _item_problem(found, item):
            return wrong
    return None


def _item_problem(found: Property, value: Any) -> str | None:
    if found.type in TYPES:
        return _object_problem(found, value)
    if found.type in ENUMS:
        fits = isinstance(value, str) and value in ENUMS[found.type]
    else:
        check = _FITS.get(found.type)
        fits = check is None or check(value)
    return None if fits else f"Cannot convert a value of '{found.name}' to '{found.type}'."


def _object_problem(found: Property, value: Any) -> str | None:
    if not isinstance(value, dict):
        return f"The value of '{found.name}' is not a '{found.type}'."
    for name, inner in value.items():
        if "@odata" in name:
            continue
        known = TYPES[found.type].get(name)
        if known is None:
            return f"The property '{name}' does not exist on type 'microsoft.graph.{found.type}'."
        if wrong := problem(known, inner):
            return wrong
    return None


def is_moment(text: str) -> bool:
    """Return whether a text is a date with a time and an offset."""
    if not _MOMENT.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text.upper())
    except ValueError:
        return False
    return True


def is_date(text: str) -> bool:
    """Return whether a text is a date."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == len("2026-11-30")


_FITS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "Edm.String": lambda value: isinstance(value, str),
    "Edm.Boolean": lambda value: isinstance(value, bool),
    "Edm.Int32": lambda value: type(value) is int and -_LARGEST_INT <= value < _LARGEST_INT,
    "Edm.DateTimeOffset": lambda value: isinstance(value, str) and is_moment(value),
    "Edm.Date": lambda value: isinstance(value, str) and is_date(value),
}
