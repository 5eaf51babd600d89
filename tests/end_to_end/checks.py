"""Helpers of the API tests: raw bodies, headers, problems."""

from collections.abc import Mapping
from typing import Any

from tests.local.client import Api, Json, Reply
from tests.world import World

UNKNOWN = "0123456789abcdef" * 2


async def raw(api: Api, method: str, path: str, content: bytes, **headers: str) -> Reply:
    """Send a raw body."""
    given = {"Authorization": f"Bearer {api.token}", "Content-Type": "application/json", **headers}
    url = f"{api.client.addresses['api']}{path}"
    return await api.client.send(method, url, headers=given, raw=content)


def header(reply: Reply, name: str) -> str:
    """Return a header; its name is not case-sensitive."""
    return next(v for n, v in reply.headers.items() if n.lower() == name.lower())


def problem(reply: Reply, status: int, kind: str) -> Json:
    """Check that the reply is this problem, as RFC 9457 defines it, and return its body."""
    assert reply.status == status, reply.body
    assert header(reply, "Content-Type").startswith("application/problem+json")
    assert reply.body["status"] == status
    assert reply.body["type"] == f"urn:contact-sync:problem:{kind}"
    assert reply.body["title"]
    assert reply.body["detail"]
    assert reply.body["instance"] == f"urn:uuid:{header(reply, 'X-Correlation-Id')}"
    return dict(reply.body)


def fields(body: Mapping[str, Any]) -> set[str]:
    return {error["field"] for error in body["errors"]}


def an_import(world: World, share: str, **more: Any) -> Json:
    return {"name": "Import", "shareId": share, "targets": {"users": world.targets}, **more}
