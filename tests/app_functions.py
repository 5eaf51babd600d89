"""The functions of the app, and the routes of those that answer HTTP.

The functions of an app can be read only once in a process, so all tests read them here.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from function_app import app


@dataclass(frozen=True, eq=False, slots=True)
class Function:
    """One function of the app: its trigger, and the code to call."""

    name: str
    kind: str
    trigger: Mapping[str, Any]
    call: Callable[..., Any]
    route: re.Pattern[str] | None = None

    @property
    def methods(self) -> frozenset[str]:
        """The HTTP methods that it answers."""
        return frozenset(str(m).upper() for m in self.trigger.get("methods") or ("GET",))

    @property
    def queue(self) -> str:
        """The queue that triggers it."""
        return str(self.trigger["queueName"])


@cache
def functions() -> tuple[Function, ...]:
    """Return the functions of the app, as its entry point registers them."""
    found: list[Function] = []
    for built in app.get_functions():
        bindings = [json.loads(text) for text in built.get_raw_bindings()]
        trigger = next(b for b in bindings if b["type"].lower().endswith("trigger"))
        kind = str(trigger["type"]).lower().removesuffix("trigger")
        route = None
        if kind == "http":
            pattern = re.sub(r"\{(\w+)(?::\w+)?\}", r"(?P<\1>[^/]+)", str(trigger["route"]))
            route = re.compile(pattern)
        name = str(built.get_function_name())
        found.append(Function(name, kind, trigger, built.get_user_function(), route))
    return tuple(found)


class Route(NamedTuple):
    """The method and path template of a function."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


SERVED = sorted(
    Route(method, str(function.trigger["route"]))
    for function in functions()
    if function.kind == "http"
    for method in function.methods
)
"""All routes."""
FILES = [
    route for route in SERVED if route.path.startswith(("static/", ".well-known/", "api/docs"))
]
"""What belongs to no session, such as the API's reference page, which is the same for all."""
API = [route for route in SERVED if route.path.startswith("api/") and route not in FILES]
PAGES = [route for route in SERVED if route not in API and route not in FILES]
