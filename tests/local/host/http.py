"""HTTP triggers: route templates, methods, authorisation levels, limits.

The worker runs the functions (docs: functions-bindings-http-webhook-trigger).
"""

import asyncio
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from tests.local.host.functions import Function, InvocationFailed
from tests.local.host.settings import HostSettings
from tests.local.host.workers import Workers

_CONSTRAINTS = {
    "guid": "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    "int": r"-?\d+",
    "long": r"-?\d+",
    "bool": "true|false",
    "alpha": "[A-Za-z]+",
}
QUERY_LIMIT = 2_048
"""Bytes of a query string that API Management, which stands before the app, accepts in its tiers
Consumption and v2 (docs: api-management-service-limits). Reports name 404 as its answer to more."""
_LITERAL, _CONSTRAINED, _PARAMETER, _REST = range(4)


@dataclass(frozen=True, slots=True)
class _Route:
    function: Function
    methods: frozenset[str]
    pattern: re.Pattern[str]
    order: tuple[int, ...]


class HttpTriggers:
    """Serves the HTTP functions of an app; `keys` are the host's keys by name."""

    def __init__(self, functions: list[Function], workers: Workers, settings: HostSettings) -> None:
        self._workers = workers
        self.keys = {name: secrets.token_urlsafe(32) for name in ("default", "master")}
        self._settings = settings
        self._routes = sorted(
            (_route(f, settings.route_prefix) for f in functions if f.kind == "httptrigger"),
            key=lambda route: route.order,
        )
        self._outstanding = 0
        at_once = settings.max_concurrent_requests
        self._places = asyncio.Semaphore(at_once) if at_once else None

    async def serve(self, http: web.Request) -> web.StreamResponse:
        """Answer one request. Without a route for path and method it is 404, as in Azure.

        A query string that is too long is 404 as well.
        """
        if len(http.rel_url.raw_query_string) > QUERY_LIMIT:
            return web.Response(status=404)
        path = http.rel_url.raw_path.strip("/")
        for route in self._routes:
            match = route.pattern.fullmatch(path)
            if match is None or http.method not in route.methods:
                continue
            if not self._allowed(route.function, http):
                return web.Response(status=401)
            values = {k: _decoded(v) for k, v in match.groupdict().items() if v is not None}
            return await self._admit(route.function, http, values)
        if not path:
            return self._homepage()
        return web.Response(status=404)

    def _homepage(self) -> web.Response:
        """The root answers 204 where AzureWebJobsDisableHomepage is set (host's middleware)."""
        if not self._settings.homepage:
            return web.Response(status=204)
        return web.Response(text="Your function app is up and running.", content_type="text/html")

    def _allowed(self, function: Function, http: web.Request) -> bool:
        level = str(function.trigger.get("authLevel", "function")).lower()
        if level == "anonymous":
            return True
        given = http.headers.get("x-functions-key") or http.query.get("code") or ""
        accepted = ["master"] if level == "admin" else ["default", "master"]
        return any(hmac.compare_digest(given.encode(), self.keys[n].encode()) for n in accepted)

    async def _admit(
        self, function: Function, http: web.Request, route: Mapping[str, str]
    ) -> web.StreamResponse:
        most = self._settings.max_outstanding_requests
        if most is not None and self._outstanding >= most:
            return web.Response(status=429)
        self._outstanding += 1
        try:
            if self._places is None:
                return await self._call(function, http, route)
            async with self._places:
                return await self._call(function, http, route)
        finally:
            self._outstanding -= 1

    async def _call(
        self, function: Function, http: web.Request, route: Mapping[str, str]
    ) -> web.StreamResponse:
        wanted = {
            "kind": "http",
            "method": http.method,
            "url": str(http.url),
            "headers": _headers(http),
            "query": {name: ",".join(http.query.getall(name)) for name in http.query},
            "params": route,
            "traced": {name.lower(): value for name, value in http.headers.items()},
        }
        try:
            answer, body = await self._workers.invoke(function, wanted, await http.read())
        except InvocationFailed:
            return web.Response(status=500)
        return _response(answer, body)


def _route(function: Function, prefix: str) -> _Route:
    template = str(function.trigger.get("route") or function.name).strip("/")
    pattern, order = "", []
    for part in "/".join(p for p in (prefix, template) if p).split("/"):
        slash = "/" if pattern else ""
        match = re.fullmatch(r"\{(\*?)(\w+)(?::(\w+(?:\(\d+\))?))?(\?)?\}", part)
        if match is None:
            pattern += slash + re.escape(part)
            order.append(_LITERAL)
            continue
        rest, name, constraint, optional = match.groups()
        kind = ".*" if rest else _constraint(constraint) if constraint else "[^/]+"
        pattern += f"(?:{slash}(?P<{name}>{kind})){'?' if optional else ''}"
        order.append(_REST if rest else _CONSTRAINED if constraint else _PARAMETER)
    methods = [str(m).upper() for m in function.trigger.get("methods") or ("GET", "POST")]
    compiled = re.compile(pattern, re.IGNORECASE)
    return _Route(function, frozenset(methods), compiled, tuple(order))


def _constraint(text: str) -> str:
    """Return a route constraint as a pattern (docs: ASP.NET Core, route constraints)."""
    length = re.fullmatch(r"maxlength\((\d+)\)", text)
    return f"[^/]{{0,{length[1]}}}" if length else _CONSTRAINTS[text]


def _headers(http: web.Request) -> dict[str, str]:
    """Return the headers, with the caller's address as App Service's front end appends it."""
    headers = {name: ",".join(http.headers.getall(name)) for name in http.headers}
    peer = http.transport.get_extra_info("peername") if http.transport else None
    if peer:
        before = headers.get("X-Forwarded-For")
        address = f"{peer[0]}:{peer[1]}"
        headers["X-Forwarded-For"] = f"{before}, {address}" if before else address
    return headers


def _decoded(value: str) -> str:
    """Decode a part of the path; an encoded slash stays encoded, as ASP.NET Core leaves it."""
    return "%2F".join(unquote(part) for part in re.split("%2[fF]", value))


def _response(answer: Mapping[str, Any], body: bytes) -> web.Response:
    if answer["text"]:
        return web.Response(text=body.decode())
    response = web.Response(status=answer["status"], body=body)
    for name, value in answer["headers"]:
        if name.lower() != "set-cookie":
            response.headers.pop(name, None)
        response.headers.add(name, value)
    return response
