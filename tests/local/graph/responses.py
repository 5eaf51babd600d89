"""How an answer becomes an HTTP response: its headers, its links, gzip."""

import zlib

import orjson
from aiohttp import web

from tests.local.graph.protocol import Answer
from tests.local.graph.strict import replies

_COMPRESSED_FROM = 2_000
_GZIP = 31
"""Tells zlib to write the header of gzip."""


def of(answer: Answer, request_id: str, client_id: str) -> web.Response:
    """Return the response for an answer."""
    headers = {
        **replies.STANDARD_HEADERS,
        "request-id": request_id,
        "client-request-id": client_id,
        **answer.headers,
    }
    body = answer.body
    if body is None:
        return web.Response(status=answer.status, headers=headers)
    if not isinstance(body, bytes):
        is_error = answer.status >= 400
        headers.setdefault("Content-Type", "application/json" if is_error else replies.JSON_TYPE)
        if is_error and isinstance(body, dict) and isinstance(body.get("error"), dict):
            inner = body["error"].get("innerError") or {}
            headers["request-id"] = inner.get("request-id", request_id)
            inner["client-request-id"] = client_id
        body = orjson.dumps(body)
    return web.Response(status=answer.status, body=body, headers=headers)


def compress(response: web.Response, encodings: str) -> None:
    """Compress a long body of JSON, if the client takes gzip."""
    body = response.body
    if not isinstance(body, bytes) or response.content_type != "application/json":
        return
    if len(body) > _COMPRESSED_FROM and "gzip" in encodings.lower():
        response.headers["Content-Encoding"] = "gzip"
        response.body = zlib.compress(body, 1, _GZIP)


def lead_back(response: web.Response, ours: str, base: str) -> None:
    """Let the links of a response lead to the address that was asked, not to ours."""
    if isinstance(response.body, bytes) and response.content_type == "application/json":
        response.body = response.body.replace(ours.encode(), base.encode())
    if location := response.headers.get("Location"):
        response.headers["Location"] = location.replace(ours, base)
