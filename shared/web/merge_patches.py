"""The schema of a merge patch (RFC 7396), derived from the schema of the model it changes."""

from typing import Any, Final

type Schema = dict[str, Any]

_NULL: Final = {"type": "null"}


def patch_of(schema: Schema, schemas: dict[str, Schema]) -> Schema:
    """Return the schema of a patch for `schema`; add the schemas it references to `schemas`.

    Every field may be absent. Nested objects are patched, lists and plain values are replaced.
    null resets an object or a list to its default (`changes.merge_patch`); elsewhere it is allowed
    only where the field itself takes null.
    """
    if "$ref" in schema:
        stem, _, name = schema["$ref"].rpartition("/")
        if "properties" not in schemas[name]:
            return schema
        patch = f"{name.removesuffix('-Input')}Patch"
        if patch not in schemas:
            schemas[patch] = {}  # for a schema that references itself
            schemas[patch] = {**patch_of(schemas[name], schemas), "title": patch}
        return {"$ref": f"{stem}/{patch}"}
    if "anyOf" in schema:
        return {**schema, "anyOf": [patch_of(kind, schemas) for kind in schema["anyOf"]]}
    patched = {name: value for name, value in schema.items() if name != "required"}
    if "properties" in schema:
        patched["properties"] = {
            name: _field(field, schemas) for name, field in schema["properties"].items()
        }
    if isinstance(schema.get("additionalProperties"), dict):
        patched["additionalProperties"] = _or_null(schema["additionalProperties"])
    return patched


def _field(field: Schema, schemas: dict[str, Schema]) -> Schema:
    patched = patch_of({name: v for name, v in field.items() if name != "default"}, schemas)
    removable = "default" in field and _is_structure(field, schemas)
    return _or_null(patched) if removable and _NULL not in field.get("anyOf", ()) else patched


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, _NULL]}


def _is_structure(schema: Schema, schemas: dict[str, Schema]) -> bool:
    """Return whether a schema describes an object or a list."""
    if "$ref" in schema:
        return _is_structure(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    return schema.get("type") in {"object", "array"}
