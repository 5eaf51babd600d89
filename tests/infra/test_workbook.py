"""The workbook: its shape, its columns, its parameters, and what Azure gets of it."""

import copy
import json
import re
from collections.abc import Callable

import pytest
from pydantic import ValidationError

from tests.infra.readers import kql, workbook
from tests.infra.readers.workbook_shapes import Json

TEXTS = {name: text for name, text in kql.files().items() if "/" not in name}


def item(book: Json, name: str) -> Json:
    """The item of this name, on whichever tab."""
    found: Json = next(node for node in workbook.walk(book) if node.get("name") == name)
    return found


def test_the_workbook_has_the_shape_that_the_portal_reads() -> None:
    shaped = workbook.shaped(workbook.load())

    assert len(shaped.items) > 5


def test_every_query_is_shown_and_every_one_shown_is_there() -> None:
    assert workbook.query_names(workbook.load()) == set(TEXTS)


def test_columns_and_parameters_are_those_of_the_queries() -> None:
    assert workbook.faults(workbook.load(), TEXTS, kql.queries()) == []


def test_every_tab_has_its_part() -> None:
    items = workbook.load()["items"]
    tabs = next(one for one in items if one["name"] == "tabs")["content"]["links"]
    parts = [one["conditionalVisibility"] for one in items if one["type"] == 12]

    assert {tab["cellValue"] for tab in tabs} == {part["parameterName"] for part in parts}
    assert [tab["subTarget"] for tab in tabs] == [part["value"] for part in parts]
    assert {part["comparison"] for part in parts} == {"isEqualTo"}


def test_no_two_items_have_one_name() -> None:
    nodes = workbook.walk(workbook.load())
    names = [node["name"] for node in nodes if "name" in node and "content" in node]

    assert len(names) == len(set(names))


def test_azure_gets_every_query_in_full_and_every_id() -> None:
    book = workbook.load()
    module = workbook.MODULE.read_text("utf-8")
    made = workbook.filled(book, TEXTS)

    assert json.loads(made) == workbook.replaced(book, TEXTS)
    assert set(re.findall(r"<\w+>", json.dumps(book))) == workbook.STAND_INS
    assert set(re.findall(r", '(<\w+>)', ", module)) == workbook.STAND_INS


def test_the_module_loads_each_query_by_its_name() -> None:
    loaded = re.findall(
        r"^  '([\w.-]+)': loadTextContent\('\.\./queries/([\w.-]+)'\)$",
        workbook.MODULE.read_text("utf-8"),
        re.MULTILINE,
    )

    assert [name for name, _ in loaded] == [file for _, file in loaded] == sorted(TEXTS)


def test_bicep_may_load_the_workbook() -> None:
    assert len(workbook.WORKBOOK.read_text("utf-8")) < 1_048_576  # loadJsonContent's limit
    assert all(len(text) < 131_072 for text in TEXTS.values())  # loadTextContent's


def rename_label(book: Json) -> None:
    item(book, "runs")["content"]["gridSettings"]["labelSettings"][0]["columnId"] = "Begun"


def format_nothing(book: Json) -> None:
    item(book, "runs")["content"]["gridSettings"]["formatters"][0]["columnMatch"] = "^Begun$"


def chart_nothing(book: Json) -> None:
    item(book, "runs over time")["content"]["chartSettings"]["yAxis"] = ["Run"]


def export_nothing(book: Json) -> None:
    item(book, "runs")["content"]["exportedParameters"][0]["fieldName"] = "RunId"


def take_a_parameter_away(book: Json) -> None:
    parameters = item(book, "parameters")["content"]["parameters"]
    parameters[:] = [one for one in parameters if one["name"] != "MemoryMB"]


def take_a_tabs_parameter_away(book: Json) -> None:
    items = item(book, "tab Mailboxes")["content"]["items"]
    items[:] = [one for one in items if one["name"] != "no run chosen"]


@pytest.mark.parametrize(
    "harm",
    [
        rename_label,
        format_nothing,
        chart_nothing,
        export_nothing,
        take_a_parameter_away,
        take_a_tabs_parameter_away,
    ],
)
def test_what_is_wrong_in_a_workbook_is_found(harm: Callable[[Json], None]) -> None:
    book = copy.deepcopy(workbook.load())
    harm(book)

    assert workbook.faults(book, TEXTS, kql.queries())


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        ("runs", "noDataMesage", "…"),
        ("runs", "title", ""),
        ("runs", "visualization", "timetable"),
        ("runs", "query", "AppEvents | count"),
        ("parameters", "style", "pill"),
    ],
)
def test_what_is_wrong_in_its_shape_is_found(name: str, key: str, value: str) -> None:
    book = workbook.load()
    item(book, name)["content"][key] = value

    with pytest.raises(ValidationError):
        workbook.shaped(book)
