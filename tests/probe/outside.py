"""The tenant that is asked: sends requests, notes them, and removes what they created."""

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote
from uuid import uuid4

import httpx
from httpx import codes

from shared.adapters.graph.transport import GraphResponse

IMMUTABLE: Final = 'IdType="ImmutableId"'
MARK: Final = "String {6f9c1a3e-52d7-4b0a-9e84-d1c7b35f0e26} Name ContactSyncProbe"
OTHER_MARK: Final = f"{MARK}2"
NAME: Final = "Contact Sync Probe"
"""The name of everything that the probe creates."""

_SHOWN: Final = 60
_TRIES: Final = 4
_PAUSE: Final = 10
"""The seconds to wait after a 429 that does not say how long."""

type Json = dict[str, Any]
type Token = Callable[[], Awaitable[str]]
type ByHand = Callable[[str, str], Awaitable[None]]
"""Asks a person to move the contact at a path out of the folder with a name, and back."""


@dataclass(frozen=True, slots=True)
class Given:
    """Where to ask: Graph, and the ids of a spare mailbox's user and of two groups."""

    endpoint: str
    user: str
    security_group: str = ""
    m365_group: str = ""
    other_mailbox: str = ""
    no_mailbox: str = ""


@dataclass(frozen=True, slots=True)
class Reply(GraphResponse):
    """An answer of Graph, with the bytes of its body."""

    content: bytes = b""

    @property
    def value(self) -> list[Json]:
        """Return the items of a list; an empty list for an error."""
        found = self.body.get("value") if isinstance(self.body, dict) else None
        return found if isinstance(found, list) else []

    def __str__(self) -> str:
        return f"{self.status} {self.code}".strip()


class ProbeError(Exception):
    """The probe cannot go on with a question."""


@dataclass(slots=True)
class Outside:
    """A tenant's Graph during a probe. `asked` are the requests of the current question."""

    given: Given
    token: Token
    by_hand: ByHand | None = None
    asked: list[str] = field(default_factory=list)
    _created: list[str] = field(default_factory=list)
    _http: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(timeout=60))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    @property
    def box(self) -> str:
        """Return the path of the mailbox."""
        return f"/users/{quote(self.given.user, safe='@')}"

    async def send(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Send one request, again if it is throttled; `path` may be a link of Graph."""
        sent = {"Prefer": IMMUTABLE, "Authorization": f"Bearer {await self.token()}"}
        sent |= headers or {}
        url = path if "://" in path else f"{self.given.endpoint}{path}"
        content = body if isinstance(body, bytes) else None
        for _ in range(_TRIES):
            answer = await self._http.request(
                method, url, headers=sent, content=content, json=None if content else body
            )
            if answer.status_code != codes.TOO_MANY_REQUESTS:
                break
            await asyncio.sleep(float(answer.headers.get("Retry-After", _PAUSE)))
        is_json = "json" in answer.headers.get("Content-Type", "")
        reply = Reply(
            answer.status_code,
            answer.json() if is_json and answer.content else None,
            content=answer.content,
        )
        shown = url.removeprefix(self.given.endpoint)
        shown = shown.replace(self.box, "/users/U").replace(self.given.user, "U")
        self.asked.append(f"{method} {shown[:_SHOWN]} → {reply}")
        return reply

    async def batch(self, *steps: tuple[str, str, Any, Mapping[str, str]]) -> list[Reply]:
        """Send requests in one batch and return their answers in order."""
        requests: list[Json] = []
        for number, (method, url, body, headers) in enumerate(steps):
            step: Json = {"id": str(number), "method": method, "url": url}
            step["headers"] = {"Prefer": IMMUTABLE, **headers}
            if body is not None:
                step["body"] = b64encode(body).decode() if isinstance(body, bytes) else body
            requests.append(step)
        found = await self.send("POST", "/$batch", {"requests": requests})
        parts = found.body.get("responses", ()) if isinstance(found.body, dict) else ()
        by_id = {str(part["id"]): Reply(part["status"], part.get("body")) for part in parts}
        return [by_id.get(str(number), Reply(0, None)) for number in range(len(requests))]

    async def folder(self, name: str = "") -> str:
        """Create a marked folder and return its path. Raises `ProbeError` if that fails.

        Without a name it has one that Deleted Items does not have.
        """
        name = name or f"{NAME} {uuid4()}"
        extended = [{"id": MARK, "value": "f"}]
        body = {"displayName": name, "singleValueExtendedProperties": extended}
        made = await self.send("POST", f"{self.box}/contactFolders", body)
        return self._made(made, f"{self.box}/contactFolders")

    async def contact(self, folder: str, **properties: Any) -> str:
        """Create a contact and return its path. Raises `ProbeError` if that fails."""
        body = {"displayName": NAME, **properties}
        made = await self.send("POST", f"{folder}/contacts", body)
        return self._made(made, f"{folder}/contacts")

    def created(self, path: str) -> None:
        """Note something to delete in the end."""
        self._created.append(path)

    async def links(self, folder: str, select: Sequence[str] = ()) -> str:
        """Read a folder to its delta link and return it. Raises `ProbeError` if that fails."""
        options = f"?$select={','.join(select)}" if select else ""
        _, link = await self.changes(f"{folder}/contacts/delta{options}")
        return link

    async def changes(self, link: str) -> tuple[list[Json], str]:
        """Return the changes since a delta link, and the next link."""
        items: list[Json] = []
        while True:
            page = await self.send("GET", link)
            if not page.ok:
                message = f"the delta query answered {page}"
                raise ProbeError(message)
            items += page.value
            if following := page.body.get("@odata.deltaLink"):
                return items, str(following)
            link = str(page.body["@odata.nextLink"])

    async def clean_up(self) -> list[str]:
        """Delete what was created, the last first. Return what could not be deleted."""
        left: list[str] = []
        for path in reversed(self._created):
            answer = await self.send("POST", f"{path}/permanentDelete")
            if not answer.ok:
                answer = await self.send("DELETE", path)
            if not answer.ok and answer.status != 404:
                left.append(path)
        self._created.clear()
        return left

    def _made(self, answer: Reply, place: str) -> str:
        if answer.status != 201:
            message = f"{place.rpartition('/')[2]} could not be created: {answer}"
            raise ProbeError(message)
        path = f"{place}/{quote(str(answer.body['id']), safe='')}"
        self.created(path)
        return path
