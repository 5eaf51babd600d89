"""The workbook as deployed, and faults in its columns, parameters and ids."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import UUID

from tests.infra.readers.kql import Query, placeholders
from tests.infra.readers.workbook_shapes import Json, Workbook
from tests.sources import ROOT

WORKBOOK: Final = ROOT / "infra" / "workbook.json"
MODULE: Final = ROOT / "infra" / "modules" / "workbook.bicep"
STAND_INS: Final = frozenset(
    {"<workspace>", "<component>", "<functionApp>", "<gateway>", "<portal>", "<memoryMB>"}
)


def load() -> Json:
    """Load the workbook from the repository: queries are names of files."""
    loaded: Json = json.loads(WORKBOOK.read_text("utf-8"))
    return loaded


def shaped(workbook: Json) -> Workbook:
    """The workbook if it has the right shape; raises ValidationError."""
    return Workbook.model_validate_json(json.dumps(workbook))


def filled(workbook: Json, texts: Mapping[str, str]) -> str:
    """Fill in the queries in the same steps as workbook.bicep; ids stay as they are."""
    quoted = {name: _compact([text])[1:-1] for name, text in texts.items()}
    first, *tails = _compact(workbook).split('"query":"')
    return '"query":'.join(
        [first, *(quoted[tail.split('"')[0]] + tail[tail.index('"') + 1 :] for tail in tails)]
    )


def _compact(value: Any) -> str:
    """JSON as Azure's string() writes it: without blanks."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def replaced(node: Any, texts: Mapping[str, str]) -> Any:
    """Fill in the queries the simple way: each value of a key `query` becomes a file's text."""
    if isinstance(node, dict):
        return {
            key: texts[value] if key == "query" else replaced(value, texts)
            for key, value in node.items()
        }
    return [replaced(value, texts) for value in node] if isinstance(node, list) else node


def walk(node: Any) -> Iterator[Json]:
    """Every object of the workbook."""
    if isinstance(node, dict):
        yield node
    for below in (
        node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    ):
        yield from walk(below)


def query_names(workbook: Json) -> set[str]:
    """The files that the workbook shows."""
    return {node["query"] for node in walk(workbook) if "query" in node}


def faults(workbook: Json, texts: Mapping[str, str], queries: Mapping[str, Query]) -> list[str]:
    """Describe what is wrong with parameters, columns and ids."""
    top = _defined(workbook["items"])
    found: list[str] = []
    for item in workbook["items"]:
        inner = item["content"]["items"] if item["type"] == 12 else [item]
        known = top | _defined(inner)
        for part in inner:
            found += _unknown_parameters(part, texts, known)
            if part["type"] == 3:
                found += _unknown_columns(part, queries)
    ids = [node["id"] for node in walk(workbook) if "id" in node]
    found += [f"the id {twice} is used twice" for twice in ids if ids.count(twice) > 1]
    found += [f"{one} is not an id" for one in ids if str(UUID(one)) != one]
    return found


def _defined(items: list[Json]) -> set[str]:
    """The parameters that these items define; a group keeps its own to itself."""
    names: set[str] = set()
    for item in items:
        content = item["content"]
        names |= {parameter["name"] for parameter in content.get("parameters", ())}
        names |= {exported["parameterName"] for exported in content.get("exportedParameters", ())}
        names |= {
            link["cellValue"]
            for link in content.get("links", ())
            if link["linkTarget"] == "parameter"
        }
    return names


def _unknown_parameters(item: Json, texts: Mapping[str, str], known: set[str]) -> list[str]:
    used: set[str] = set()
    for node in walk(item):
        if "query" in node:
            used |= placeholders(texts[node["query"]])
        if node.get("linkTarget") in {"Resource", "Url"} and "cellValue" in node:
            used |= placeholders(node["cellValue"])
        used |= {node["timeContextFromParameter"]} if "timeContextFromParameter" in node else set()
        used |= {node["parameterName"]} if "comparison" in node else set()
    return [f"{item['name']}: no parameter {name}" for name in sorted(used - known)]


def _unknown_columns(item: Json, queries: Mapping[str, Query]) -> list[str]:
    content = item["content"]
    columns = set(queries[content["query"]].columns)
    grid, chart = content.get("gridSettings", {}), content.get("chartSettings", {})
    matches = [node["columnMatch"] for node in walk(content) if "columnMatch" in node]
    labels = [label["columnId"] for label in grid.get("labelSettings", ())]
    shown = [
        *(re.sub(r"^\^(\w+)\$$", r"\1", match) for match in matches),
        *labels,
        *(exported["fieldName"] for exported in content.get("exportedParameters", ())),
        *chart.get("yAxis", ()),
        *(chart[key] for key in ("xAxis", "group") if key in chart),
        *(content[key]["sortCriteriaField"] for key in ("tileSettings",) if key in content),
    ]
    found = [f"{item['name']}: no column {name}" for name in shown if name not in columns]
    if content["visualization"] == "table":
        bare = columns - set(labels)
        found += [f"{item['name']}: column {name} has no label" for name in sorted(bare)]
    return found
