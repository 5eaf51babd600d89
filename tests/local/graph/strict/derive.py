"""Derives `metadata.json` from Microsoft's SDK: `python -m tests.local.graph.strict.derive`.

The SDK (package msgraph-sdk) is generated from the published metadata of Graph v1.0, so the
deserializers of its models name all properties with their types. The metadata itself, at
https://graph.microsoft.com/v1.0/$metadata, has four megabytes.
"""

import json
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from msgraph.generated.models.entity import Entity

FILE: Final = Path(__file__).with_name("metadata.json")
TYPES: Final = (
    "user",
    "group",
    "orgContact",
    "directoryObject",
    "organization",
    "contact",
    "contactFolder",
    "outlookCategory",
    "profilePhoto",
    "singleValueLegacyExtendedProperty",
    "emailAddress",
    "physicalAddress",
    "phone",
    "physicalOfficeAddress",
)
ENUMS: Final = ("categoryColor", "phoneType")
_PRIMITIVES: Final = {
    "get_str_value": "Edm.String",
    "get_bool_value": "Edm.Boolean",
    "get_int_value": "Edm.Int32",
    "get_float_value": "Edm.Double",
    "get_uuid_value": "Edm.Guid",
    "get_datetime_value": "Edm.DateTimeOffset",
    "get_date_value": "Edm.Date",
    "get_time_value": "Edm.TimeOfDay",
    "get_timedelta_value": "Edm.Duration",
    "get_bytes_value": "Edm.Binary",
}
_ITEMS: Final = {str: "Edm.String", UUID: "Edm.Guid", int: "Edm.Int32", bool: "Edm.Boolean"}


def derive() -> dict[str, Any]:
    """Return the table of `metadata.json`."""
    return {
        "source": f"Microsoft Graph v1.0, from the models of msgraph-sdk {version('msgraph-sdk')}",
        "types": {name: _properties(name) for name in TYPES},
        "enums": {name: [member.value for member in _model(name)] for name in ENUMS},
    }


def written(table: dict[str, Any]) -> str:
    """Return the text of the file."""
    return json.dumps(table, indent=1) + "\n"


class _Recorder:
    """Stands in for a parsed document and notes which type a property is read as."""

    def __init__(self) -> None:
        self.read = ""

    def __getattr__(self, method: str) -> Any:
        def note(kind: type | None = None) -> None:
            if kind is None:
                self.read = _PRIMITIVES[method]
            elif method == "get_collection_of_primitive_values":
                self.read = f"Collection({_ITEMS[kind]})"
            else:
                name = kind.__name__[0].lower() + kind.__name__[1:]
                name = f"graph.{name}"
                if method.startswith("get_collection"):
                    name = f"Collection({name})"
                self.read = f"Navigation({name})" if issubclass(kind, Entity) else name

        return note


def _properties(name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for property_, read in _model(name)().get_field_deserializers().items():
        if not property_.startswith("@"):
            recorder = _Recorder()
            read(recorder)
            found[property_] = recorder.read
    return dict(sorted(found.items()))


def _model(name: str) -> Any:
    words = "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
    module = import_module(f"msgraph.generated.models.{words}")
    return getattr(module, name[0].upper() + name[1:])


if __name__ == "__main__":
    FILE.write_text(written(derive()), "utf-8")
