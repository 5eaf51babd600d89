"""The OpenAPI 3.1 document, generated from the declared operations.

Its schemas are those of the models that validate requests and serialize responses.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from http import HTTPStatus
from inspect import cleandoc
from typing import Any, Final

from pydantic import RootModel

from shared.web.calls import MAX_KEY, MERGE_PATCH
from shared.web.list_formats import CSV, NDJSON, list_of
from shared.web.openapi.deployment import UNDEPLOYED, Deployment
from shared.web.openapi.examples import add_examples, example_of_parameter
from shared.web.openapi.schemas import Schemas, query_fields
from shared.web.openapi.texts import SUMMARY, description
from shared.web.operations import API, UNVERSIONED, Operation, operations
from shared.web.problems import Problem
from shared.web.repeats import JSON
from shared.web.validation import ID_PATTERN
from shared.web.version import VERSION
from shared.web.views import Tagged

type Schema = dict[str, Any]

_TAGS: Final = {
    "tenant": "Your own tenant: its settings, its consent, its stored data, and leaving.",
    "checks": "Check what Microsoft lets the app do in your tenant.",
    "notices": "Get notified by a webhook, or in Teams, of what needs an admin.",
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
_PROBLEMS: Final = {
    400: "The query or the body is invalid; `errors` lists each invalid field.",
    401: "The access token is missing or not valid for this API.",
    403: (
        "The app role, the plan or the tenant's consent is missing, "
        "or the call did not come through the gateway."
    ),
    404: "The caller's tenant has no object with this id.",
    406: "The call offers none of the formats that `Accept` names.",
    409: (
        "The current state does not allow the call, an admin has to act first (`reason`), or the "
        "first call with this Idempotency-Key is under way (`Retry-After`)."
    ),
    412: "The object has changed since it was read: its ETag differs from If-Match.",
    429: (
        "Too many calls, or too many wrong share ids. Wait Retry-After seconds, but read `type` "
        "first: a weekly quota (`quota-exceeded`) may take days."
    ),
    415: "The body has a content type that the call does not take.",
    422: "The Idempotency-Key was sent before with another request.",
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
        "schema": {"type": "integer", "format": "int64", "minimum": 1},
    },
    "RetryAfterIfUnderWay": {
        "description": "The number of seconds to wait, if the first call is under way.",
        "schema": {"type": "integer", "format": "int64", "minimum": 1},
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
    "RateLimit": {
        "description": "The calls that you have left in this minute (`r`), and the seconds until "
        "there are more (`t`).",
        "schema": {"type": "string", "examples": ['"minute";r=299;t=60']},
    },
    "RateLimit-Policy": {
        "description": "The calls that you may make (`q`) in a number of seconds (`w`).",
        "schema": {"type": "string", "examples": ['"minute";q=300;w=60']},
    },
    "Link": {
        "description": 'The address of the next page, with `rel="next"`. Absent on the last page.',
        "schema": {"type": "string", "examples": ['<https://example.com/api/v1/x>; rel="next"']},
    },
    "Location": {
        "description": "The path of what was created, or of what shows the progress.",
        "required": True,
        "schema": {"type": "string", "pattern": "^/api/"},
    },
}
_MEANINGS: Final = {
    200: "Done, or the object that was asked for.",
    201: "Created. `Location` is the object's address.",
    202: "Begun. `Location` shows the progress; look again after `Retry-After` seconds.",
    204: "Done. There is nothing to return.",
    304: "The object is still the version that `If-None-Match` names.",
}
_FILES: Final = {
    CSV: {"type": "string", "description": "The names of the columns, and one line for each item."},
    NDJSON: {"type": "string", "description": "One line with a JSON object for each item."},
}
_RESPONSE_HEADERS: Final = {201: ("Location",), 202: ("Location", "Retry-After")}
_PROBLEM_HEADERS: Final = {
    401: ("WWW-Authenticate",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}
_PARAMETERS: Final = {
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "The ETag that you have. If it is still the object's, the answer is 304.",
        "schema": {"type": "string"},
    },
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
        "description": (
            "A key of your choice. Repeat a call with the same key and body within 24 hours: it is "
            "answered as before and not done again."
        ),
        "schema": {"type": "string", "maxLength": MAX_KEY},
    },
}


class Document(RootModel[dict[str, Any]]):
    """An OpenAPI document."""


@cache
def document(deployment: Deployment = UNDEPLOYED) -> dict[str, Any]:
    """Return the document of all registered operations, for a deployment; built at first use."""
    areas = list(_TAGS)
    known = sorted(operations(), key=lambda operation: areas.index(operation.tag))
    schemas = Schemas(known)
    paths: dict[str, Schema] = {}
    for operation in known:
        path = paths.setdefault(f"/{operation.path.removeprefix(_root(operation))}", {})
        path[operation.method.lower()] = _described(operation, schemas, deployment)
    responses = {_name(status): _problem(status, schemas) for status in _PROBLEMS}
    schemas.drop_unused([paths, responses])
    add_examples(schemas.components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Contact Sync",
            "version": VERSION,
            "summary": " ".join(SUMMARY.split()),
            "description": description(deployment),
        },
        "servers": [_server(deployment, API)],
        "tags": [{"name": name, "description": words} for name, words in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "parameters": _PARAMETERS,
            "headers": _HEADERS,
            "responses": responses,
            "securitySchemes": {_SCHEME: _security(deployment)},
        },
    }


def _server(deployment: Deployment, root: str) -> Schema:
    return {"url": f"{deployment.origin}/{root}".rstrip("/"), "x-internal": False}


def _security(deployment: Deployment) -> Schema:
    token = f"{deployment.entra}/token"
    scopes = {deployment.scope: "Everything that the app roles of the caller allow."}
    return {
        "type": "oauth2",
        "description": (
            "An access token of Entra ID, sent as `Authorization: Bearer`, with an app role that "
            "the operation requires. Programs use client credentials: replace `organizations` in "
            "the token address by the id of your tenant. A token is a JWT, which is checked as "
            "RFC8725 says."
        ),
        "flows": {
            "clientCredentials": {"tokenUrl": token, "scopes": scopes},
            "authorizationCode": {
                "authorizationUrl": f"{deployment.entra}/authorize",
                "tokenUrl": token,
                "refreshUrl": token,
                "scopes": scopes,
            },
        },
    }


def _root(operation: Operation) -> str:
    """Return the part of the path that belongs to the server: with the version, if it has one."""
    return API if operation.path.startswith(API) else UNVERSIONED


def _described(operation: Operation, schemas: Schemas, deployment: Deployment) -> Schema:
    summary, _, more = operation.doc.partition("\n")
    roles = " or ".join(operation.roles)
    words = (cleandoc(more), f"Requires the app role {roles}." if roles else "Requires no token.")
    described: Schema = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": summary.strip(),
        "description": "\n\n".join(word for word in words if word),
        "security": [{_SCHEME: [deployment.scope]}] if operation.roles else [],
        "x-app-roles": list(operation.roles),
        "parameters": list(_parameters(operation)),
        "responses": {
            str(status): answer for status, answer in sorted(_answers(operation, schemas).items())
        },
    }
    if not operation.path.startswith(API):
        described["servers"] = [_server(deployment, UNVERSIONED)]
    if operation.body is not None:
        described["requestBody"] = _body(
            dict.fromkeys(_taken(operation), schemas.input(operation.body)),
            required=not operation.may_be_empty,
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
    if operation.method == "GET" and _is_tagged(operation):
        yield {"$ref": "#/components/parameters/IfNoneMatch"}
    if operation.idempotent:
        yield {"$ref": "#/components/parameters/IdempotencyKey"}
    fields, required = query_fields(operation.query)
    for name, field in fields.items():
        schema = _given(field)
        parameter = {"name": name, "in": "query", "required": name in required}
        if words := schema.pop("description", ""):
            parameter["description"] = words
        schema["examples"] = [example_of_parameter(name, schema)]
        yield {**parameter, "schema": schema}


def _is_tagged(operation: Operation) -> bool:
    return any(model and issubclass(model, Tagged) for model in operation.responses.values())


def _given(schema: Schema) -> Schema:
    """Return the schema of a query parameter without null, which stands for an absent one."""
    made = {name: v for name, v in schema.items() if (name, v) != ("default", None)}
    if isinstance(kinds := made.get("type"), list):
        (made["type"],) = (kind for kind in kinds if kind != "null")
    if None in made.get("enum", ()):
        made["enum"] = [value for value in made["enum"] if value is not None]
    return made


def _taken(operation: Operation) -> tuple[str, ...]:
    return (MERGE_PATCH, JSON) if operation.method == "PATCH" else (JSON,)


def _body(content: Mapping[str, Schema], *, required: bool = True) -> Schema:
    kinds = {kind: {"schema": schema} for kind, schema in content.items()}
    return {"required": required, "content": kinds}


def _answers(operation: Operation, schemas: Schemas) -> dict[int, Schema]:
    responses: dict[int, Schema] = {}
    for status, model in operation.responses.items():
        responses[status] = {
            "description": _MEANINGS.get(status, HTTPStatus(status).phrase),
            "headers": _headers("X-Correlation-Id", *_RESPONSE_HEADERS.get(status, ())),
        }
        if model is not None:
            responses[status]["content"] = {JSON: {"schema": schemas.output(model)}}
            if status == HTTPStatus.OK and list_of(operation):
                files = {kind: {"schema": _FILES[kind]} for kind in (CSV, NDJSON)}
                responses[status]["content"] |= files
                responses[status]["headers"] |= _headers("Link")
            if issubclass(model, Tagged):
                responses[status]["headers"] |= _headers("ETag")
                if operation.method == "GET":
                    responses[304] = {
                        "description": _MEANINGS[304],
                        "headers": _headers("X-Correlation-Id", "ETag"),
                    }
    if operation.roles:
        for response in responses.values():
            response["headers"] |= _headers("RateLimit", "RateLimit-Policy")
    for status in operation.problems:
        responses[status] = {"$ref": f"#/components/responses/{_name(status)}"}
    return responses


def _problem(status: int, schemas: Schemas) -> Schema:
    return {
        "description": _PROBLEMS[status],
        "headers": _problem_headers(status),
        "content": {"application/problem+json": {"schema": schemas.output(Problem)}},
    }


def _problem_headers(status: int) -> Schema:
    headers = _headers("X-Correlation-Id", *_PROBLEM_HEADERS.get(status, ()))
    if status == HTTPStatus.CONFLICT:
        headers["Retry-After"] = {"$ref": "#/components/headers/RetryAfterIfUnderWay"}
    return headers


def _headers(*names: str) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _name(status: int) -> str:
    return HTTPStatus(status).name.title().replace("_", "")
