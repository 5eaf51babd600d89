"""Merge patches (RFC 7396): how one changes a model.

Unlike in the RFC, null removes nothing: many clients send null for what they did not set, and a
patch of a name must not open a share. Null leaves a setting unchanged, unless the setting has null
as a value of its own (a destination's folder: the default folder).
"""

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from shared.domain.model import UNCHANGED_BY_NULL


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
