"""Queues and blobs over HTTP, with the tries of Microsoft's SDK (Azure.Core, as the host sets it).

One try costs a fraction of the Python SDK's CPU, which matters for a host that polls all day.
"""

import asyncio
import base64
import hashlib
import hmac
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Final, Self
from urllib.parse import quote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import aiohttp
from yarl import URL

_VERSION: Final = "2021-12-02"
_PAUSES: Final = (0.8, 1.6, 3.2, 6.4, 12.8)
"""Seconds between the six tries, each give or take a fifth."""
_TIMEOUT: Final = aiohttp.ClientTimeout(total=100)


class StorageError(Exception):
    """Storage refused a request; `status` is that of HTTP, or 0 if there was no answer."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code

    @property
    def passes(self) -> bool:
        """Whether the SDK tries again."""
        return self.status in (0, 408, 429) or self.status >= 500


@dataclass(slots=True)
class Message:
    """A message as one fetch returned it. `receipt` changes with each renewal."""

    id: str
    text: str
    count: int
    receipt: str
    inserted: datetime
    expires: datetime
    visible: datetime


class Storage:
    """The queues and blobs of a connection string."""

    def __init__(self, connection_string: str, speed: float) -> None:
        """Make pauses between tries shorter by the factor `speed`."""
        parts = dict(p.split("=", 1) for p in connection_string.strip(";").split(";"))
        self._account = parts["AccountName"]
        self._key = base64.b64decode(parts["AccountKey"])
        self._roots = {
            service: parts[f"{service.capitalize()}Endpoint"].rstrip("/")
            for service in ("queue", "blob")
        }
        self._speed = speed
        # Azurite closes a connection after five seconds.
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=4)
        self._session = aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def patiently[T](self, once: Callable[[], Awaitable[T]]) -> T:
        """Try six times. Raises the last `StorageError`; one that does not pass, at once."""
        for pause in _PAUSES:
            try:
                return await once()
            except StorageError as error:
                if not error.passes:
                    raise
            await asyncio.sleep(pause * random.uniform(0.8, 1.2) / self._speed)
        return await once()

    async def answers(self) -> bool:
        """Whether queue storage answers, whatever it says."""
        try:
            await self._send("queue", "GET", "", {"comp": "list", "maxresults": "1"})
        except StorageError as error:
            return not error.passes
        return True

    async def receive(self, queue: str, most: int, hold: int) -> list[Message]:
        """Fetch messages and hide them for `hold` seconds."""
        parameters = {"numofmessages": str(most), "visibilitytimeout": str(hold)}
        return _messages(await self._send("queue", "GET", f"/{queue}/messages", parameters))

    async def peek(self, queue: str, most: int) -> int:
        """Count the visible messages, at most 32."""
        parameters = {"numofmessages": str(most), "peekonly": "true"}
        answer = await self._send("queue", "GET", f"/{queue}/messages", parameters)
        return len(_xml(answer))

    async def put(self, queue: str, text: str) -> None:
        """Send a message."""
        body = f"<QueueMessage><MessageText>{escape(text)}</MessageText></QueueMessage>"
        await self._send("queue", "POST", f"/{queue}/messages", {}, body.encode())

    async def hide(self, queue: str, message: Message, seconds: int) -> None:
        """Change how long a fetched message stays invisible; it gets a new receipt."""
        parameters = {"popreceipt": message.receipt, "visibilitytimeout": str(seconds)}
        answer = await self._send("queue", "PUT", f"/{queue}/messages/{message.id}", parameters)
        message.receipt = answer.headers["x-ms-popreceipt"]

    async def delete(self, queue: str, message: Message) -> None:
        """Delete a fetched message."""
        parameters = {"popreceipt": message.receipt}
        await self._send("queue", "DELETE", f"/{queue}/messages/{message.id}", parameters)

    async def create(self, queue: str) -> None:
        """Create a queue, unless it exists."""
        try:
            await self._send("queue", "PUT", f"/{queue}", {})
        except StorageError as error:
            if error.status != 409:
                raise

    async def length(self, queue: str) -> int | None:
        """Return the number of messages in a queue, hidden ones included; None if it is missing."""
        try:
            answer = await self._send("queue", "GET", f"/{queue}", {"comp": "metadata"})
        except StorageError as error:
            if error.status == 404:
                return None
            raise
        return int(answer.headers["x-ms-approximate-messages-count"])

    async def names(self) -> list[str]:
        """Return the names of all queues."""
        answer = await self._send("queue", "GET", "", {"comp": "list"})
        return [str(name.text) for name in _xml(answer).iter("Name")]

    async def read_blob(self, name: str) -> bytes | None:
        """Return a blob's content, or None if it does not exist."""
        try:
            return (await self._send("blob", "GET", f"/{name}", {})).body
        except StorageError as error:
            if error.status == 404:
                return None
            raise

    async def write_blob(self, name: str, content: bytes) -> None:
        """Write a blob, and its container if that is missing."""
        headers = {"x-ms-blob-type": "BlockBlob"}
        try:
            await self._send("blob", "PUT", f"/{name}", {}, content, headers)
        except StorageError as error:
            if error.code != "ContainerNotFound":
                raise
            container = name.split("/", 1)[0]
            await self._send("blob", "PUT", f"/{container}", {"restype": "container"})
            await self._send("blob", "PUT", f"/{name}", {}, content, headers)

    async def delete_blob(self, name: str) -> None:
        """Delete a blob, if it exists."""
        try:
            await self._send("blob", "DELETE", f"/{name}", {})
        except StorageError as error:
            if error.status != 404:
                raise

    async def _send(
        self,
        service: str,
        method: str,
        path: str,
        parameters: Mapping[str, str],
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> "_Answer":
        url = self._roots[service] + (path or "/")
        if parameters:
            url += "?" + "&".join(f"{n}={quote(v, safe='')}" for n, v in parameters.items())
        given = {
            **(headers or {}),
            "x-ms-date": format_datetime(datetime.now(UTC), usegmt=True),
            "x-ms-version": _VERSION,
            "Content-Type": "application/xml",
        }
        where = URL(url, encoded=True)
        given["Authorization"] = self._signature(method, where.raw_path, parameters, body, given)
        try:
            async with self._session.request(
                method, where, data=body or None, headers=given
            ) as answer:
                content = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise StorageError(0, type(error).__name__) from error
        if answer.status >= 400:
            raise StorageError(answer.status, answer.headers.get("x-ms-error-code", ""))
        return _Answer(content, answer.headers)

    def _signature(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str],
        body: bytes,
        headers: Mapping[str, str],
    ) -> str:
        """Sign with the account's key (docs: authorize-with-shared-key)."""
        length = str(len(body)) if body else ""
        lines = [method, "", "", length, "", headers["Content-Type"], *[""] * 6]
        lines += [f"{n}:{headers[n]}" for n in sorted(headers) if n.startswith("x-ms-")]
        lines += [f"/{self._account}{path}", *(f"{n}:{parameters[n]}" for n in sorted(parameters))]
        digest = hmac.digest(self._key, "\n".join(lines).encode(), hashlib.sha256)
        return f"SharedKey {self._account}:{base64.b64encode(digest).decode()}"


@dataclass(frozen=True, slots=True)
class _Answer:
    body: bytes
    headers: Mapping[str, str]


def _xml(answer: _Answer) -> ET.Element:
    return ET.fromstring(answer.body)  # noqa: S314 - our own Azurite wrote it


def _messages(answer: _Answer) -> list[Message]:
    if b"<QueueMessage>" not in answer.body:
        return []
    found = []
    for item in _xml(answer):
        values = {part.tag: part.text or "" for part in item}
        found.append(
            Message(
                id=values["MessageId"],
                text=values["MessageText"],
                count=int(values["DequeueCount"]),
                receipt=values["PopReceipt"],
                inserted=parsedate_to_datetime(values["InsertionTime"]),
                expires=parsedate_to_datetime(values["ExpirationTime"]),
                visible=parsedate_to_datetime(values["TimeNextVisible"]),
            )
        )
    return found
