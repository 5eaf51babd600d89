"""What people type has no control characters, and none that turn the direction of text."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError

import function_app  # noqa: F401 - registers every operation
from shared.domain.errors import InvalidInput
from shared.domain.importing.imports import ImportInput
from shared.domain.model import Name, ShortName, Text
from shared.domain.sharing.manual_contacts import ManualContact
from shared.domain.sharing.shares import ShareInput
from shared.domain.tenancy.tenants import TenantInput
from shared.web.operations import operations
from shared.web.validation import validated
from tests.unit.portal.test_form_tables import FORMS

REFUSED = ("\x00", "\x07", "\x1b", "\x7f", "\x85", "\x9f", "\u202a", "\u202e", "\u2066", "\u2069")
COMPARED = {
    "AuditFilter.kind",
    "ConfirmQuery.confirm",
    "LedgerQuery.after",
    "LeavingQuery.confirm",
    "LeavingQuery.tenant",
    "LeavingInput.tenant",
    "LeavingInput.code",
}
"""Texts that are only compared with what is known, and never stored or shown."""


def models() -> dict[str, type[BaseModel]]:
    """Every model of an input, by its name."""
    found = [kind for o in operations() for kind in (o.body, o.patch, o.query) if kind]
    found += [form.model for form in FORMS.values()]
    return {kind.__name__: kind for kind in found}


def texts(schema: Any, at: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield the schema of each text below a part of a schema, with its path."""
    while "$ref" in at:
        at = schema["$defs"][at["$ref"].rpartition("/")[2]]
    for choice in at.get("anyOf", ()):
        yield from texts(schema, choice, path)
    for name, inner in at.get("properties", {}).items():
        yield from texts(schema, inner, f"{path}.{name}")
    for name in ("items", "additionalProperties"):
        if isinstance(at.get(name), dict):
            yield from texts(schema, at[name], path)
    if at.get("type") == "string":
        yield path, at


def test_every_typed_text_refuses_controls() -> None:
    open_texts = []
    for name, kind in models().items():
        schema = kind.model_json_schema(by_alias=True)
        for path, text in texts(schema, schema, name):
            chosen = {"enum", "const", "format"} & text.keys()
            pattern = text.get("pattern", "")
            checked = pattern and not any(re.search(pattern, f"a{c}b") for c in REFUSED)
            if not chosen and not checked and not path.endswith(".next"):
                open_texts.append(path)

    assert set(open_texts) == COMPARED


@pytest.mark.parametrize("char", REFUSED, ids=ascii)
@pytest.mark.parametrize(
    ("kind", "body", "field"),
    [
        (TenantInput, {"name": "{}"}, "name"),
        (ShareInput, {"name": "{}", "sources": {"allUsers": True}}, "name"),
        (
            ShareInput,
            {"name": "A", "sources": {"allUsers": True, "filter": {"city": ["{}"]}}},
            "sources.filter.city.0",
        ),
        (ManualContact, {"displayName": "A", "jobTitle": "{}"}, "jobTitle"),
        (
            ManualContact,
            {"displayName": "A", "homeAddress": {"street": "{}"}},
            "homeAddress.street",
        ),
        (
            ImportInput,
            {
                "name": "A",
                "shareId": "a" * 32,
                "targets": {"users": ["c0c0c0c0-0000-4000-8000-000000000003"]},
                "destination": {"folder": "{}"},
            },
            "destination.folder",
        ),
    ],
)
def test_typed_text_with_a_control_is_refused_by_its_field(
    kind: type[BaseModel], body: Any, field: str, char: str
) -> None:
    def filled(value: Any, text: str) -> Any:
        if isinstance(value, dict):
            return {name: filled(inner, text) for name, inner in value.items()}
        if isinstance(value, list):
            return [filled(inner, text) for inner in value]
        return text if value == "{}" else value

    validated(kind, filled(body, "Müller\u200d & \u200fשרה"))
    with pytest.raises(InvalidInput) as refused:
        validated(kind, filled(body, f"A{char}B"))

    assert [(e.field, e.code) for e in refused.value.errors] == [(field, "text_has_controls")]


def test_space_around_a_name_and_lines_of_an_address_are_taken() -> None:
    assert TenantInput(name=" \tContoso\r\n").name == "Contoso"
    street = "Main St 1\r\nRear\tbuilding\u2028Floor 2"
    given = {"displayName": "A", "homeAddress": {"street": street}}

    address = validated(ManualContact, given).home_address

    assert address is not None
    assert address.street == street
    with pytest.raises(InvalidInput):
        validated(TenantInput, {"name": "Con\ntoso"})


ODD = st.text(st.sampled_from(" \t\n\r\x0b\x85\xa0a\u2028\u202e\x1f"), min_size=1, max_size=5)


@pytest.mark.parametrize("kind", [Name, ShortName, Text])
@given(text=ODD)
def test_documented_pattern_takes_what_the_type_takes(kind: Any, text: str) -> None:
    adapter = _adapter(kind)
    taken = True
    try:
        adapter.validate_python(text, strict=True)
    except ValidationError:
        taken = False

    assert bool(re.search(_pattern(kind), text)) == taken


@cache
def _adapter(kind: Any) -> TypeAdapter[str]:
    return TypeAdapter(kind)


@cache
def _pattern(kind: Any) -> str:
    schema = _adapter(kind).json_schema()
    return next(texts(schema, schema, ""))[1]["pattern"]  # type: ignore[no-any-return]
