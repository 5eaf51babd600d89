"""Lists as CSV and NDJSON: what Accept chooses, and what the files hold."""

import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

import function_app  # noqa: F401 - registers every operation
from shared.domain.errors import NotAcceptable
from shared.domain.model import Model
from shared.web.admission import READERS
from shared.web.list_formats import CSV, NDJSON, chosen, list_of, offered, written
from shared.web.openapi.document import document
from shared.web.operations import Operation, operations
from shared.web.repeats import JSON
from shared.web.views import ItemPage


class Inner(Model):
    count: int
    share: float


class Item(Model):
    id: str
    active: bool
    inner_counts: Inner
    last: Inner | None
    names: list[str]
    when: datetime | None


LIST = Operation(
    name="list_items",
    method="GET",
    path="api/x",
    doc="List items.",
    tag="test",
    roles=READERS,
    responses={200: ItemPage[Item]},
)
ONE = replace(LIST, name="get_item", responses={200: Item})
HOSTILE = '=HYPERLINK("https://evil.example","x")'
PAGE = ItemPage[Item](
    items=[
        Item(
            id=HOSTILE,
            active=True,
            inner_counts=Inner(count=-1, share=0.5),
            last=None,
            names=["Jörg", '"'],
            when=datetime(2026, 11, 30, tzinfo=UTC),
        )
    ],
    next="token",
)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/json", JSON),
        ("application/problem+json", JSON),
        ("text/csv", CSV),
        ("TEXT/CSV; charset=utf-8", CSV),
        ("text/*", CSV),
        ("text/csv, */*", CSV),
        ("text/csv;q=0.5, application/json", JSON),
        ("application/json;q=0.1, application/x-ndjson", NDJSON),
        ("application/json;q=0, */*", CSV),
    ],
)
def test_accept_chooses_the_format_of_a_list(accept: str, kind: str) -> None:
    assert chosen(LIST, accept) == kind


@pytest.mark.parametrize("accept", ["text/html", "text/csv;q=0", "text/csv;q=x", "application/xml"])
def test_format_that_a_list_does_not_offer_is_refused(accept: str) -> None:
    with pytest.raises(NotAcceptable) as refused:
        chosen(LIST, accept)

    assert refused.value.values["types"] == (JSON, CSV, NDJSON)


def test_only_lists_are_offered_as_files() -> None:
    assert chosen(ONE, "application/json, text/csv") == JSON
    with pytest.raises(NotAcceptable):
        chosen(ONE, "text/csv")


def test_csv_has_a_column_for_each_value_and_no_formula() -> None:
    content = written(CSV, LIST, PAGE)
    assert content is not None

    (row,) = csv.DictReader(io.StringIO(content.data.decode()))

    assert row == {
        "id": f"'{HOSTILE}",
        "active": "true",
        "innerCounts.count": "-1",
        "innerCounts.share": "0.5",
        "last.count": "",
        "last.share": "",
        "names": '["Jörg","\\""]',
        "when": "2026-11-30T00:00:00Z",
    }


def test_ndjson_has_one_object_in_each_line() -> None:
    content = written(NDJSON, LIST, PAGE)
    assert content is not None

    (line,) = content.data.splitlines()

    assert json.loads(line) == PAGE.model_dump(mode="json", by_alias=True)["items"][0]


LISTS = [operation for operation in operations() if list_of(operation)]


@pytest.mark.parametrize("operation", LISTS, ids=lambda each: each.name)
def test_every_list_is_described_in_each_format_and_can_be_sorted(operation: Operation) -> None:
    path = "/" + operation.path.removeprefix("api/v1/")
    described: dict[str, Any] = document()["paths"][path]["get"]
    answer = described["responses"]["200"]

    assert tuple(answer["content"]) == offered(operation)
    assert "Link" in answer["headers"]
    names = {each.get("name") for each in described["parameters"]}
    assert "sort" in names or operation.name == "export_tenant"
    model = list_of(operation)
    assert model is not None
    (item,) = get_args(model.model_fields["items"].annotation)
    empty = written(CSV, operation, model(items=[], next=None))
    assert empty is not None
    columns = empty.data.decode().strip().split(",")
    assert len(set(columns)) == len(columns) >= len(item.model_fields) / 2
