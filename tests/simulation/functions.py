"""The functions of the app by what triggers them, and when timers fire."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any


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
    from function_app import app  # noqa: PLC0415 - takes a second, and only here

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


@cache
def seconds_of_day(schedule: str) -> tuple[int, ...]:
    """Return when a schedule of the form `s m h * * *` fires, in seconds of each day."""
    second, minute, hour, *rest = schedule.split()
    if rest != ["*", "*", "*"]:
        raise ValueError(f"not every day: {schedule}")
    return tuple(
        h * 3600 + m * 60 + s
        for h in _values(hour, 24)
        for m in _values(minute, 60)
        for s in _values(second, 60)
    )


def _values(text: str, end: int) -> list[int]:
    """Return the values that a field of a schedule means."""
    found: set[int] = set()
    for part in text.split(","):
        base, _, step = part.partition("/")
        first, last = (0, end - 1) if base == "*" else (int(base), int(base))
        if step and base != "*":
            last = end - 1
        found.update(range(first, last + 1, int(step or 1)))
    return sorted(found)
