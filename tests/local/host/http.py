"""HTTP triggers: route templates, methods, authorisation levels, real requests and responses."""

import hmac
import inspect
import logging
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import azure.functions as func
from aiohttp import web

from tests.local.host.functions import Function

_log = logging.getLogger("host.http")
_CONSTRAINTS = {
    "guid": "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    "int": r"-?\d+",
    "alpha": "[A-Za-z]+",
}


@dataclass(frozen=True, slots=True)
class _Route:
    function: Function
    methods: frozenset[str]
    pattern: re.Pattern[str]
    literals: int


class HttpTriggers:
    """Serves the HTTP functions of an app."""

    def __init__(self, functions: list[Function], prefix: str) -> None:
        self.key = secrets.token_urlsafe(32)
        self._routes = sorted(
            (_route(f, prefix) for f in functions if f.kind.lower() == "httptrigger"),
            key=lambda r: -r.literals,
        )

    async def serve(self, http: web.Request) -> web.StreamResponse:
        """Answer one request; what no route takes is 404, as the host does."""
        path = http.path.strip("/")
        for route in self._routes:
            match = route.pattern.fullmatch(path)
            if match is None or http.method not in route.methods:
                continue
            if not self._allowed(route.function, http):
                return web.Response(status=401)
            return await self._call(route.function, http, match.groupdict())
        return web.Response(status=404)

    def _allowed(self, function: Function, http: web.Request) -> bool:
        if str(function.trigger.get("authLevel", "function")).lower() == "anonymous":
            return True
        given = http.headers.get("x-functions-key") or http.query.get("code") or ""
        return hmac.compare_digest(given, self.key)

    async def _call(
        self, function: Function, http: web.Request, route: Mapping[str, str | None]
    ) -> web.StreamResponse:
        request = func.HttpRequest(
            method=http.method,
            url=str(http.url),
            headers=dict(http.headers),
            params=dict(http.query),
            route_params={k: v for k, v in route.items() if v is not None},
            body=await http.read(),
        )
        name = next(iter(inspect.signature(function.call).parameters))
        try:
            answer = await function.call(**{name: request})
        except Exception:  # noqa: BLE001 - a function may raise anything
            _log.exception("%s failed", function.name)
            return web.Response(status=500)
        return _response(answer)


def _route(function: Function, prefix: str) -> _Route:
    template = str(function.trigger.get("route") or function.name)
    whole = "/".join(part for part in (prefix, template) if part).strip("/")
    pattern, literals = "", 0
    for part in whole.split("/"):
        slash = "/" if pattern else ""
        match = re.fullmatch(r"\{(\*?)(\w+)(?::(\w+))?(\?)?\}", part)
        if match is None:
            pattern += slash + re.escape(part)
            literals += 1
            continue
        kind = ".*" if match[1] else _CONSTRAINTS.get(match[3] or "", "[^/]+")
        group = f"(?P<{match[2]}>{kind})"
        pattern += f"(?:{slash}{group})?" if match[4] else f"{slash}{group}"
    methods = [str(m).upper() for m in function.trigger.get("methods") or ("GET", "POST")]
    return _Route(function, frozenset(methods), re.compile(pattern, re.IGNORECASE), literals)


def _response(answer: Any) -> web.StreamResponse:
    if isinstance(answer, str):
        return web.Response(text=answer)
    response = web.Response(status=answer.status_code, body=answer.get_body())
    response.content_type = answer.mimetype
    if answer.mimetype.startswith("text/"):
        response.charset = answer.charset
    for name, value in answer.headers.items():
        if name.lower() == "content-type":
            response.headers[name] = value
        else:
            response.headers.add(name, value)
    return response
