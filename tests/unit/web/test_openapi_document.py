"""The document describes everything, and each of its examples is valid."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

import function_app  # noqa: F401 - registers every operation
from shared.domain.importing.imports import AdoptionInput, ImportInput
from shared.domain.reasons import Reason
from shared.domain.sharing.shares import RotationInput, ShareInput
from shared.web.openapi.document import document
from shared.web.openapi.field_docs import value_docs
from shared.web.openapi.texts import OF_PORTAL, PARTNER_CALLS, PROBLEM_TYPES
from shared.web.texts.titles import TITLES
from shared.web.validation import validated
from tests.sources import ROOT

type Json = dict[str, Any]

SPOKEN = {"tables", "queues", "key_vault", "token_keys"}
"""Values that their field explains in other words."""
SCHEMAS: Json = document()["components"]["schemas"]


def objects(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from objects(item)
    elif isinstance(value, list):
        for item in value:
            yield from objects(item)


def fields(at: str, schema: Json) -> Iterator[tuple[str, Json]]:
    for name, field in schema.get("properties", {}).items():
        yield f"{at}.{name}", field
        yield from fields(f"{at}.{name}", field)


def test_every_schema_and_every_property_is_described() -> None:
    for name, schema in SCHEMAS.items():
        assert schema.get("description"), name
    found = [pair for name, schema in SCHEMAS.items() for pair in fields(name, schema)]
    described = [field.get("description", "") for _, field in found]

    assert len(found) > 450
    assert [at for (at, _), words in zip(found, described, strict=True) if len(words) < 10] == []
    assert not [words for words in described if re.search(r"[a-z]_[a-z]+\b(?!.*`)", words)]


def test_every_operation_parameter_header_and_response_is_described() -> None:
    api = document()
    for kind in ("parameters", "headers", "responses"):
        for name, part in api["components"][kind].items():
            assert part["description"], name
    for path, methods in api["paths"].items():
        for operation in methods.values():
            assert operation["summary"], path
            assert operation["description"], path
            for parameter in operation["parameters"]:
                assert parameter.keys() == {"$ref"} or parameter["description"], path
            for status, response in operation["responses"].items():
                assert response.keys() == {"$ref"} or response["description"], (path, status)


def test_every_value_that_a_schema_lists_is_explained() -> None:
    text = document()["info"]["description"]
    for at, field in [pair for name, s in SCHEMAS.items() for pair in fields(name, s)]:
        for value in field.get("x-extensible-enum", ()):
            explained = f"`{value}`" in field["description"] or f"| `{value}` |" in text
            assert explained or value in SPOKEN, (at, value)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_each_schema_has_an_example_that_validates(name: str) -> None:
    schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": SCHEMAS}}
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)

    (example,) = SCHEMAS[name]["examples"]
    assert [error.message for error in validator.iter_errors(example)] == []
    for at, field in fields(name, SCHEMAS[name]):
        for given in field.get("examples", ()):
            assert Draft202012Validator(field).is_valid(given), at


@pytest.mark.parametrize("model", [ShareInput, ImportInput, AdoptionInput, RotationInput])
def test_examples_of_bodies_are_accepted(model: type[BaseModel]) -> None:
    (example,) = SCHEMAS[model.__name__]["examples"]

    validated(model, example)


def test_each_post_takes_an_idempotency_key_unless_it_changes_nothing() -> None:
    posts = [path["post"] for path in document()["paths"].values() if "post" in path]
    key = {"$ref": "#/components/parameters/IdempotencyKey"}

    without = {post["operationId"] for post in posts if key not in post["parameters"]}

    assert without == {"estimate_import", "preview_import", "preview_booking"}


def test_all_problem_types_are_described_with_their_status() -> None:
    text = document()["info"]["description"]

    assert PROBLEM_TYPES.keys() == TITLES.keys() - OF_PORTAL
    for kind, (status, _) in PROBLEM_TYPES.items():
        assert f"| `urn:contact-sync:problem:{kind}` | {status} |" in text


def test_weekly_calls_are_those_that_the_gateway_counts() -> None:
    template = (ROOT / "infra" / "modules" / "gateway.bicep").read_text("utf-8")

    assert f"param partnerCallsPerWeek int = {PARTNER_CALLS}" in template


def test_description_of_every_reason_says_what_to_do() -> None:
    text = document()["info"]["description"]

    assert [reason for reason in Reason if f"| `{reason}` |" not in text] == []
    assert value_docs(Reason) == {}


def test_no_union_hides_null_and_only_objects_are_referenced() -> None:
    for part in objects(document()):
        assert "anyOf" not in part
        if isinstance(reference := part.get("$ref"), str) and "/schemas/" in reference:
            assert SCHEMAS[reference.rpartition("/")[2]]["type"] == "object", reference
