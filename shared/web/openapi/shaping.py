"""Makes pydantic's schemas plain, so that the generators of clients understand them.

Only objects are components; texts, numbers, lists and enumerations stand where they are used. What
may be null has `type: [x, "null"]` or, if it is an object, is `oneOf` it and null. An enumeration
that may grow is a text whose known values are in `x-extensible-enum`, because generated clients
fail, or read null, where they meet a value that an `enum` does not have.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

type Schema = dict[str, Any]

_CLOSED: Final = "x-closed"
"""The mark of `NEVER_GROWS`."""
VALUES: Final = "x-values"
"""What the known values of an enumeration mean; it becomes a part of the description."""
NULL: Final[Schema] = {"type": "null"}
_STEM: Final = "#/components/schemas/"
_KNOWN: Final = "x-extensible-enum"


def is_object(schema: Schema) -> bool:
    """Return whether a schema describes an object with fields, or any object."""
    return schema.get("type") == "object"


def plain(given: Schema, known: Mapping[str, Schema]) -> Schema:
    """Return a schema in which only objects are referenced; `known` are all of pydantic's."""
    made = {name: value for name, value in given.items() if name != "title"}
    reference = made.get("$ref")
    if isinstance(reference, str):
        found = known[reference.rpartition("/")[2]]
        if not is_object(found):
            del made["$ref"]
            return plain({**found, **made}, known)
        return made
    kinds = made.pop("anyOf", None)
    if kinds is not None:
        more: Schema = {name: made.pop(name) for name in (_CLOSED, "description") if name in made}
        either = [plain(kind if kind == NULL else {**kind, **more}, known) for kind in kinds]
        return {**_either(either), **made}
    if made.get("type") == "object":
        return _object(made, known)
    if "items" in made:
        made["items"] = plain(made["items"], known)
    if made.get("type") == "integer":
        # Without a format, clients would take 32 bits.
        made["format"] = "int64"
    return _open(made)


def nullable(schema: Schema) -> Schema:
    """Return a schema that also accepts null."""
    if "$ref" in schema:
        words = {name: value for name, value in schema.items() if name != "$ref"}
        return {"oneOf": [{"$ref": schema["$ref"]}, NULL], **words}
    if "oneOf" in schema or isinstance(schema.get("type"), list) or "type" not in schema:
        return schema
    made = {**schema, "type": [schema["type"], "null"]}
    if "enum" in made:
        made["enum"] = [*made["enum"], None]
    return made


def _object(made: Schema, known: Mapping[str, Schema]) -> Schema:
    if "properties" in made:
        fields = made["properties"].items()
        made["properties"] = {name: plain(field, known) for name, field in fields}
    values = made.get("additionalProperties")
    if isinstance(values, dict):
        made["additionalProperties"] = plain(values, known)
    names = made.pop("propertyNames", {})
    if "enum" in names:
        # Named fields: clients then have a type for them.
        values = made["additionalProperties"]
        made["properties"] = {
            name: {**values, "description": f"The accepted values of `{name}`, at most 100."}
            for name in names["enum"]
        }
        made["additionalProperties"] = False
    return made


def _open(made: Schema) -> Schema:
    """Return an enumeration as a text with its known values, unless it is marked as closed."""
    if "const" in made:
        made["enum"] = [made.pop("const")]
    closed = made.pop(_CLOSED, False)
    if "enum" in made and not closed:
        made[_KNOWN] = made.pop("enum")
    if values := made.pop(VALUES, ""):
        made["description"] = f"{made['description']}\n\n{values}".strip()
    return made


def _either(kinds: Sequence[Schema]) -> Schema:
    """Return one schema for several kinds, of which one may be null."""
    others = [kind for kind in kinds if kind != NULL]
    one = others[0] if len(others) == 1 else _joined(others)
    return nullable(one) if len(others) < len(kinds) else one


def _joined(kinds: Sequence[Schema]) -> Schema:
    """Return what all kinds have in common, all of their known values, and items of each."""
    first, *others = kinds
    common = {k: v for k, v in first.items() if all(kind.get(k) == v for kind in others)}
    if "items" in first and all("items" in kind for kind in others):
        common["items"] = _joined([kind["items"] for kind in kinds])
    if all(_KNOWN in kind for kind in kinds):
        common[_KNOWN] = [value for kind in kinds for value in kind[_KNOWN]]
    return common
