"""The API's description as API Management imports it: OpenAPI 3.0.3, written by `make openapi`.

The app serves 3.1, but the importer validates against the schema of 3.0 and supports neither
`security` nor references to parameters, responses and headers (docs:
api-management-api-import-restrictions; MicrosoftDocs/azure-docs#123982, #119506). So each operation
contains these itself, null becomes `nullable`, and a constant an `enum`.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any, Final

import function_app  # noqa: F401 - registers every operation
from shared.web.openapi.document import document
from shared.web.operations import API, UNVERSIONED
from tests.sources import ROOT

FILE: Final = ROOT / "infra" / "openapi.json"
SERVED: Final = ROOT / "build" / "openapi.json"
"""The document as the app serves it, for generators of clients; not committed."""
PAGES: Final[dict[str, Any]] = {
    "/docs": {
        "get": {
            "operationId": "show_api_docs",
            "tags": ["service"],
            "summary": "Read the API's reference in a browser.",
            "description": "Requires no token.",
            "parameters": [],
            "responses": {
                "200": {
                    "description": "The page.",
                    "content": {"text/html": {"schema": {"type": "string"}}},
                },
                "429": {"description": "Too many calls of your network."},
                "500": {"description": "An internal error occurred and was logged."},
            },
        }
    }
}
"""Pages of the portal below the gateway's `/api`, which the app's own document leaves out."""
_NULL: Final = {"type": "null"}
_INLINED: Final = frozenset({"parameters", "responses", "headers"})
_UNKNOWN: Final = frozenset({"propertyNames"})
"""Keywords that a schema of 3.0 does not have."""

type Json = dict[str, Any]


def rendered() -> str:
    """Return the file's content; the same API gives the same content."""
    return json.dumps(_of_30(deepcopy(document())), sort_keys=True, indent=1) + "\n"


def _of_30(given: Json) -> Json:
    components = given["components"]
    info = dict(given["info"])
    summary = info.pop("summary")
    paths = {
        at(path, methods): {
            method: _operation(operation, components) for method, operation in methods.items()
        }
        for path, methods in given["paths"].items()
    }
    paths |= PAGES
    schemas = {name: _schema(schema) for name, schema in components["schemas"].items()}
    return {
        "openapi": "3.0.3",
        "info": {**info, "description": summary},
        "tags": given["tags"],
        "paths": paths,
        "components": {"schemas": _used(paths, schemas)},
    }


def at(path: str, methods: Json) -> str:
    """The path below the gateway's `/api`, with the API's version, if it has one."""
    versioned = not any("servers" in operation for operation in methods.values())
    return f"/{API.removeprefix(UNVERSIONED).rstrip('/')}{path}" if versioned else path


def _operation(operation: Json, components: Json) -> Json:
    """An operation with everything it refers to except schemas; its description names its roles."""
    plain: Json = _inlined(operation, components)
    plain.pop("security")
    plain.pop("servers", None)
    for part in _with_schemas(plain):
        part["schema"] = _schema(part["schema"])
    return plain


def _inlined(value: Any, components: Json) -> Any:
    """A value with the parameters, responses and headers that it refers to inlined."""
    if isinstance(value, list):
        return [_inlined(item, components) for item in value]
    if not isinstance(value, dict):
        return value
    if isinstance(reference := value.get("$ref"), str):
        _, _, kind, name = reference.split("/")
        if kind in _INLINED:
            return _inlined(components[kind][name], components)
    return {name: _inlined(item, components) for name, item in value.items()}


def _with_schemas(value: Any) -> Iterator[Json]:
    """Every part of an operation that has a schema: parameters, headers and contents."""
    if isinstance(value, dict):
        if "schema" in value:
            yield value
            return
        for item in value.values():
            yield from _with_schemas(item)
    elif isinstance(value, list):
        for item in value:
            yield from _with_schemas(item)


def _schema(given: Json) -> Json:
    """A schema as 3.0 writes it."""
    plain = {name: value for name, value in given.items() if name not in _UNKNOWN}
    if "default" in plain:
        plain["default"] = _given(plain["default"])
        if plain["default"] is None:
            del plain["default"]
    if "const" in plain:
        plain["enum"] = [plain.pop("const")]
    if "examples" in plain:
        (plain["example"], *_) = plain.pop("examples")
    if isinstance(kinds := plain.get("type"), list):
        (plain["type"],) = (kind for kind in kinds if kind != "null")
        plain["nullable"] = True
    if "oneOf" in plain:
        # An object or null: what is nullable has to have a type (OpenAPI 3.0.3, Schema Object).
        (kind,) = (_schema(kind) for kind in plain.pop("oneOf") if kind != _NULL)
        plain |= {"type": "object", "nullable": True, "allOf": [kind]}
    if "$ref" in plain and len(plain) > 1:
        plain["allOf"] = [{"$ref": plain.pop("$ref")}]
    for name in ("items", "additionalProperties"):
        if isinstance(plain.get(name), dict):
            plain[name] = _schema(plain[name])
    if "properties" in plain:
        plain["properties"] = {n: _schema(field) for n, field in plain["properties"].items()}
    return plain


def _given(default: Any) -> Any:
    """A default without its nulls, which mean that nothing is set."""
    if not isinstance(default, dict):
        return default
    return {name: _given(value) for name, value in default.items() if value is not None}


def _used(paths: Mapping[str, Any], schemas: Mapping[str, Json]) -> Json:
    """The schemas that operations refer to, and those that these refer to."""
    used: set[str] = set()
    found = set(_references(paths))
    while found:
        used |= found
        found = {name for known in found for name in _references(schemas[known])} - used
    return {name: schemas[name] for name in sorted(used)}


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].rpartition("/")[2]
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)


def write_served() -> None:
    """Write the document as the app serves it."""
    SERVED.parent.mkdir(exist_ok=True)
    SERVED.write_text(json.dumps(document(), indent=1), "utf-8")


if __name__ == "__main__":
    write_served()
    FILE.write_text(rendered(), "utf-8")
    sys.stdout.write(f"{FILE.name}: {FILE.stat().st_size} bytes\n")
