"""The OpenAPI 3.1 document, generated from the declared operations.

Its schemas are those of the models that validate requests and serialize responses.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from http import HTTPStatus
from inspect import cleandoc
from typing import Any, Final, Literal

from pydantic import BaseModel, RootModel
from pydantic.alias_generators import to_camel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from shared.web.calls import JSON, MAX_KEY, MERGE_PATCH
from shared.web.merge_patches import patch_of
from shared.web.operations import Operation, operations
from shared.web.problems import Problem
from shared.web.validation import ID_PATTERN
from shared.web.version import VERSION
from shared.web.views import Tagged

type Schema = dict[str, Any]
type Mode = Literal["validation", "serialization"]

_DESCRIPTION: Final = """\
Copies people and groups from Microsoft Entra ID into users' Exchange Online mailboxes. A share is a
published set of people and groups. An import brings one share into target mailboxes and runs daily.
Every call acts on the tenant of the access token; objects of other tenants return 404.

Lists return `items` and `next`: send `next` back to get the next page. Every object has an
`etag`: send it as If-Match to change only the version that you have read. PATCH takes a JSON merge
patch (RFC 7396). Times are UTC. Errors are problem+json (RFC 9457).
"""
_TAGS: Final = {
    "tenant": "Your own tenant: its settings, its consent, its stored data, and leaving.",
    "checks": "Check what Microsoft lets the app do in your tenant.",
    "shares": "Publish people and groups.",
    "previews": "Preview a share or an import before anything changes.",
    "imports": "Bring a share's contacts into mailboxes.",
    "adoptions": "Adopt the contacts that another tool left in a mailbox.",
    "runs": "See what runs did, and approve, discard or retry them.",
    "licenses": "Licenses, trial and plan.",
    "publications": "See what a share of a partner offers.",
    "people": "Find or remove one person's contact, for data-protection requests.",
    "ledger": "The audit log: who changed what, when and from where.",
    "operator": "Manage a tenant's licenses and plan, for the service's own staff.",
    "service": "Check whether the app is running, and get this document.",
}
_SCHEME: Final = "entra"
_SECURITY: Final = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "An Entra ID access token with an app role that the operation requires.",
}
_SCHEMAS: Final = "#/components/schemas/"
_UNSET: Final = ("default", None)
_PROBLEMS: Final = {
    400: "The query or the body is invalid; `errors` lists each invalid field.",
    401: "The access token is missing or not valid for this API.",
    403: (
        "The app role, the plan or the tenant's consent is missing, "
        "or the call did not come through the gateway."
    ),
    404: "The caller's tenant has no object with this id.",
    409: "The current state does not allow the call, or an admin has to act first (`reason`).",
    412: "The object has changed since it was read: its ETag differs from If-Match.",
    429: "Too many calls, or too many wrong share ids. Wait Retry-After seconds.",
    413: "The body, or the object that it would create, is too large.",
    500: "An internal error occurred and was logged.",
    503: "Temporarily unavailable. Try again after Retry-After seconds.",
}
_HEADERS: Final = {
    "ETag": {
        "description": "The version of the object, to send as If-Match.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "The number of seconds to wait.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {
        "description": "The authentication scheme.",
        "required": True,
        "schema": {"type": "string", "const": "Bearer"},
    },
    "X-Correlation-Id": {
        "description": "The id of this call in our logs. Quote it when you contact support.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    },
    "Location": {
        "description": "Where the result is.",
        "schema": {"type": "string", "pattern": "^/api/"},
    },
}
_PROBLEM_HEADERS: Final = {
    401: ("WWW-Authenticate",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
_PARAMETERS: Final = {
    "Id": {
        "name": "id",
        "in": "path",
        "description": "The object's id.",
        "required": True,
        "schema": {"type": "string", "pattern": f"^{ID_PATTERN}$"},
    },
    "Tenant": {
        "name": "tenant",
        "in": "path",
        "description": "A tenant's id.",
        "required": True,
        "schema": {"type": "string", "pattern": f"^{ID_PATTERN}$"},
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "description": "Change only the version with this ETag. Without it, change any version.",
        "schema": {"type": "string"},
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "A key of your choice. Repeating it does not create the object twice.",
        "schema": {"type": "string", "maxLength": MAX_KEY},
    },
}


class Document(RootModel[dict[str, Any]]):
    """An OpenAPI document."""


@cache
def document() -> dict[str, Any]:
    """Return the document of all registered operations; built once, at first use."""
    areas = list(_TAGS)
    known = sorted(operations(), key=lambda operation: areas.index(operation.tag))
    schemas = _Schemas(known)
    paths: dict[str, Schema] = {}
    for operation in known:
        path = paths.setdefault(operation.path.removeprefix("api"), {})
        path[operation.method.lower()] = _described(operation, schemas)
    responses = {_name(status): _problem(status, schemas) for status in _PROBLEMS}
    schemas.drop_unused([paths, responses])
    return {
        "openapi": "3.1.0",
        "info": {"title": "Contact Sync", "version": VERSION, "description": _DESCRIPTION},
        "servers": [{"url": "/api"}],
        "tags": [{"name": name, "description": words} for name, words in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "parameters": _PARAMETERS,
            "headers": _HEADERS,
            "responses": responses,
            "securitySchemes": {_SCHEME: _SECURITY},
        },
    }


class _Generator(GenerateJsonSchema):
    """Generates pydantic's schemas as API clients need them.

    A response always has all its fields, without defaults, and may have more in future. Fields
    have no title beside their name; descriptions use the JSON names of fields.
    """

    def field_is_required(self, field: Any, total: bool) -> bool:  # noqa: FBT001 - pydantic's
        if self.mode == "serialization":
            return field.get("serialization_exclude_if") is None
        return super().field_is_required(field, total)

    def normalize_name(self, name: str) -> str:
        # ItemPage[ShareView] is a ShareViewPage.
        return super().normalize_name(re.sub(r"^(\w+)\[(\w+)\]$", r"\2\1", name))

    def field_title_should_be_set(self, schema: Any) -> bool:
        del schema
        return False

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if self.mode == "serialization":
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        if self.mode == "serialization" and made.get("additionalProperties") is False:
            del made["additionalProperties"]
        if "description" in made:
            made["description"] = re.sub(r"`(\w+)`", _json_name, made["description"])
        return made


def _json_name(found: re.Match[str]) -> str:
    return f"`{to_camel(found[1])}`"


class _Schemas:
    """The schemas of all models; `components` are those that the document references by name."""

    def __init__(self, known: Iterable[Operation]) -> None:
        self._references, made = models_json_schema(
            list(dict.fromkeys(_models(known))),
            ref_template=f"{_SCHEMAS}{{model}}",
            schema_generator=_Generator,
        )
        self.components: dict[str, Schema] = made["$defs"]

    def input(self, model: type[BaseModel]) -> Schema:
        """Return the schema of a request body."""
        return self._references[model, "validation"]

    def output(self, model: type[BaseModel]) -> Schema:
        """Return the schema of a response body."""
        return self._references[model, "serialization"]

    def drop_unused(self, document: object) -> None:
        """Drop the models that nothing names, because only a patch is derived from them."""
        text = json.dumps([document, self.components])
        self.components = {
            name: made for name, made in self.components.items() if f'"{_SCHEMAS}{name}"' in text
        }

    def patch(self, model: type[BaseModel]) -> Schema:
        """Return the schema of a merge patch for a model."""
        return patch_of(self.input(model), self.components)


def _models(known: Iterable[Operation]) -> Iterator[tuple[type[BaseModel], Mode]]:
    yield Problem, "serialization"
    for operation in known:
        for taken in (operation.body, operation.patch):
            if taken is not None:
                yield taken, "validation"
        for answered in operation.responses.values():
            if answered is not None:
                yield answered, "serialization"


def _described(operation: Operation, schemas: _Schemas) -> Schema:
    summary, _, more = operation.doc.partition("\n")
    roles = " or ".join(operation.roles)
    words = (cleandoc(more), f"Requires the app role {roles}." if roles else "Requires no token.")
    described: Schema = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": summary.strip(),
        "description": "\n\n".join(word for word in words if word),
        "security": [{_SCHEME: [role]} for role in operation.roles],
        "parameters": list(_parameters(operation)),
        "responses": {
            str(status): answer for status, answer in sorted(_answers(operation, schemas).items())
        },
    }
    if operation.body is not None:
        described["requestBody"] = _body(
            {JSON: schemas.input(operation.body)}, required=not operation.may_be_empty
        )
    if operation.patch is not None:
        patch = schemas.patch(operation.patch)
        described["requestBody"] = _body({MERGE_PATCH: patch, JSON: patch})
    return described


def _parameters(operation: Operation) -> Iterator[Schema]:
    if "{id}" in operation.path:
        yield {"$ref": "#/components/parameters/Id"}
    if "{tenant}" in operation.path:
        yield {"$ref": "#/components/parameters/Tenant"}
    if operation.conditional:
        yield {"$ref": "#/components/parameters/IfMatch"}
    if operation.idempotent:
        yield {"$ref": "#/components/parameters/IdempotencyKey"}
    made = operation.query.model_json_schema(schema_generator=_Generator)
    for name, field in made.get("properties", {}).items():
        schema = _given(field, made.get("$defs", {}))
        parameter = {"name": name, "in": "query", "required": name in made.get("required", ())}
        if description := schema.pop("description", ""):
            parameter["description"] = description
        yield {**parameter, "schema": schema}


def _given(field: Schema, defs: Mapping[str, Schema]) -> Schema:
    """Return the schema of a query parameter without null, which stands for an absent one."""
    kinds = [kind for kind in field.get("anyOf", ()) if kind != {"type": "null"}]
    plain = {name: v for name, v in field.items() if name != "anyOf" and (name, v) != _UNSET}
    for kind in kinds or [plain]:
        if "$ref" in kind:
            plain |= defs[kind["$ref"].rpartition("/")[2]]
            plain.pop("$ref", None)
        else:
            plain |= kind
    return plain


def _body(content: Mapping[str, Schema], *, required: bool = True) -> Schema:
    kinds = {kind: {"schema": schema} for kind, schema in content.items()}
    return {"required": required, "content": kinds}


def _answers(operation: Operation, schemas: _Schemas) -> dict[int, Schema]:
    responses: dict[int, Schema] = {}
    for status, model in operation.responses.items():
        responses[status] = {
            "description": HTTPStatus(status).phrase,
            "headers": _headers("X-Correlation-Id"),
        }
        if model is not None:
            responses[status]["content"] = {JSON: {"schema": schemas.output(model)}}
            if issubclass(model, Tagged):
                responses[status]["headers"] |= _headers("ETag")
            if operation.location:
                responses[status]["headers"] |= _headers("Location")
    for status in operation.problems:
        responses[status] = {"$ref": f"#/components/responses/{_name(status)}"}
    return responses


def _problem(status: int, schemas: _Schemas) -> Schema:
    return {
        "description": _PROBLEMS[status],
        "headers": _headers("X-Correlation-Id", *_PROBLEM_HEADERS.get(status, ())),
        "content": {"application/problem+json": {"schema": schemas.output(Problem)}},
    }


def _headers(*names: str) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _name(status: int) -> str:
    return HTTPStatus(status).name.title().replace("_", "")
