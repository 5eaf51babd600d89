"""Triggers of every kind that the local host serves; they record what they receive."""

import asyncio
import json
import threading
from collections import defaultdict
from typing import Any

import azure.functions as func

from shared.wiring import app as wiring

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

_seen: defaultdict[str, list[Any]] = defaultdict(list)
_at_once: defaultdict[str, int] = defaultdict(int)


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
    _seen[text].append({"id": message.id, "dequeue_count": message.dequeue_count})
    if text.startswith("fail"):
        raise RuntimeError(text)
    if text.startswith("linger"):
        await _linger("work")


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
    _seen["nightly"].append({"past_due": timer.past_due, "now": wiring._clock().isoformat()})


@app.timer_trigger("timer", "0 0 4 29 2 *")
async def failing(timer: func.TimerRequest) -> None:
    raise RuntimeError(str(timer.past_due))
