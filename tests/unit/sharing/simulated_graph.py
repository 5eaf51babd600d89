"""The Graph simulator in this process, without a host, a network or tokens.

A test changes its directory and mailboxes directly, adds faults, and counts what was asked of it.
"""

from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import orjson

from shared.adapters.graph.transport import Graph, GraphSession, Meter
from shared.adapters.graph.wire import WireRequest, WireResponse
from tests.local.entra.tokens import GRAPH_PERMISSIONS
from tests.local.graph.mailboxes.mailbox import Mailbox
from tests.local.graph.protocol import Answer, GraphError, Request
from tests.local.graph.server import GraphServer, GraphSettings
from tests.local.graph.server import Tenant as SimulatedTenant

ROOT: Final = "https://graph.example/v1.0"
TENANT: Final = "t"
ROLES: Final = frozenset(GRAPH_PERMISSIONS)

type Json = dict[str, Any]


def guid(number: int) -> str:
    """Return an object id."""
    return str(UUID(int=0x4000_8000 << 64 | number))


@dataclass(slots=True)
class SimulatedGraph:
    """The simulator as the wire of a session; `meter` counts what the session sends."""

    server: GraphServer = field(
        default_factory=lambda: GraphServer(GraphSettings(verify=lambda _: {}, base_url=ROOT))
    )
    meter: Meter = field(default_factory=Meter)
    sent: list[WireRequest] = field(default_factory=list)
    roles: frozenset[str] = ROLES

    @property
    def tenant(self) -> SimulatedTenant:
        """Return what the tenant holds."""
        return self.server.tenant(TENANT)

    def session(self) -> GraphSession:
        """Talk to it as the app talks to Graph."""
        return Graph(ROOT, self).session(TENANT, self.meter)

    def add_user(self, number: int, photo: bytes | None = None, **more: Any) -> str:
        """Add a user with a mailbox, and return the id."""
        id_ = guid(number)
        name = f"person{number}"
        self.tenant.directory.users[id_] = {
            "id": id_,
            "displayName": name,
            "mail": f"{name}@x.example",
            "userPrincipalName": f"{name}@x.example",
            **more,
        }
        self.tenant.mailboxes[id_] = Mailbox()
        self.tenant.mailboxes[id_].photo = photo
        return id_

    def add_group(self, number: int, members: list[str], **more: Any) -> str:
        """Add a group, and return its id."""
        id_ = guid(number)
        group = {"id": id_, "displayName": f"group{number}", "members": members, **more}
        self.tenant.directory.groups[id_] = group
        return id_

    def add_org_contact(self, number: int, **more: Any) -> str:
        """Add an organizational contact, and return its id."""
        id_ = guid(number)
        name = f"contact{number}"
        contact = {"id": id_, "displayName": name, "mail": f"{name}@y.example", **more}
        self.tenant.directory.contacts[id_] = contact
        return id_

    def fail(self, path: str, effect: Json, times: int = 1_000) -> None:
        """Answer requests whose path matches with an effect of the control interface."""
        self.server.faults.add({"match": {"path": path}, "times": times, "effect": effect})

    def asked(self, route: str) -> int:
        """Return how often a route was asked, alone or in batches."""
        counts = self.server.meter.as_json()["tenants"].get(TENANT, {"routes": {}})["routes"]
        found = counts.get(route, {"http": 0, "batchItems": 0})
        return int(found["http"]) + int(found["batchItems"])

    async def send(self, request: WireRequest) -> WireResponse:
        """Answer one request, as `Wire` says."""
        self.sent.append(request)
        body = orjson.loads(request.body) if request.body else None
        headers = {name.lower(): value for name, value in request.headers.items()}
        headers.setdefault("content-type", "application/json")
        url = request.url.removeprefix(ROOT)
        parsed = Request.parse(request.tenant, self.roles, request.method, url, headers, body)
        try:
            answer = await self.server.answer(parsed)
        except GraphError as error:
            answer = error.answer()
        names = {name.lower(): value for name, value in answer.headers.items()}
        return WireResponse(answer.status, _content(answer), names)

    async def close(self) -> None:
        """Close nothing: all of it lives in this process."""


def _content(answer: Answer) -> bytes:
    if isinstance(answer.body, bytes):
        return answer.body
    return b"" if answer.body is None else orjson.dumps(answer.body)
