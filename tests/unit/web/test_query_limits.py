"""Every query that the app reads, hands out or links to fits the gateway's limit."""

import base64
import re
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import BaseModel

import function_app  # noqa: F401 - registers every operation
from shared.adapters.storage.tables.continuation import LONGEST, encoded, mark_of, opaque
from shared.domain.errors import Defect
from shared.domain.importing.runs import Outcome
from shared.domain.model import GUID
from shared.domain.tenancy.tenants import LedgerAction
from shared.portal.forms.filters import AuditFilter, RunsFilter
from shared.portal.visits import MAX_SEARCH
from shared.web.operations import Operation, operations
from tests.local.host.http import QUERY_LIMIT

MOMENT = "2026-11-30T12:00:00.000000+00:00"
OURS = {"next", "after", "confirm"}
"""Tokens that the app makes: ASCII, with at most two '=' at the end."""
KIND = max(map(len, LedgerAction))
"""The filter of the audit log takes known actions only."""
MAX_ID = 128


def longest(schema: dict[str, Any], defs: dict[str, Any], name: str) -> int:
    """The bytes of the longest value of a parameter in a query."""
    if "$ref" in schema:
        return longest(defs[schema["$ref"].rpartition("/")[2]], defs, name)
    if "anyOf" in schema:
        return max(longest(each, defs, name) for each in schema["anyOf"])
    if schema["type"] == "null":
        return 0
    if "enum" in schema:
        return max(len(quote(value, safe="")) for value in schema["enum"])
    if "const" in schema:
        return len(str(schema["const"]))
    if schema["type"] == "integer":
        return len(str(schema["maximum"]))
    if schema.get("format") == "date-time":
        return len(quote(MOMENT, safe=""))
    if schema.get("format") == "date":
        return len("2026-11-30")
    if schema.get("pattern") == GUID:
        return 36
    if repeated := re.search(r"\{0,(\d+)\}\$$", schema.get("pattern", "")):
        return int(repeated[1]) + 1
    assert "maxLength" in schema, f"{name} has no longest value: {schema}"
    if name in OURS:
        return int(schema["maxLength"]) + 4
    return int(schema["maxLength"]) * (1 if "pattern" in schema else 12)


def longest_query(model: type[BaseModel]) -> int:
    schema = model.model_json_schema(by_alias=True)
    defs = schema.get("$defs", {})
    return sum(
        len(name) + 2 + (KIND if name == "kind" else longest(each, defs, name))
        for name, each in schema.get("properties", {}).items()
    )


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.name)
def test_longest_query_of_each_operation_passes_the_gateway(operation: Operation) -> None:
    assert longest_query(operation.query) <= QUERY_LIMIT


@pytest.mark.parametrize("model", [AuditFilter, RunsFilter])
def test_longest_filter_of_each_page_passes_the_gateway(model: type[BaseModel]) -> None:
    assert longest_query(model) <= QUERY_LIMIT


def test_longest_search_with_its_next_page_passes_the_gateway() -> None:
    text = "\N{PERSONAL COMPUTER}" * MAX_SEARCH
    outcome = max(Outcome, key=len)
    token = opaque([mark_of("Shares", text.casefold(), {}), 10**6])
    folder = "\N{PERSONAL COMPUTER}" * 120

    assert len(f"q={quote(text)}&outcome={outcome}&next={quote(token)}") <= QUERY_LIMIT
    assert len(f"mailbox={'x' * 320}&folder={quote(folder)}") <= QUERY_LIMIT


def as_azure(key: str) -> str:
    """A key in a continuation token as Azure's tables write it."""
    text = base64.b64encode(key.encode()).decode()
    return f"1!{len(text)}!{text}"


def test_token_of_the_longest_keys_is_shorter_than_a_defect() -> None:
    """The longest: a contact's row, and a person in the list of those removed everywhere."""
    tenant, id_, guid = "t" * 36, "i" * 32, "m" * 36
    keys = {
        f"{tenant}|{id_}|{guid}": f"j|{'9' * 20}|{'n' * 32}",
        f"{tenant}|{'9' * 13}-{id_}-a": guid + "~",
        f"{tenant}": "p" * MAX_ID,
        f"{tenant}|{id_}|{'m' * MAX_ID}": "p" * MAX_ID,
    }
    for partition, row in keys.items():
        following = {"PartitionKey": as_azure(partition), "RowKey": as_azure(row)}
        inner = encoded(following, mark_of("Results", "PartitionKey ge @low", {"low": tenant}))

        assert len(opaque([20, inner])) <= LONGEST


def test_longer_token_is_a_defect() -> None:
    with pytest.raises(Defect, match="continuation token"):
        opaque(["x" * LONGEST])
