"""The queries of the workbook and the alerts, read by Microsoft's own KQL compiler.

A workbook and a Bicep module put values into a query before it runs: `{TimeRange}`, `{Tenant}`.
Sample values replace them here, so that the compiler sees a whole query. `kql_engine` runs them.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests import sources
from tests.infra.readers.tables import TABLES
from tests.sources import ROOT

QUERIES: Final = ROOT / "infra" / "queries"
PLACEHOLDER: Final = re.compile(r"\{([A-Za-z]+)(:[a-z]+)?\}")

_SAMPLES: Final = {
    "TimeRange": "> ago(1d)",
    "TimeRange:grain": "1h",
    "Tenant": "'*'",
    "Import": "'*'",
    "Run": "'*'",
    "SelectedRun": "none",
    "SelectedTrace": "none",
    "Portal": "https://portal.example",
    "MemoryMB": "2048",
    "minimumMailboxes": "10",
}


class Use(NamedTuple):
    """A use of `Properties.key`: its conversion, and the events or metrics it belongs to."""

    key: str
    conversion: str
    names: tuple[str, ...]


class Query(NamedTuple):
    """What the compiler finds in a query."""

    faults: tuple[str, ...]
    columns: Mapping[str, str]
    names: tuple[str, ...]
    uses: tuple[Use, ...]
    features: frozenset[str]


def files() -> dict[str, str]:
    """Every query's text, by its path below infra/queries."""
    return {
        path.relative_to(QUERIES).as_posix(): path.read_text("utf-8")
        for path in sources.files(QUERIES, "*.kql")
    }


def placeholders(text: str) -> set[str]:
    """The parameters that a query takes, without their format (`:grain`)."""
    return {match[1] for match in PLACEHOLDER.finditer(text)}


def filled(text: str, given: Mapping[str, str] | None = None) -> str:
    """The query with a value for each placeholder: the given one, or a sample."""
    values = {**_SAMPLES, **(given or {})}
    return PLACEHOLDER.sub(lambda match: values[match[1] + (match[2] or "")], text)


def read(texts: Mapping[str, str]) -> dict[str, Query]:
    """Compile these queries; the compiler takes seconds to start, so pass them all at once."""
    node = shutil.which("node")
    if node is None:
        raise RuntimeError("Node.js is needed to read KQL: install it from your system's packages.")
    asked = {"tables": TABLES, "queries": {name: filled(text) for name, text in texts.items()}}
    done = subprocess.run(  # noqa: S603 # our own script, with our own files
        [node, str(Path(__file__).with_name("kql.cjs")), str(ROOT / "tests" / "local")],
        input=json.dumps(asked),
        capture_output=True,
        check=True,
        encoding="utf-8",
        timeout=120,
    )
    answers: dict[str, Any] = json.loads(done.stdout)
    return {
        name: Query(
            faults=tuple(said["faults"]),
            columns=said["columns"],
            names=tuple(said["names"]),
            uses=tuple(
                Use(u["key"], u["conversion"], tuple(u["names"])) for u in said["properties"]
            ),
            features=frozenset(said["features"]),
        )
        for name, said in answers.items()
    }


@cache
def queries() -> dict[str, Query]:
    """Compile every query."""
    return read(files())
