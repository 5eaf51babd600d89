"""Merge patches (RFC 7396): how one changes a model, and the schema of the patches of a model.

Unlike in the RFC, null removes nothing: many clients send null for what they did not set, and a
patch of a name must not open a share. Null leaves a setting unchanged, unless the setting has null
as a value of its own (a destination's folder: the default folder).
"""

from collections.abc import Mapping
from typing import Any, Final, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from shared.domain.model import UNCHANGED_BY_NULL

type Schema = dict[str, Any]

_NULL: Final = {"type": "null"}
_NONE_OF_THEM: Final = {"type": "array", "maxItems": 0}


def merge_patch(target: Any, patch: Any, model: type[BaseModel] | None = None) -> Any:
    """Apply a patch to the JSON of a `model`: objects are merged, everything else is replaced.

    Without a model, an object is a table of lists: an empty list removes an entry.
    """
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    fields = {str(f.alias): f for f in model.model_fields.values()} if model is not None else None
    for name, value in patch.items():
        if fields is None:
            if value == []:
                merged.pop(name, None)
            elif value is not None:
                merged[name] = merge_patch(merged.get(name), value)
        elif name not in fields:
            merged[name] = value  # validation refuses it
        elif value is not None or _has_null(fields[name]):
            merged[name] = merge_patch(merged.get(name), value, _model_of(fields[name]))
    return merged


def _has_null(field: FieldInfo) -> bool:
    """Return whether null is a value of its own in a patch."""
    return type(None) in get_args(field.annotation) and UNCHANGED_BY_NULL not in field.metadata


def _model_of(field: FieldInfo) -> type[BaseModel] | None:
    kinds = (field.annotation, *get_args(field.annotation))
    return next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), None)


def patch_of(schema: Schema, schemas: dict[str, Schema]) -> Schema:
    """Return the schema of a patch for `schema`; add the schemas it references to `schemas`.

    Every field may be absent or null. Nested objects are patched, lists and plain values are
    replaced.
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
        patched["additionalProperties"] = {
            "anyOf": [schema["additionalProperties"], _NONE_OF_THEM, _NULL]
        }
    return patched


def _field(field: Schema, schemas: dict[str, Schema]) -> Schema:
    patched = patch_of({name: v for name, v in field.items() if name != "default"}, schemas)
    return patched if _NULL in field.get("anyOf", ()) else {"anyOf": [patched, _NULL]}
