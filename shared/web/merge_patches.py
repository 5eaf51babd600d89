"""What a merge patch (RFC 7396) may look like, made from the schema of what it changes."""

from typing import Any, Final

type Schema = dict[str, Any]

_NULL: Final = {"type": "null"}


def patch_of(schema: Schema, schemas: dict[str, Schema]) -> Schema:
    """The schema of a patch of what `schema` describes; those it refers to are added to `schemas`.

    Every field may be absent. Objects are patched in their turn, lists and plain values replaced.
    null puts the default of an object or a list in force again (`changes.merge_patch`); elsewhere
    it is allowed where it is a value of its own.
    """
    if "$ref" in schema:
        stem, _, name = schema["$ref"].rpartition("/")
        if "properties" not in schemas[name]:
            return schema
        patch = f"{name.removesuffix('-Input')}Patch"
        if patch not in schemas:
            schemas[patch] = {}  # for what refers to itself
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
    """Whether it describes an object or a list."""
    if "$ref" in schema:
        return _is_structure(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    return schema.get("type") in {"object", "array"}
