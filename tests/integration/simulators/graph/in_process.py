"""The Graph simulator called in this process, with one tenant of a few objects."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any, Final

import orjson

from tests.local.entra.tokens import GRAPH_PERMISSIONS
from tests.local.graph.mailboxes.mailbox import Mailbox
from tests.local.graph.protocol import Answer, DropConnection, GraphError, Request
from tests.local.graph.server import GraphServer, GraphSettings

TENANT: Final = "11111111-1111-1111-1111-111111111111"
ADA: Final = "22222222-2222-2222-2222-222222222222"
BOB: Final = "33333333-3333-3333-3333-333333333333"
GROUP: Final = "44444444-4444-4444-4444-444444444444"
EVE: Final = "55555555-5555-5555-5555-555555555555"
BASE: Final = "https://graph.example/v1.0"
EVENTUAL: Final = {"consistencylevel": "eventual"}
BOX: Final = f"/users/{ADA}"


class Simulator:
    """One simulator whose tenant has the users Ada and Bob, a group and the contact Eve."""

    def __init__(self) -> None:
        self.server = GraphServer(GraphSettings(verify=lambda _: {}, base_url=BASE))
        tenant = self.server.tenant(TENANT)
        tenant.directory.users = {
            ADA: {"id": ADA, "displayName": "Ada", "mail": "ada@x.example", "surname": "A"},
            BOB: {"id": BOB, "displayName": "Bob", "mail": "bob@x.example", "manager": ADA},
        }
        tenant.directory.groups = {GROUP: {"id": GROUP, "displayName": "All", "members": [ADA]}}
        tenant.directory.contacts = {EVE: {"id": EVE, "displayName": "Eve"}}
        tenant.mailboxes[ADA] = Mailbox()

    def ask(
        self, method: str, url: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request. A body of bytes is not JSON."""
        given = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            given.setdefault("content-type", "application/json")
            body = orjson.loads(orjson.dumps(body))
        roles = frozenset((*GRAPH_PERMISSIONS, "Directory.Read.All"))
        try:
            request = Request.parse(TENANT, roles, method, url, given, body)
            work = self.server.answer(request)
            return asyncio.run(work) if "$batch" in url else _at_once(work)
        except GraphError as error:
            return error.answer()
        except DropConnection:
            return Answer(0)

    def contact(self, body: Mapping[str, Any]) -> str:
        """Create a contact and return its id."""
        made = self.ask("POST", f"{BOX}/contacts", dict(body))
        assert made.status == 201, made.body
        return str(made.body["id"])


def _at_once(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Return the result of a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as stopped:
        answer: Answer = stopped.value
        return answer
    raise AssertionError("the simulator waited")


def code(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.body["error"]["code"]
