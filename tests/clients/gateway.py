"""A gateway between a client's program and the local cloud, which causes what a program must treat.

It limits the calls once (429), and lets another admin change an import just before the program does
(412). Once `grown`, every text of an answer that may have further values has one that nobody knows.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from shared.web.openapi.document import document
from tests.local.ports import free_port
from tests.world import World

NOVEL = "novel"
_KEPT = ("Authorization", "Content-Type", "Accept", "If-Match", "Idempotency-Key")
_LIMITED = {
    "type": "urn:contact-sync:problem:too-many-requests",
    "title": "Too many requests",
    "status": 429,
    "code": "too_many_calls",
    "detail": "You exceeded the number of calls per minute. Wait as long as Retry-After says.",
    "instance": "urn:uuid:00000000000000000000000000000000",
}


class Gateway:
    """Passes calls on; `statuses` are those that the program got."""

    def __init__(self, world: World, session: aiohttp.ClientSession) -> None:
        self.address = ""
        self.grown = False
        self.statuses: list[int] = []
        self._world = world
        self._session = session

    async def answer(self, call: web.Request) -> web.Response:
        """Answer one call."""
        answer = await self._answered(call)
        self.statuses.append(answer.status)
        return answer

    async def _answered(self, call: web.Request) -> web.Response:
        path = call.path_qs.removeprefix("/api/v1")
        if 429 not in self.statuses and path.startswith("/runs/"):
            return web.json_response(
                _LIMITED,
                status=429,
                headers={"Retry-After": "1"},
                content_type="application/problem+json",
            )
        if call.method == "PATCH" and 412 not in self.statuses:
            await self._world.api.patch(path, {"name": "Changed by another admin"}, 200)
        url = f"{self._world.client.addresses['api']}{path}"
        given = {name: call.headers[name] for name in _KEPT if name in call.headers}
        async with self._session.request(
            call.method, url, data=await call.read(), headers=given
        ) as got:
            body = await got.json(content_type=None)
            kind = got.content_type
            if self.grown:
                body = grown(body, _answer(call.method, call.path, got.status))
            return web.json_response(body, status=got.status, content_type=kind)


@asynccontextmanager
async def gateway(world: World) -> AsyncIterator[Gateway]:
    """Open a gateway before a world's API."""
    async with aiohttp.ClientSession() as session:
        made = Gateway(world, session)
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", made.answer)
        runner = web.AppRunner(app)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        made.address = f"http://127.0.0.1:{port}/api/v1"
        try:
            yield made
        finally:
            await runner.cleanup()


def grown(value: Any, schema: Mapping[str, Any]) -> Any:
    """Return an answer as a later version may send it: unknown values and a further property."""
    schema = _resolved(schema)
    if isinstance(value, list):
        return [grown(item, schema.get("items", {})) for item in value]
    if isinstance(value, dict):
        fields, others = schema.get("properties", {}), schema.get("additionalProperties")
        other = others if isinstance(others, dict) else {}
        made = {name: grown(item, fields.get(name, other)) for name, item in value.items()}
        return {**made, "inFuture": NOVEL} if fields else made
    return NOVEL if isinstance(value, str) and "x-extensible-enum" in schema else value


def _resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return dict(document()["components"]["schemas"][name])
    if "oneOf" in schema:
        return _resolved(schema["oneOf"][0])
    return schema


def _answer(method: str, path: str, status: int) -> Mapping[str, Any]:
    """Return the schema of an answer to a call of this path."""
    parts = path.removeprefix("/api/v1").split("/")
    for template, operations in document()["paths"].items():
        names = template.split("/")
        if len(names) == len(parts) and all(
            name == part or name.startswith("{") for name, part in zip(names, parts, strict=True)
        ):
            found = operations[method.lower()]["responses"][str(status)]
            if "$ref" in found:
                found = document()["components"]["responses"][found["$ref"].rpartition("/")[2]]
            return dict(next(iter(json.loads(json.dumps(found["content"])).values()))["schema"])
    raise LookupError(path)
