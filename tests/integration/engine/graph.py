"""A client of the Graph simulator, as an app with some permissions."""

from typing import Any
from uuid import uuid4

from tests.local.client import Client, Json, Reply
from tests.local.entra.tokens import GRAPH_PERMISSIONS
from tests.world import World


class Graph:
    """Graph as an app of a tenant sees it."""

    def __init__(self, world: World, token: str) -> None:
        self.world = world
        self._token = token
        self._root = world.client.addresses["graph"]
        self.box = f"/users/{world.targets[0]}"

    async def __call__(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        url = path if path.startswith("http") else f"{self._root}{path}"
        given = {"Authorization": f"Bearer {self._token}", **headers}
        return await self.world.client.send(method, url, body, given)

    async def batch(self, *requests: Json) -> dict[str, Json]:
        reply = (await self("POST", "/$batch", {"requests": list(requests)})).expect(200)
        return {part["id"]: part for part in reply.body["responses"]}

    async def folder(self, **more: Any) -> str:
        body = {"displayName": f"F {uuid4().hex[:6]}", **more}
        made = await self("POST", f"{self.box}/contactFolders", body)
        return str(made.expect(201).body["id"])


async def graph_token(client: Client, tenant: str, *roles: str) -> str:
    claims = {"aud": "https://graph.microsoft.com", "roles": list(roles or GRAPH_PERMISSIONS)}
    return await client.token(tenant, claims=claims)


def code(reply: Reply) -> tuple[int, str]:
    return reply.status, reply.body["error"]["code"]
