"""Storage queues: sends messages, in base64 as the Functions host expects.

Queues are created on first use. Output bindings are not used because they send one message at a
time, and only after the function succeeds.
"""

import asyncio
import base64
import json
import math
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import batched
from typing import Final

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.storage.queue import TextBase64EncodePolicy
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from shared.adapters.telemetry import traceparent
from shared.domain.errors import Unavailable
from shared.domain.importing.messages import QUEUES, Message

_AT_ONCE: Final = 32
LONGEST_DELAY: Final = 7 * 24 * 3600 - 1
"""In seconds; a message can stay invisible for at most seven days (docs: put-message)."""


class Queues:
    """All queues of the app; they own the service client, which is tied to the running event loop.

    Sending raises `Unavailable` if storage does not respond.
    """

    def __init__(self, service: QueueServiceClient) -> None:
        self._service = service
        self._clients: dict[str, QueueClient] = {}

    async def close(self) -> None:
        """Close the connections."""
        await self._service.close()

    async def oldest_due(self, queue: str, now: datetime) -> timedelta:
        """Return for how long the first visible message of a queue has been due (0: none is).

        Queues are nearly first in, first out, so the first message stands for the oldest.
        """
        try:
            found = await self._client(queue).peek_messages(max_messages=1)
        except ResourceNotFoundError:
            return timedelta(0)
        except AzureError as error:
            note = "Queue storage does not answer."
            raise Unavailable(note, 5.0) from error
        if not found or found[0].inserted_on is None:
            return timedelta(0)
        return max(timedelta(0), now - found[0].inserted_on - _delay_in(found[0].content))

    async def ready(self) -> None:
        """Check that each queue exists and can be used. Raises `Unavailable`, naming the others.

        A function whose queue is missing waits without an error, so only this check shows it.
        """
        found = await asyncio.gather(*map(self._fault, QUEUES))
        if faults := [fault for fault in found if fault]:
            raise Unavailable(" ".join(faults), 5.0)

    async def _fault(self, queue: str) -> str:
        try:
            await self._client(queue).get_queue_properties()
        except ResourceNotFoundError:
            return f"The queue {queue} is missing."
        except HttpResponseError as error:
            code = getattr(error, "error_code", "")
            return f"The queue {queue} cannot be used: {error.status_code} {code}."
        except AzureError:
            return f"The queue {queue} is not responding."
        return ""

    async def send(self, queue: str, message: Message, delay: float = 0) -> None:
        """Send a message that becomes visible after `delay` seconds, with the current trace."""
        seconds = min(math.ceil(delay), LONGEST_DELAY)
        sent = message.copy_with(delay=seconds, traceparent=traceparent())
        await self._send(queue, sent.model_dump_json(by_alias=True), seconds)

    async def send_copy(self, queue: str, body: bytes, delay: float) -> None:
        """Send the body of a message again, unread, visible after `delay` seconds."""
        await self._send(queue, body.decode(), min(math.ceil(delay), LONGEST_DELAY))

    async def send_many(
        self, queue: str, messages: Sequence[Message], per_second: int, earlier: int = 0
    ) -> None:
        """Send many messages, of which `per_second` become visible each second.

        This leaves room for messages of other tenants in between. `earlier` is how many of the same
        run take their seconds before these. If sending fails, some messages may have been sent.
        """
        for chunk in batched(enumerate(messages, earlier), _AT_ONCE, strict=False):
            number, first = chunk[0]
            await self.send(queue, first, number // per_second)
            # Not a task group, whose group of errors would hide that they are transient.
            await asyncio.gather(*(self.send(queue, m, n // per_second) for n, m in chunk[1:]))

    async def _send(self, queue: str, text: str, seconds: int) -> None:
        client = self._client(queue)
        try:
            try:
                await client.send_message(text, visibility_timeout=seconds)
            except ResourceNotFoundError:
                await self._create(queue)
                await client.send_message(text, visibility_timeout=seconds)
        except AzureError as error:
            note = "Queue storage is not responding."
            raise Unavailable(note, 5.0) from error

    def _client(self, queue: str) -> QueueClient:
        if queue not in self._clients:
            self._clients[queue] = self._service.get_queue_client(
                queue, message_encode_policy=TextBase64EncodePolicy()
            )
        return self._clients[queue]

    async def _create(self, queue: str) -> None:
        try:
            await self._service.create_queue(queue)
        except AzureError as error:
            if getattr(error, "error_code", "") != "QueueAlreadyExists":
                raise


def _delay_in(content: object) -> timedelta:
    """Return the delay with which a message was sent; none if the message is not ours."""
    with suppress(ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return timedelta(seconds=int(json.loads(base64.b64decode(str(content)))["delay"]))
    return timedelta(0)
