"""The settings of host.json, with the host's own defaults.

host.json can be overridden by application settings, `AzureFunctionsJobHost__a__b` for `a.b`
(docs: functions-host-json, override host.json values). All times can be made shorter by one factor.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

_OVERRIDE = "AzureFunctionsJobHost__"
_UNLIMITED = -1
STOPPED_ITSELF = 70
"""The exit code of a host that stops as Microsoft's does, and is started again."""

_SPEED = "LOCAL_HOST_SPEED"
_HELD_FOR = "LOCAL_HOST_HELD_FOR"
_GROUPS = "LOCAL_HOST_GROUPS"
_HOLD = 600
_LARGEST_BATCH = 32
_SPAN = re.compile(r"(?:(\d+)\.)?(\d+):(\d+):(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class HostSettings:
    """Settings of the host; a limit of None is no limit (docs: functions-host-json).

    Times here are already divided by `speed` (LOCAL_HOST_SPEED, by default 1: real time).
    `held_for` is how many seconds a message stays invisible while it is processed, unless renewed:
    ten minutes in Azure, or LOCAL_HOST_HELD_FOR seconds. With `groups` (LOCAL_HOST_GROUPS=1) each
    group of functions has a worker process of its own, as on Flex Consumption.
    """

    route_prefix: str
    max_outstanding_requests: int | None
    max_concurrent_requests: int | None
    batch_size: int
    new_batch_threshold: int
    max_dequeue_count: int
    visibility_timeout: timedelta
    max_polling_interval: timedelta
    base64: bool
    function_timeout: timedelta | None
    homepage: bool
    open_telemetry: bool
    speed: float
    held_for: int
    groups: bool

    @property
    def told_of_sends(self) -> bool:
        """Whether the worker says what the app sends, instead of the host polling for it."""
        return self.speed > 1

    def scaled(self, seconds: float) -> float:
        """Return a duration of Azure's as long as it lasts here."""
        return seconds / self.speed


def host_settings(folder: Path, environment: Mapping[str, str]) -> HostSettings:
    """Read a folder's host.json and its overrides."""
    host = json.loads((folder / "host.json").read_text("utf-8"))
    for name, value in environment.items():
        if name.startswith(_OVERRIDE):
            _override(host, name.removeprefix(_OVERRIDE).split("__"), value)
    extensions = host.get("extensions", {})
    http, queues = extensions.get("http", {}), extensions.get("queues", {})
    batch_size = min(int(queues.get("batchSize", 16)), _LARGEST_BATCH)
    speed = float(environment.get(_SPEED, "1"))
    timeout = str(host.get("functionTimeout", "00:30:00"))
    return HostSettings(
        route_prefix=str(http.get("routePrefix", "api")).strip("/"),
        max_outstanding_requests=_limit(http.get("maxOutstandingRequests", _UNLIMITED)),
        max_concurrent_requests=_limit(http.get("maxConcurrentRequests", _UNLIMITED)),
        batch_size=batch_size,
        new_batch_threshold=int(
            queues.get("newBatchThreshold", batch_size // 2 * (os.cpu_count() or 1))
        ),
        max_dequeue_count=int(queues.get("maxDequeueCount", 5)),
        visibility_timeout=_span(queues.get("visibilityTimeout", "00:00:00")) / speed,
        max_polling_interval=_span(queues.get("maxPollingInterval", "00:01:00")) / speed,
        base64=str(queues.get("messageEncoding", "base64")).lower() == "base64",
        function_timeout=None if timeout == str(_UNLIMITED) else _span(timeout) / speed,
        homepage=environment.get("AzureWebJobsDisableHomepage", "").lower() != "true",
        open_telemetry=str(host.get("telemetryMode", "")).lower() == "opentelemetry",
        speed=speed,
        held_for=int(environment.get(_HELD_FOR) or max(1, round(_HOLD / speed))),
        groups=environment.get(_GROUPS, "") == "1",
    )


def _override(host: dict[str, Any], path: list[str], value: str) -> None:
    *parents, last = path
    for part in parents:
        host = host.setdefault(part, {})
    host[last] = value


def _limit(value: object) -> int | None:
    return None if int(str(value)) == _UNLIMITED else int(str(value))


def _span(text: str) -> timedelta:
    """A .NET TimeSpan: [d.]hh:mm:ss[.f]; raises `ValueError`."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a time span.")
    days, hours, minutes, seconds = match.groups(default="0")
    return timedelta(days=int(days), hours=int(hours), minutes=int(minutes), seconds=float(seconds))
