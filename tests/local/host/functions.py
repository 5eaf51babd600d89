"""The functions of an app, indexed by Microsoft's own worker library, and the host's settings.

host.json can be overridden by application settings, `AzureFunctionsJobHost__a__b` for `a.b`
(docs: functions-host-json, override host.json values).
"""

import inspect
import json
import os
import re
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from azure_functions_runtime.loader import index_function_app

_OVERRIDE = "AzureFunctionsJobHost__"


@dataclass(frozen=True, slots=True)
class Function:
    """One function: its trigger's binding as the worker reports it, and what to call."""

    name: str
    trigger: Mapping[str, Any]
    call: Callable[..., Awaitable[Any]]

    @property
    def kind(self) -> str:
        return str(self.trigger["type"])

    def as_json(self) -> dict[str, Any]:
        return {"function": self.name, "trigger": dict(self.trigger)}


def load(folder: Path, script: str = "function_app.py") -> list[Function]:
    """Index the app in a folder; a binding that this host cannot serve is an error."""
    sys.path.insert(0, str(folder))
    found: list[Function] = []
    for function in index_function_app(script):
        bindings = [json.loads(text) for text in function.get_raw_bindings()]
        trigger = next(b for b in bindings if b["type"].lower().endswith("trigger"))
        call = function.get_user_function()
        others = [b for b in bindings if b is not trigger and b["type"].lower() != "http"]
        if others or not inspect.iscoroutinefunction(call):
            message = f"{function.get_function_name()}: only async functions without bindings."
            raise NotImplementedError(message)
        resolved = {name: _resolved(value) for name, value in trigger.items()}
        found.append(Function(function.get_function_name(), resolved, call))
    return found


def _resolved(value: Any) -> Any:
    """Replace %NAME% by the application setting of that name."""
    if not isinstance(value, str):
        return value
    return re.sub(r"%(\w+)%", lambda m: os.environ[m[1]], value)


@dataclass(frozen=True, slots=True)
class HostSettings:
    """What host.json says, with the host's defaults (docs: functions-host-json)."""

    route_prefix: str
    batch_size: int
    new_batch_threshold: int
    max_dequeue_count: int
    visibility_timeout: timedelta
    max_polling_interval: timedelta
    base64: bool
    function_timeout: timedelta | None


def host_settings(folder: Path, environment: Mapping[str, str]) -> HostSettings:
    """Read host.json and its overrides."""
    host = json.loads((folder / "host.json").read_text())
    for name, value in environment.items():
        if name.startswith(_OVERRIDE):
            *path, last = name.removeprefix(_OVERRIDE).split("__")
            place = host
            for part in path:
                place = place.setdefault(part, {})
            place[last] = value
    queues = host.get("extensions", {}).get("queues", {})
    batch_size = int(queues.get("batchSize", 16))
    timeout = host.get("functionTimeout")
    return HostSettings(
        route_prefix=str(host.get("extensions", {}).get("http", {}).get("routePrefix", "api")),
        batch_size=min(batch_size, 32),
        new_batch_threshold=int(queues.get("newBatchThreshold", batch_size // 2)),
        max_dequeue_count=int(queues.get("maxDequeueCount", 5)),
        visibility_timeout=_span(queues.get("visibilityTimeout", "00:00:00")),
        max_polling_interval=_span(queues.get("maxPollingInterval", "00:01:00")),
        base64=queues.get("messageEncoding", "base64") == "base64",
        function_timeout=_span(timeout) if timeout and timeout != "-1" else None,
    )


def _span(text: str) -> timedelta:
    hours, minutes, seconds = text.split(":")
    return timedelta(hours=int(hours), minutes=int(minutes), seconds=float(seconds))
