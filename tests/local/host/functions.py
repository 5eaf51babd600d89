"""What the host knows of a function: its name and its trigger's binding, as the worker tells it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ONE_GROUP = ""
HTTP_GROUP = "http"


class InvocationFailed(Exception):
    """A function raised, took longer than the host allows, or lost its worker."""


@dataclass(frozen=True, slots=True)
class Function:
    """One function."""

    name: str
    trigger: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """The trigger's type, in lower case: httptrigger, queuetrigger, timertrigger."""
        return str(self.trigger["type"]).lower()

    @property
    def binary(self) -> bool:
        """Whether the function takes bytes; the host converts to text otherwise."""
        return str(self.trigger.get("dataType", "")).lower() == "binary"

    @property
    def group(self) -> str:
        """The functions that share instances on Flex Consumption (docs: flex, per-function)."""
        return HTTP_GROUP if self.kind == "httptrigger" else self.name

    def as_json(self) -> dict[str, Any]:
        return {"function": self.name, "trigger": dict(self.trigger)}
