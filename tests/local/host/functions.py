"""The functions of an app, indexed by Microsoft's own worker library, and their invocation.

Input and output bindings are out of scope: an app that has any is refused.
"""

import asyncio
import functools
import inspect
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from azure_functions_runtime.bindings.context import Context
from azure_functions_runtime.bindings.retrycontext import RetryContext
from azure_functions_runtime.bindings.tracecontext import TraceContext
from azure_functions_runtime.loader import index_function_app

from tests.local.host.telemetry import Telemetry

_log = logging.getLogger("host")


class InvocationFailed(Exception):
    """A function raised, or took longer than the host allows."""


@dataclass(frozen=True, slots=True)
class Function:
    """One function: its trigger's binding as the worker reports it, and the code to call."""

    name: str
    trigger: Mapping[str, Any]
    call: Callable[..., Any]
    folder: Path
    telemetry: Telemetry

    @property
    def kind(self) -> str:
        """The trigger's type, in lower case: httptrigger, queuetrigger, timertrigger."""
        return str(self.trigger["type"]).lower()

    def as_json(self) -> dict[str, Any]:
        return {"function": self.name, "trigger": dict(self.trigger)}

    async def invoke(
        self,
        argument: object,
        limit: timedelta | None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """Run the function, in a thread if it is not async. Logs errors, raises `InvocationFailed`.

        `headers` are those of an HTTP call.
        """
        invocation = str(uuid4())
        given = {str(self.trigger["name"]): argument}
        with self.telemetry.invocation(self.name, headers) as traceparent:
            context = self._context(invocation, traceparent)
            if "context" in inspect.signature(self.call).parameters:
                given["context"] = context
            try:
                async with asyncio.timeout(limit.total_seconds() if limit else None):
                    if inspect.iscoroutinefunction(self.call):
                        place = self.telemetry.context_of(context)
                        return await asyncio.create_task(self.call(**given), context=place)
                    work = functools.partial(self.call, **given)
                    return await asyncio.get_running_loop().run_in_executor(None, work)
            except Exception as error:
                _log.exception("%s failed (invocation %s)", self.name, invocation)
                raise InvocationFailed(self.name) from error

    def _context(self, invocation: str, parent: str) -> Context:
        return Context(
            self.name,
            str(self.folder),
            invocation,
            threading.local(),
            TraceContext(parent, "", {}),
            RetryContext(0, 0, None),
        )


def load(folder: Path, telemetry: Telemetry, script: str = "function_app.py") -> list[Function]:
    """Index the app in a folder. Raises `NotImplementedError` for unsupported bindings."""
    sys.path.insert(0, str(folder))
    found: list[Function] = []
    for function in index_function_app(script):
        bindings = [json.loads(text) for text in function.get_raw_bindings()]
        trigger = next(b for b in bindings if b["type"].lower().endswith("trigger"))
        name = str(function.get_function_name())
        others = [b["type"] for b in bindings if b is not trigger and b["type"].lower() != "http"]
        if others:
            raise NotImplementedError(f"{name}: unsupported bindings: {', '.join(others)}.")
        resolved = {key: _resolved(value) for key, value in trigger.items()}
        found.append(Function(name, resolved, function.get_user_function(), folder, telemetry))
    return found


def _resolved(value: Any) -> Any:
    """Replace %NAME% with the application setting of that name (docs: binding expressions)."""
    if not isinstance(value, str):
        return value
    return re.sub(r"%(\w+)%", lambda match: os.environ[match[1]], value)
