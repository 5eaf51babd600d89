"""The bodies of requests: JSON of the right type, with known properties and values that fit.

Docs: contact, contactfolder, outlookcategory, directoryobject-getbyids.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from tests.local.graph.protocol import GraphError
from tests.local.graph.strict.metadata import TYPES, Property, problem
from tests.local.graph.strict.rules import Rule

_READ_ONLY: Final[Mapping[str, frozenset[str]]] = {
    "contact": frozenset({"id", "changeKey", "createdDateTime", "lastModifiedDateTime"}),
    "contactFolder": frozenset({"id"}),
    "outlookCategory": frozenset({"id"}),
}
_PARENT: Final = "parentFolderId"
"""A contact gets it when it is created; a folder is moved by it (docs: contactfolder-update)."""
_NOT_IMPLEMENTED: Final[Mapping[str, frozenset[str]]] = {
    "contact": frozenset({"extensions", "multiValueExtendedProperties", "photo"}),
    "contactFolder": frozenset({"childFolders", "contacts", "multiValueExtendedProperties"}),
}
_TEXTS: Final[Mapping[str, frozenset[str]]] = {
    type_: frozenset(
        name
        for name, found in TYPES[type_].items()
        if found.type == "Edm.String" and not found.collection and name not in read_only | {_PARENT}
    )
    for type_, read_only in _READ_ONLY.items()
}
"""Properties that take any text: most values need no closer look."""
_BY_IDS: Final[Mapping[str, Property]] = {
    name: Property(name, "Edm.String", collection=True, navigation=False)
    for name in ("ids", "types")
}
_EXTENDED: Final = "singleValueExtendedProperties"
_GUID: Final = r"\{[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\}"
_EXTENDED_ID: Final = re.compile(
    rf"[A-Za-z]+ (?:{_GUID} (?:Name \S.*|Id 0x[0-9a-fA-F]+)|0x[0-9a-fA-F]+)"
)
"""The form of an extended property's id (docs: singlevaluelegacyextendedproperty)."""


def check(rule: Rule, method: str, content_type: str, body: Any) -> None:
    """Raise a 400 or 415 if a route does not take this body."""
    if rule.body == "bytes":
        return
    if not rule.body:
        if body not in (None, b"", {}):
            raise GraphError(400, "BadRequest", "This request takes no body.")
        return
    if isinstance(body, bytes) or (body is not None and "json" not in content_type):
        raise GraphError(
            415,
            "UnsupportedMediaType",
            f"The content type '{content_type}' is not supported. Use 'application/json'.",
        )
    if not isinstance(body, dict):
        raise GraphError(400, "BadRequest", "A JSON object is needed as the body.")
    check_values(rule.body, method, body)


def check_values(type_: str, method: str, body: Mapping[str, Any]) -> None:
    """Raise a 400 if a body has names or values that do not fit its type."""
    known = _BY_IDS if type_ == "getByIds" else TYPES[type_]
    texts = _TEXTS.get(type_, ())
    for name, value in body.items():
        if type(value) is str and name in texts:
            continue
        if "@odata" in name:
            _check_annotation(type_, name, value)
            continue
        found = known.get(name)
        if found is None:
            raise _unread(
                f"The property '{name}' does not exist on type 'microsoft.graph.{type_}'. "
                "Make sure to only use property names that are defined by the type."
            )
        if name in _NOT_IMPLEMENTED.get(type_, ()):
            raise _unread(f"The simulator does not implement '{name}' in a body.")
        fixed = name == _PARENT and method != "POST" and type_ != "contactFolder"
        if fixed or name in _READ_ONLY.get(type_, ()):
            raise GraphError(
                400, "ErrorInvalidPropertySet", f"The property '{name}' cannot be set."
            )
        if wrong := problem(found, value):
            raise _unread(wrong)
        if name == _EXTENDED:
            _check_extended(value)


def _check_extended(value: list[Mapping[str, Any]]) -> None:
    for item in value:
        if not _is_extended_id(str(item.get("id"))):
            raise GraphError(
                400,
                "ErrorInvalidExtendedProperty",
                f"'{item.get('id')}' is not the id of an extended property.",
            )


@lru_cache(maxsize=256)
def _is_extended_id(text: str) -> bool:
    return _EXTENDED_ID.fullmatch(text) is not None


def _check_annotation(type_: str, name: str, value: Any) -> None:
    if name == "@odata.type" and value != f"#microsoft.graph.{type_}":
        raise _unread(f"The type '{value}' is not 'microsoft.graph.{type_}'.")


def _unread(message: str) -> GraphError:
    return GraphError(400, "RequestBodyRead", message)
