"""The queries of the workbook and the alerts, read by Microsoft's own KQL compiler.

A workbook and a Bicep module put values into a query before it runs: `{TimeRange}`, `{Tenant}`.
Sample values replace them here, so that the compiler sees a whole query. `kql_engine` runs them.
"""

import hashlib
import json
import os
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
_KEPT: Final = ROOT / "build" / "kql"
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
    asked = {"tables": TABLES, "queries": {name: filled(text) for name, text in texts.items()}}
    answers: dict[str, Any] = json.loads(_compiled(json.dumps(asked)))
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


def _compiled(asked: str) -> str:
    """What the compiler says, kept on disk, since several processes of a run ask the same."""
    node = shutil.which("node")
    if node is None:
        raise RuntimeError("Node.js is needed to read KQL: install it from your system's packages.")
    local, script = ROOT / "tests" / "local", Path(__file__).with_name("kql.cjs")
    parts = (asked.encode(), script.read_bytes(), (local / "package-lock.json").read_bytes())
    kept = _KEPT / f"{hashlib.sha256(b''.join(parts)).hexdigest()[:16]}.json"
    if not kept.is_file():
        done = subprocess.run(  # noqa: S603 # our own script, with our own files
            [node, str(script), str(local)],
            input=asked,
            capture_output=True,
            check=True,
            encoding="utf-8",
            timeout=120,
        )
        _KEPT.mkdir(parents=True, exist_ok=True)
        own = kept.with_suffix(f".{os.getpid()}")
        own.write_text(done.stdout, "utf-8")
        own.replace(kept)
    return kept.read_text("utf-8")


@cache
def queries() -> dict[str, Query]:
    """Compile every query."""
    return read(files())
