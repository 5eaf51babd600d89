"""API Management publishes exactly the operations that the app serves."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator

from shared.web.openapi.document import document
from tests import app_functions
from tests.infra.gateway.openapi import FILE, PAGES, at, rendered

INLINE: int = 1_048_576
"""The most that Bicep's loadJsonContent reads, in characters (Azure/bicep, LanguageConstants)."""

type Json = dict[str, Any]


@pytest.fixture(scope="module")
def published() -> Json:
    return dict(json.loads(FILE.read_text("utf-8")))


def operations(given: Json) -> dict[str, tuple[str, str, Json]]:
    """Method, path and description of each operation by its id."""
    return {
        operation["operationId"]: (method, path, operation)
        for path, methods in given["paths"].items()
        for method, operation in methods.items()
    }


def followed(value: Any, components: Json) -> Any:
    """Resolve a reference to a parameter, response or header."""
    while isinstance(value, dict) and str(value.get("$ref", "")).count("/") == 3:
        _, _, kind, name = value["$ref"].split("/")
        if kind == "schemas":
            return value
        value = components[kind][name]
    return value


def parameters(operation: Json, components: Json) -> dict[tuple[str, str], bool]:
    """Whether each parameter is required, by its place and name."""
    found = [followed(parameter, components) for parameter in operation["parameters"]]
    return {(p["in"], p["name"]): p.get("required", False) for p in found}


def bodies(part: Json) -> dict[str, str]:
    """The name of the schema of each content type, or the type of a text."""
    schemas = {kind: content["schema"] for kind, content in part.get("content", {}).items()}
    return {kind: schema.get("$ref") or schema["type"] for kind, schema in schemas.items()}


def answers(operation: Json, components: Json) -> dict[str, tuple[Json, set[str]]]:
    """The contents and headers of each status."""
    found = {s: followed(r, components) for s, r in operation["responses"].items()}
    return {s: (bodies(r), set(r.get("headers", ()))) for s, r in found.items()}


def every_object(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from every_object(item)
    elif isinstance(value, list):
        for item in value:
            yield from every_object(item)


def test_openapi_file_is_up_to_date() -> None:
    assert FILE.read_text("utf-8") == rendered(), "run: make openapi"


def test_openapi_file_is_valid_openapi_3_0(published: Json) -> None:
    assert published["openapi"] == "3.0.3"
    assert [error.message for error in OpenAPIV30SpecValidator(published).iter_errors()] == []


def test_operations_match_the_apps_routes(published: Json) -> None:
    imported = [f"{m.upper()} api{path}" for m, path, _ in operations(published).values()]

    pages = [route for route in app_functions.FILES if route.path.removeprefix("api") in PAGES]
    assert len(pages) == len(PAGES)
    assert sorted(imported) == sorted(str(route) for route in (*app_functions.API, *pages))


def test_parameters_bodies_and_responses_match_the_apps_document(published: Json) -> None:
    own = document()
    components = own["components"]
    theirs, ours = operations(published), operations(own)
    for page in operations({"paths": PAGES}):
        del theirs[page]

    assert theirs.keys() == ours.keys()
    for name, (method, path, operation) in ours.items():
        assert theirs[name][:2] == (method, at(path, {method: operation}))
        imported = theirs[name][2]
        assert parameters(imported, {}) == parameters(operation, components), name
        assert bodies(imported.get("requestBody", {})) == bodies(operation.get("requestBody", {}))
        assert answers(imported, {}) == answers(operation, components), name


def test_schemas_have_the_same_fields_and_nullability_as_the_app(published: Json) -> None:
    ours = document()["components"]["schemas"]
    for name, schema in published["components"]["schemas"].items():
        fields = schema.get("properties", {})
        assert fields.keys() == ours[name].get("properties", {}).keys(), name
        assert schema.get("required") == ours[name].get("required"), name
        for field, its in fields.items():
            assert its.get("nullable", False) == _may_be_null(ours[name]["properties"][field])


def _may_be_null(schema: Json) -> bool:
    return "null" in schema.get("type", ()) or {"type": "null"} in schema.get("oneOf", ())


def test_openapi_file_contains_nothing_the_importer_rejects(published: Json) -> None:
    """Docs: api-management-api-import-restrictions; OpenAPI 3.0.3, Schema Object."""
    assert published["components"].keys() == {"schemas"}
    for part in every_object(published["paths"]):
        assert not isinstance(part.get("security"), list)
        assert not isinstance(part.get("servers"), list)
        assert part.get("in") in {None, "path", "query", "header"} or "schema" not in part
    for part in every_object(published):
        if isinstance(part.get("$ref"), str):
            assert part.keys() == {"$ref"}
            assert re.fullmatch(r"#/components/schemas/[\w.-]+", part["$ref"])
        assert part.get("type") != "null"
        assert not isinstance(part.get("type"), list)
        assert "const" not in part
        assert "type" in part or "nullable" not in part
        assert "propertyNames" not in part
        # Azure Resource Manager ignores the case of names.
        assert len({name.lower() for name in part}) == len(part), part.keys()


def test_no_schema_is_recursive(published: Json) -> None:
    schemas = published["components"]["schemas"]

    def below(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, (*above, name)
        for part in every_object(schemas[name]):
            if isinstance(part.get("$ref"), str):
                below(part["$ref"].rpartition("/")[2], (*above, name))

    for name in schemas:
        below(name, ())


def test_openapi_file_fits_the_limits_of_bicep_and_api_management(published: Json) -> None:
    """Docs: operation names have 76 characters at most, summaries 300, descriptions 1,000."""
    assert len(FILE.read_text("utf-8")) < INLINE
    for name, (_, _, operation) in operations(published).items():
        assert len(name) <= 76
        assert len(operation["summary"]) <= 300
        assert len(operation["description"]) <= 1000
