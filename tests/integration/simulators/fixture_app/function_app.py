"""Triggers of every kind that the local host serves; they record what they receive."""

import asyncio
import json
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

_seen: defaultdict[str, list[Any]] = defaultdict(list)
_clocks: list[Callable[[], datetime]] = []
_at_once: defaultdict[str, int] = defaultdict(int)


def use_clock(clock: Callable[[], datetime]) -> None:
    """Take the clock that the host moves, as the app does."""
    _clocks[:] = [clock]


async def close() -> None:
    """Close nothing, where the app closes its connections."""


def _json(body: object) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(body), mimetype="application/json")


async def _linger(what: str) -> None:
    """Wait a moment, and record how many calls wait at once."""
    _at_once[what] += 1
    _seen[what].append(_at_once[what])
    await asyncio.sleep(0.2)
    _at_once[what] -= 1


@app.route("api/health", methods=["GET"])
async def health(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(f"{req.method} is fine")


@app.route("api/seen/{what}", methods=["GET"])
async def seen(req: func.HttpRequest) -> func.HttpResponse:
    return _json(_seen[req.route_params["what"]])


@app.route("api/echo/{id:guid}/{extra?}", methods=["GET", "POST"])
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    return _json(
        {
            "method": req.method,
            "headers": dict(req.headers),
            "params": dict(req.params),
            "route": dict(req.route_params),
            "body": req.get_body().decode(),
        }
    )


@app.route("api/things/{name}", methods=["GET"])
async def thing(req: func.HttpRequest) -> func.HttpResponse:
    return _json({"thing": req.route_params["name"]})


@app.route("api/things/special", methods=["GET"])
async def special(req: func.HttpRequest) -> func.HttpResponse:
    return _json({"special": req.method})


@app.route("api/cookies", methods=["GET"])
async def cookies(req: func.HttpRequest) -> func.HttpResponse:
    answer = func.HttpResponse(f"<p>{req.method}</p>", status_code=202, mimetype="text/html")
    answer.headers.add("Set-Cookie", "one=1; HttpOnly; Path=/")
    answer.headers.add("Set-Cookie", "two=2; SameSite=Strict")
    return answer


@app.route("api/broken", methods=["GET"])
async def broken(req: func.HttpRequest) -> func.HttpResponse:
    raise RuntimeError(req.method)


@app.route("api/endless", methods=["GET"])
async def endless(req: func.HttpRequest) -> func.HttpResponse:
    await asyncio.sleep(3600)
    return func.HttpResponse(req.method)


@app.route("api/slow", methods=["GET"])
async def slow(req: func.HttpRequest) -> func.HttpResponse:
    await _linger("slow")
    return func.HttpResponse(req.method)


@app.route("api/blocking", methods=["GET"])
def blocking(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    return _json(
        {
            "method": req.method,
            "function": context.function_name,
            "invocation": context.invocation_id,
            "main thread": threading.current_thread() is threading.main_thread(),
        }
    )


@app.route("api/keyed", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def keyed(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(req.method)


@app.route("api/admin-only", methods=["GET"], auth_level=func.AuthLevel.ADMIN)
async def admin_only(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(req.method)


@app.queue_trigger("message", "%WORK_QUEUE%", "AzureWebJobsStorage")
async def work(message: func.QueueMessage) -> None:
    text = message.get_body().decode()
    count = message.dequeue_count
    _seen[text].append({"id": message.id, "dequeue_count": count, "at": time.time()})
    if text.startswith("fail"):
        raise RuntimeError(text)
    if text.startswith("linger"):
        await _linger("work")
    if text.startswith("sleep"):
        await asyncio.sleep(float(text.removeprefix("sleep")))
    if text.startswith("crash"):
        os._exit(3)
    if text.startswith("stay") and count == 1:
        await _stay(text)


async def _stay(name: str) -> None:
    """Leave a file in the end, unless the process is killed first."""
    try:
        await asyncio.sleep(3600)
    finally:
        (Path(os.environ["TRACES"]) / name).touch()


@app.queue_trigger("message", "bytes", "AzureWebJobsStorage", func.DataType.BINARY)
async def take_bytes(message: func.QueueMessage) -> None:
    _seen["bytes"].append(message.get_body().hex())


@app.queue_trigger("message", "sour", "AzureWebJobsStorage")
async def sour(message: func.QueueMessage) -> None:
    raise RuntimeError(message.get_body().decode())


@app.queue_trigger("message", "sour-poison", "AzureWebJobsStorage")
async def handle_poison(message: func.QueueMessage) -> None:
    text = message.get_body().decode()
    _seen["poison"].append(text)
    if text == "fail again":
        raise RuntimeError(text)


@app.timer_trigger("timer", "0 0 3 * * *")
async def nightly(timer: func.TimerRequest) -> None:
    _seen["nightly"].append({"past_due": timer.past_due, "now": _clocks[0]().isoformat()})


@app.timer_trigger("timer", "0 0 5 * * *")
async def lengthy(timer: func.TimerRequest) -> None:
    with (Path(os.environ["TRACES"]) / "lengthy").open("a") as file:
        file.write(f"{timer.past_due}\n")
    await asyncio.sleep(1)


@app.timer_trigger("timer", "0 0 4 29 2 *")
async def failing(timer: func.TimerRequest) -> None:
    raise RuntimeError(str(timer.past_due))
