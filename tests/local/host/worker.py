"""The worker's process: loads an app through Microsoft's own worker library and runs its functions.

The host starts `python -m tests.local.host.worker SOCKET FOLDER HOST`: a socket's file descriptor,
over which come invocations, the app's clock and the end; the app; the host's process id. It dies
with the host.
Input and output bindings are out of scope: an app that has any is refused.
"""

import asyncio
import ctypes
import functools
import inspect
import json
import logging
import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from azure.functions import meta
from azure.functions.http import HttpRequestConverter, HttpResponseConverter
from azure.functions.queue import QueueMessageInConverter
from azure.functions.timer import TimerRequestConverter
from azure_functions_runtime.bindings.context import Context
from azure_functions_runtime.bindings.retrycontext import RetryContext
from azure_functions_runtime.bindings.tracecontext import TraceContext
from azure_functions_runtime.loader import index_function_app

from tests.local.host.frames import Frames
from tests.local.host.logs import log_to_stderr
from tests.local.host.sends import tell_sends
from tests.local.host.settings import host_settings
from tests.local.host.telemetry import Telemetry

_log = logging.getLogger("host")
_TOLD_EVERY: Final = 1.0
_DIE_WITH_PARENT: Final = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


@dataclass(frozen=True, slots=True)
class Code:
    """One function of the app: its trigger's binding, and what to call."""

    name: str
    trigger: Mapping[str, Any]
    call: Callable[..., Any]


def load(folder: Path, script: str = "function_app.py") -> list[Code]:
    """Index the app in a folder. Raises `NotImplementedError` for unsupported bindings."""
    sys.path.insert(0, str(folder))
    found: list[Code] = []
    for function in index_function_app(script):
        bindings = [json.loads(text) for text in function.get_raw_bindings()]
        trigger = next(b for b in bindings if b["type"].lower().endswith("trigger"))
        name = str(function.get_function_name())
        others = [b["type"] for b in bindings if b is not trigger and b["type"].lower() != "http"]
        if others:
            raise NotImplementedError(f"{name}: unsupported bindings: {', '.join(others)}.")
        resolved = {key: _resolved(value) for key, value in trigger.items()}
        found.append(Code(name, resolved, function.get_user_function()))
    return found


class Worker:
    """Runs what the host asks for, all at once on one event loop."""

    def __init__(self, folder: Path, functions: list[Code], telemetry: Telemetry) -> None:
        self._folder = folder
        self._functions = {function.name: function for function in functions}
        self._telemetry = telemetry
        self._offset = timedelta()
        self._running: set[asyncio.Task[None]] = set()

    def now(self) -> datetime:
        """Return the app's time: the machine's, shifted as the host says."""
        return datetime.now(UTC) + self._offset

    async def serve(self, frames: Frames) -> None:
        """Serve until the host says stop. Ends the process at once if the host is gone."""
        telling = asyncio.create_task(self._tell_often(frames))
        described = [{"function": f.name, "trigger": f.trigger} for f in self._functions.values()]
        frames.send({"functions": described})
        while (frame := await frames.read()) is not None:
            header, body = frame
            match header["do"]:
                case "invoke":
                    self._begin(self._invoke(frames, header, body))
                case "clock":
                    self._offset = timedelta(seconds=header["offset"])
                case "tell":
                    self._tell(frames)
                    frames.send({"id": header["id"], "metrics": self._telemetry.metrics()})
                case "stop":
                    telling.cancel()
                    self._tell(frames)
                    return
        os.kill(os.getpid(), signal.SIGKILL)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _invoke(self, frames: Frames, header: Mapping[str, Any], body: bytes) -> None:
        function = self._functions[header["function"]]
        try:
            result = await self._run(function, header, body)
            answer, content = _encoded(result) if header["kind"] == "http" else ({}, b"")
        except Exception:  # noqa: BLE001 - a function may raise anything; the host handles it
            _log.exception("%s failed (invocation %s)", function.name, header["invocation"])
            frames.send({"id": header["id"], "ok": False})
        else:
            frames.send({"id": header["id"], "ok": True, **answer}, content)

    async def _run(self, function: Code, header: Mapping[str, Any], body: bytes) -> Any:
        """Run the function, in a thread if it is not async."""
        given = {str(function.trigger["name"]): _ARGUMENTS[header["kind"]](header, body)}
        with self._telemetry.invocation(function.name, header.get("traced")) as traceparent:
            context = self._context(function.name, header["invocation"], traceparent)
            if "context" in inspect.signature(function.call).parameters:
                given["context"] = context
            if inspect.iscoroutinefunction(function.call):
                place = self._telemetry.context_of(context)
                return await asyncio.create_task(function.call(**given), context=place)
            work = functools.partial(function.call, **given)
            return await asyncio.get_running_loop().run_in_executor(None, work)

    def _context(self, name: str, invocation: str, parent: str) -> Context:
        return Context(
            name,
            str(self._folder),
            invocation,
            threading.local(),
            TraceContext(parent, "", {}),
            RetryContext(0, 0, None),
        )

    async def _tell_often(self, frames: Frames) -> None:
        while True:
            await self._telemetry.something.wait()
            await asyncio.sleep(_TOLD_EVERY)
            self._tell(frames)

    def _tell(self, frames: Frames) -> None:
        spans, logs = self._telemetry.take()
        if spans or logs:
            frames.send({"spans": len(spans)}, b"\n".join((*spans, *logs)))


def _http(header: Mapping[str, Any], body: bytes) -> Any:
    """Return the request as the worker passes it on, by the library's own converter."""
    parts: dict[str, Any] = {
        "method": _text(header["method"]),
        "url": _text(header["url"]),
        "headers": _texts(header["headers"]),
        "query": _texts(header["query"]),
        "params": _texts(header["params"]),
        "body": meta.Datum(body, "bytes"),
    }
    return HttpRequestConverter.decode(meta.Datum(parts, "http"), trigger_metadata=None)


def _queue(header: Mapping[str, Any], body: bytes) -> Any:
    """Return the message, likewise: as text unless the binding says binary."""
    data = meta.Datum(body, "bytes") if header["binary"] else _text(body.decode())
    metadata = {
        name: meta.Datum(value, "json" if name.endswith("Time") else "string")
        for name, value in header["metadata"].items()
    }
    return QueueMessageInConverter.decode(data, trigger_metadata=metadata)


def _timer(header: Mapping[str, Any], body: bytes) -> Any:
    """Return the timer's state, likewise."""
    del header
    return TimerRequestConverter.decode(meta.Datum(body.decode(), "json"), trigger_metadata=None)


_ARGUMENTS: Final = {"http": _http, "queue": _queue, "timer": _timer}


def _encoded(result: object) -> tuple[dict[str, Any], bytes]:
    encoded = HttpResponseConverter.encode(result, expected_type=None)
    if encoded.type == "string":
        return {"status": 200, "headers": [], "text": True}, str(encoded.value).encode()
    parts: dict[str, Any] = encoded.value
    headers = [(name, value.value) for name, value in parts["headers"].items()]
    headers += [
        ("Set-Cookie", morsel.OutputString())
        for cookie in parts["cookies"] or ()
        for morsel in cookie.values()
    ]
    body = parts["body"].value or b""
    answer = {"status": int(parts["status_code"].value), "headers": headers, "text": False}
    return answer, body.encode() if isinstance(body, str) else bytes(body)


def _text(value: str) -> meta.Datum:
    return meta.Datum(value, "string")


def _texts(values: Mapping[str, str]) -> dict[str, meta.Datum]:
    return {name: _text(value) for name, value in values.items()}


def _resolved(value: Any) -> Any:
    """Replace %NAME% with the application setting of that name (docs: binding expressions)."""
    if not isinstance(value, str):
        return value
    return re.sub(r"%(\w+)%", lambda match: os.environ[match[1]], value)


def _die_with(host: int) -> None:
    """Let the kernel kill this process when the host ends, even by SIGKILL. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != host:
        os.kill(os.getpid(), signal.SIGKILL)


async def _main(end: socket.socket, folder: Path) -> None:
    settings = host_settings(folder, os.environ)
    telemetry = Telemetry(on=settings.open_telemetry)
    frames = await Frames.over(end)
    if settings.told_of_sends:
        tell_sends(lambda queue, delay: frames.send({"sent": queue, "delay": delay}))
    worker = Worker(folder, load(folder), telemetry)
    # The app's own module knows nothing of tests; an app without it takes the clock by itself.
    module = sys.modules.get("shared.wiring.app") or sys.modules["function_app"]
    module.use_clock(worker.now)
    await worker.serve(frames)
    await module.close()
    frames.close()


if __name__ == "__main__":
    _die_with(int(sys.argv[3]))
    log_to_stderr()
    asyncio.run(_main(socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2])))
