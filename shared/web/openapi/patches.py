"""The schemas of merge patches (RFC 7396), derived from those of the models that they change."""

from typing import Any, Final

from shared.web.openapi.shaping import is_object, nullable

type Schema = dict[str, Any]

_STEM: Final = "#/components/schemas/"


def patch_of(schema: Schema, known: dict[str, Schema], patches: dict[str, Schema]) -> Schema:
    """Return the schema of a patch for `schema`; add the patches that it references to `patches`.

    Every field may be absent or null. Nested objects are patched, lists and plain values are
    replaced.
    """
    if "$ref" not in schema:
        return schema
    name = schema["$ref"].removeprefix(_STEM)
    if "properties" not in known[name]:
        return schema
    patch = f"{name.removesuffix('-Input')}Patch"
    if patch not in patches:
        patches[patch] = {}  # for a schema that references itself
        patches[patch] = _patched(known[name], known, patches)
    words = {k: v for k, v in schema.items() if k != "$ref"}
    return {"$ref": f"{_STEM}{patch}", **words}


def _patched(schema: Schema, known: dict[str, Schema], patches: dict[str, Schema]) -> Schema:
    patched = {name: value for name, value in schema.items() if name != "required"}
    patched["properties"] = {
        name: _field(field, known, patches) for name, field in schema["properties"].items()
    }
    return patched


def _field(field: Schema, known: dict[str, Schema], patches: dict[str, Schema]) -> Schema:
    made = {name: value for name, value in field.items() if name != "default"}
    if "oneOf" in made:
        made["oneOf"] = [patch_of(kind, known, patches) for kind in made["oneOf"]]
        return made
    if is_object(made) and "properties" in made:
        # An empty list removes the entry.
        fields = made["properties"].items()
        emptied = {name: nullable(_without(part, "minItems")) for name, part in fields}
        return nullable({**made, "properties": emptied})
    return nullable(patch_of(made, known, patches))


def _without(schema: Schema, name: str) -> Schema:
    return {k: v for k, v in schema.items() if k != name}
