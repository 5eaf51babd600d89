"""The schemas of the document, generated from the models that validate and serialize.

pydantic writes them (`Schemas`), `shaping` makes them plain for the generators of clients, and
`names` says what readers call them. The input and output of one value are one component.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from inspect import cleandoc
from typing import Any, Final, Literal

from pydantic import BaseModel
from pydantic.alias_generators import to_camel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from shared.domain.reasons import Reason
from shared.domain.tenancy.tenant_checks import CheckReason
from shared.web.openapi.field_docs import field_docs, value_docs
from shared.web.openapi.names import public_name
from shared.web.openapi.patches import patch_of
from shared.web.openapi.shaping import VALUES, is_object, plain
from shared.web.operations import Operation
from shared.web.problems import Problem

type Schema = dict[str, Any]
type Mode = Literal["validation", "serialization"]

STEM: Final = "#/components/schemas/"
_INPUT: Final = "-Input"
_OUTPUT: Final = "-Output"
_LISTED: Final = {Reason: "Reasons", CheckReason: "Reasons of a check"}
"""Enumerations that are too long for each field; the document's description lists them."""


class _Generator(GenerateJsonSchema):
    """Generates pydantic's schemas as API clients need them.

    A response always has all its fields, without defaults, and may have more in future. Fields
    have no title beside their name; descriptions use the JSON names of fields.
    """

    def field_is_required(self, field: Any, total: bool) -> bool:  # noqa: FBT001 - pydantic's
        if self.mode == "serialization":
            return field.get("serialization_exclude_if") is None
        return super().field_is_required(field, total)

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if self.mode == "serialization":
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        made = super().enum_schema(schema)
        made.setdefault("description", "")
        if section := _LISTED.get(schema["cls"]):
            made[VALUES] = f"All values are listed under *{section}*."
        else:
            values = value_docs(schema["cls"]).items()
            made[VALUES] = "\n".join(f"- `{value}`: {_spoken(words)}" for value, words in values)
        return made

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        if self.mode == "serialization" and made.get("additionalProperties") is False:
            del made["additionalProperties"]
        kind = schema["cls"]
        words = kind.__doc__ or getattr(kind.__mro__[1], "__doc__", "") or ""
        made["description"] = _with_json_names(cleandoc(words), kind)
        docs = field_docs(kind)
        for name, field in made.get("properties", {}).items():
            if name in docs and "description" not in field:
                field["description"] = _with_json_names(docs[name], kind)
        return made


class Schemas:
    """The schemas of all models; `components` are those that the document references by name."""

    def __init__(self, known: Iterable[Operation]) -> None:
        self._references, made = models_json_schema(
            list(dict.fromkeys(_models(known))),
            ref_template=f"{STEM}{{model}}",
            schema_generator=_Generator,
        )
        found: dict[str, Schema] = made["$defs"]
        self._plain = {name: plain(schema, found) for name, schema in found.items()}
        self.components = _united(self._plain)

    def input(self, model: type[BaseModel]) -> Schema:
        """Return the schema of a request body."""
        return _renamed(self._references[model, "validation"])

    def output(self, model: type[BaseModel]) -> Schema:
        """Return the schema of a response body."""
        return _renamed(self._references[model, "serialization"])

    def patch(self, model: type[BaseModel]) -> Schema:
        """Return the schema of a merge patch for a model."""
        patches: dict[str, Schema] = {}
        made = patch_of(self._references[model, "validation"], self._plain, patches)
        for name, schema in patches.items():
            self.components[public_name(name)] = _renamed(schema)
        return _renamed(made)

    def drop_unused(self, document: object) -> None:
        """Drop the models that nothing names, because only a patch is derived from them."""
        used: set[str] = set()
        found = set(_names(document))
        while found:
            used |= found
            found = {name for known in found for name in _names(self.components[known])} - used
        self.components = {name: self.components[name] for name in sorted(used)}


def _spoken(words: str) -> str:
    """Return a docstring as one line, without the document of Microsoft that it names."""
    return re.sub(r" \(docs: [^)]*\)", "", " ".join(words.split()))


def query_fields(query: type[BaseModel]) -> tuple[dict[str, Schema], list[str]]:
    """Return the schema of each query parameter, and the names of those that are required."""
    made = query.model_json_schema(schema_generator=_Generator)
    known = made.get("$defs", {})
    fields = {name: plain(field, known) for name, field in made.get("properties", {}).items()}
    return fields, made.get("required", [])


def _with_json_names(text: str, kind: type[BaseModel]) -> str:
    """Return a text with the JSON names of the fields of a model."""

    def name(found: re.Match[str]) -> str:
        return f"`{to_camel(found[1]) if found[1] in kind.model_fields else found[1]}`"

    return re.sub(r"`(\w+)`", name, text)


def _models(known: Iterable[Operation]) -> Iterator[tuple[type[BaseModel], Mode]]:
    yield Problem, "serialization"
    for operation in known:
        for taken in (operation.body, operation.patch):
            if taken is not None:
                yield taken, "validation"
        for answered in operation.responses.values():
            if answered is not None:
                yield answered, "serialization"


def _united(found: Mapping[str, Schema]) -> dict[str, Schema]:
    """Return the object schemas under their public names, input and output of a value as one."""
    united: dict[str, Schema] = {}
    for name, schema in found.items():
        if not is_object(schema):
            continue
        made = schema
        if name.endswith(_INPUT) and (given := found.get(_other(name))) is not None:
            made = _both(schema, given)
        elif name.endswith(_OUTPUT) and _as_input(name) in found:
            continue
        if public_name(name) in united:
            raise ValueError(f"there are two schemas named {public_name(name)}")
        united[public_name(name)] = _renamed(made)
    return united


def _both(taken: Schema, answered: Schema) -> Schema:
    """Return one schema for a value that is sent and returned.

    A response has all its fields; a request may omit those with a default.
    """
    fields = {
        name: {**field, **{k: v for k, v in taken["properties"][name].items() if k == "default"}}
        for name, field in answered["properties"].items()
    }
    both = {**deepcopy(answered), "properties": fields, "required": taken.get("required", [])}
    if not both["required"]:
        del both["required"]
    return both


def _renamed(schema: Schema) -> Schema:
    """Return a schema whose references have their public names."""
    made: Schema = _with_public_names(schema)
    return made


def _with_public_names(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_public_names(item) for item in value]
    if not isinstance(value, dict):
        return value
    made = {name: _with_public_names(item) for name, item in value.items()}
    if isinstance(reference := made.get("$ref"), str):
        made["$ref"] = f"{STEM}{public_name(reference.removeprefix(STEM))}"
    return made


def _names(value: object) -> Iterator[str]:
    for reference in re.findall(rf'"{STEM}([^"]+)"', json.dumps(value)):
        yield str(reference)


def _other(name: str) -> str:
    return f"{name.removesuffix(_INPUT)}{_OUTPUT}"


def _as_input(name: str) -> str:
    return f"{name.removesuffix(_OUTPUT)}{_INPUT}"
