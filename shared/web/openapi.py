"""The API's own description (OpenAPI 3.1), made from what the operations declare.

Its schemas are those of the models that validate what comes in and dump what goes out.
"""

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
Copies people and groups of Microsoft Entra ID into users' Exchange Online mailboxes. A share is a
published set of people and groups; an import names one share and the mailboxes that shall hold its
contacts, and runs daily. The tenant is that of the access token; what belongs to another one is
not found.

Lists answer `items` and `next`: give `next` back for the next page. Objects carry `etag`: send it
as If-Match to change only what you have read. PATCH takes a JSON merge patch (RFC 7396). Times are
UTC. Errors are problem+json (RFC 9457).
"""
_TAGS: Final = {
    "tenant": "One's own tenant: its consent, what is held of it, and leaving.",
    "shares": "Publishing people and groups.",
    "previews": "Looking before anything is done.",
    "imports": "Bringing a share's contacts into mailboxes.",
    "adoptions": "Taking over the contacts that another tool left.",
    "runs": "What runs did, and deciding about what they held.",
    "licenses": "Seats, trial and plan.",
    "publications": "A share as those see it who may import it.",
    "people": "One person's contact, for data-protection requests.",
    "ledger": "Who changed what, when and from where.",
    "operator": "What the service's own people do for a tenant.",
    "health": "Whether the app is alive, and can work.",
    "openapi": "This description.",
}
_SCHEME: Final = "entra"
_SECURITY: Final = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "An Entra ID access token for this API, with an app role that the call names.",
}
_SCHEMAS: Final = "#/components/schemas/"
_UNSET: Final = ("default", None)
_PROBLEMS: Final = {
    400: "The query or the body is not valid; `errors` names each bad field.",
    401: "There is no access token, or one that is not valid for this API.",
    403: (
        "The caller may not do this: the app role, the plan or the tenant's consent is missing; "
        "or the call did not come by the published address."
    ),
    404: "The caller's tenant has nothing of this id.",
    409: "The state of things does not allow it, or (`reason`) an admin has to act first.",
    412: "It was changed since it was read: its ETag is another one than If-Match names.",
    429: "Too many calls, or too many share ids that are none: wait Retry-After seconds.",
    413: "The body, or what it would make, is too large.",
    500: "Something went wrong on our side; it was recorded.",
    503: "Not available for the moment: try again after Retry-After seconds.",
}
_HEADERS: Final = {
    "ETag": {
        "description": "The version of the object, for If-Match.",
        "required": True,
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "How many seconds to wait.",
        "required": True,
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {
        "description": "How to sign in.",
        "required": True,
        "schema": {"type": "string", "const": "Bearer"},
    },
    "X-Correlation-Id": {
        "description": "Stands for this call in our logs; give it to the support.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
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
        "description": "Change only the version of this ETag; without it, whatever is there.",
        "schema": {"type": "string"},
    },
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Any text of your own: the same again creates nothing twice.",
        "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY},
    },
}


class Document(RootModel[dict[str, Any]]):
    """An OpenAPI document."""


@cache
def document() -> dict[str, Any]:
    """The document of all operations that are registered; made once, at first use."""
    areas = list(_TAGS)
    known = sorted(operations(), key=lambda operation: areas.index(operation.tag))
    schemas = _Schemas(known)
    paths: dict[str, Schema] = {}
    for operation in known:
        path = paths.setdefault(operation.path.removeprefix("api"), {})
        path[operation.method.lower()] = _described(operation, schemas)
    responses = {_name(status): _problem(status, schemas) for status in _PROBLEMS}
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
    """Pydantic's schemas as a client of the API needs them.

    An answer always has all its fields, without defaults, and may have more in future. A field's
    name is title enough; docstrings speak of fields by their JSON names.
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
    """The schemas of all models; `components` are those that the document refers to by name."""

    def __init__(self, known: Iterable[Operation]) -> None:
        self._references, made = models_json_schema(
            list(dict.fromkeys(_models(known))),
            ref_template=f"{_SCHEMAS}{{model}}",
            schema_generator=_Generator,
        )
        self.components: dict[str, Schema] = made["$defs"]

    def input(self, model: type[BaseModel]) -> Schema:
        """What a body has to be."""
        return self._references[model, "validation"]

    def output(self, model: type[BaseModel]) -> Schema:
        """What an answer is."""
        return self._references[model, "serialization"]

    def patch(self, model: type[BaseModel]) -> Schema:
        """What a merge patch of a model has to be."""
        return patch_of(self.input(model), self.components)


def _models(known: Iterable[Operation]) -> Iterator[tuple[type[BaseModel], Mode]]:
    yield Problem, "serialization"
    for operation in known:
        for taken in (operation.body, operation.patch):
            if taken is not None:
                yield taken, "validation"
        for answered in operation.answers.values():
            if answered is not None:
                yield answered, "serialization"


def _described(operation: Operation, schemas: _Schemas) -> Schema:
    summary, _, more = operation.doc.partition("\n")
    roles = " or ".join(operation.roles)
    words = (cleandoc(more), f"Needs the app role {roles}." if roles else "Needs no token.")
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
        described["requestBody"] = _body({JSON: schemas.input(operation.body)})
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
    """The schema of a query parameter that is given: null stands for one that is not."""
    kinds = [kind for kind in field.get("anyOf", ()) if kind != {"type": "null"}]
    plain = {name: v for name, v in field.items() if name != "anyOf" and (name, v) != _UNSET}
    for kind in kinds or [plain]:
        if "$ref" in kind:
            plain |= defs[kind["$ref"].rpartition("/")[2]]
            plain.pop("$ref", None)
        else:
            plain |= kind
    return plain


def _body(content: Mapping[str, Schema]) -> Schema:
    kinds = {kind: {"schema": schema} for kind, schema in content.items()}
    return {"required": True, "content": kinds}


def _answers(operation: Operation, schemas: _Schemas) -> dict[int, Schema]:
    answers: dict[int, Schema] = {}
    for status, model in operation.answers.items():
        answers[status] = {
            "description": HTTPStatus(status).phrase,
            "headers": _headers("X-Correlation-Id"),
        }
        if model is not None:
            answers[status]["content"] = {JSON: {"schema": schemas.output(model)}}
            if issubclass(model, Tagged):
                answers[status]["headers"] |= _headers("ETag")
    for status in operation.problems:
        answers[status] = {"$ref": f"#/components/responses/{_name(status)}"}
    return answers


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
