"""The events and metrics that the app sends, for checking the queries.

Events are declared by `shared/domain/events.py`. Metrics are declared only by the calls that
create and record them, so these are read from the source of `shared/adapters/telemetry.py`.
"""

import ast
from pathlib import Path
from typing import Final

from shared.adapters import telemetry
from shared.domain.events import Kind, schemas

_SOURCE: Final = Path(telemetry.__file__)

# KQL functions that may convert an attribute of each kind: Properties contains only strings.
CONVERSIONS: Final[dict[Kind, frozenset[str]]] = {
    "id": frozenset({"tostring"}),
    "code": frozenset({"tostring"}),
    "count": frozenset({"tolong", "toreal"}),
    "milliseconds": frozenset({"toreal"}),
    "seconds": frozenset({"toreal"}),
    "flag": frozenset({"tobool"}),
}


def metrics(source: str | None = None) -> dict[str, frozenset[str]]:
    """Every metric by its name: the names of its attributes."""
    tree = ast.parse(_SOURCE.read_text("utf-8") if source is None else source)
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        match node:
            case ast.AnnAssign(
                target=ast.Name(id=variable),
                value=ast.Call(
                    func=ast.Attribute(attr="create_counter" | "create_histogram"),
                    args=[ast.Constant(value=str(name)), *_],
                ),
            ):
                names[variable] = name
    attributes: dict[str, set[str]] = {name: set() for name in names.values()}
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id=variable), attr="add" | "record"),
                args=[_, ast.Dict(keys=keys)],
            ) if variable in names:
                attributes[names[variable]] |= {
                    str(key.value) for key in keys if isinstance(key, ast.Constant)
                }
    return {name: frozenset(found) for name, found in attributes.items()}


def declared() -> dict[str, dict[str, Kind]]:
    """Every event and every metric by its name: the kind of each attribute."""
    of_metrics: dict[str, dict[str, Kind]] = {
        name: dict.fromkeys(attributes, "code") for name, attributes in metrics().items()
    }
    return schemas() | of_metrics
