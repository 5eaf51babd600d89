"""The workbook: its structure, columns and parameters, and what is deployed."""

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
    """The item with this name, on any tab."""
    found: Json = next(node for node in workbook.walk(book) if node.get("name") == name)
    return found


def test_workbook_has_the_structure_that_azure_expects() -> None:
    shaped = workbook.shaped(workbook.load())

    assert len(shaped.items) > 5


def test_workbook_shows_every_query_and_only_existing_ones() -> None:
    assert workbook.query_names(workbook.load()) == set(TEXTS)


def test_columns_and_parameters_match_the_queries() -> None:
    assert workbook.faults(workbook.load(), TEXTS, kql.queries()) == []


def test_every_tab_has_a_group() -> None:
    items = workbook.load()["items"]
    tabs = next(one for one in items if one["name"] == "tabs")["content"]["links"]
    parts = [one["conditionalVisibility"] for one in items if one["type"] == 12]

    assert {tab["cellValue"] for tab in tabs} == {part["parameterName"] for part in parts}
    assert [tab["subTarget"] for tab in tabs] == [part["value"] for part in parts]
    assert {part["comparison"] for part in parts} == {"isEqualTo"}


def test_item_names_are_unique() -> None:
    nodes = workbook.walk(workbook.load())
    names = [node["name"] for node in nodes if "name" in node and "content" in node]

    assert len(names) == len(set(names))


def test_deployed_workbook_contains_every_query_and_resource_id() -> None:
    book = workbook.load()
    module = workbook.MODULE.read_text("utf-8")
    made = workbook.filled(book, TEXTS)

    assert json.loads(made) == workbook.replaced(book, TEXTS)
    assert set(re.findall(r"<\w+>", json.dumps(book))) == workbook.STAND_INS
    assert set(re.findall(r", '(<\w+>)', ", module)) == workbook.STAND_INS


def test_module_loads_each_query_by_name() -> None:
    loaded = re.findall(
        r"^  '([\w.-]+)': loadTextContent\('\.\./queries/([\w.-]+)'\)$",
        workbook.MODULE.read_text("utf-8"),
        re.MULTILINE,
    )

    assert [name for name, _ in loaded] == [file for _, file in loaded] == sorted(TEXTS)


def test_workbook_and_queries_fit_the_limits_of_bicep() -> None:
    assert len(workbook.WORKBOOK.read_text("utf-8")) < 1_048_576  # loadJsonContent's limit
    assert all(len(text) < 131_072 for text in TEXTS.values())  # loadTextContent's


def rename_label(book: Json) -> None:
    item(book, "runs")["content"]["gridSettings"]["labelSettings"][0]["columnId"] = "Begun"


def format_missing_column(book: Json) -> None:
    item(book, "runs")["content"]["gridSettings"]["formatters"][0]["columnMatch"] = "^Begun$"


def chart_missing_column(book: Json) -> None:
    item(book, "runs over time")["content"]["chartSettings"]["yAxis"] = ["Run"]


def export_missing_column(book: Json) -> None:
    item(book, "runs")["content"]["exportedParameters"][0]["fieldName"] = "RunId"


def remove_parameter(book: Json) -> None:
    parameters = item(book, "parameters")["content"]["parameters"]
    parameters[:] = [one for one in parameters if one["name"] != "MemoryMB"]


def remove_parameter_of_tab(book: Json) -> None:
    items = item(book, "tab Mailboxes")["content"]["items"]
    items[:] = [one for one in items if one["name"] != "no run chosen"]


@pytest.mark.parametrize(
    "damage",
    [
        rename_label,
        format_missing_column,
        chart_missing_column,
        export_missing_column,
        remove_parameter,
        remove_parameter_of_tab,
    ],
)
def test_faults_in_the_workbook_are_found(damage: Callable[[Json], None]) -> None:
    book = copy.deepcopy(workbook.load())
    damage(book)

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
def test_structural_errors_in_the_workbook_are_found(name: str, key: str, value: str) -> None:
    book = workbook.load()
    item(book, name)["content"][key] = value

    with pytest.raises(ValidationError):
        workbook.shaped(book)
