"""Storage queues: sending messages, base64 as the Functions host expects them.

Queues are made on first use. Output bindings are not used: they send one by one, and only after
the function succeeded.
"""

import asyncio
import math
from collections.abc import Sequence
from itertools import batched
from typing import Final

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.queue import TextBase64EncodePolicy
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from shared.adapters.telemetry import traceparent
from shared.domain.errors import Unavailable
from shared.domain.importing.messages import IMPORT_RUNS, Message

_AT_ONCE: Final = 32
LONGEST_DELAY: Final = 7 * 24 * 3600 - 1
"""Seconds; a message may stay invisible for at most seven days (docs: put-message)."""


class Queues:
    """All queues of the app. Sending raises `Unavailable` when storage does not answer."""

    def __init__(self, service: QueueServiceClient) -> None:
        """Use a service client, which belongs to the running event loop and is closed with us."""
        self._service = service
        self._clients: dict[str, QueueClient] = {}

    async def close(self) -> None:
        """Close the connections."""
        await self._service.close()

    async def ready(self) -> None:
        """See whether queue storage answers; a queue that is not made yet is an answer."""
        try:
            await self._client(IMPORT_RUNS).get_queue_properties()
        except ResourceNotFoundError:
            return
        except AzureError as error:
            note = "Queue storage does not answer."
            raise Unavailable(note, 5.0) from error

    async def send(self, queue: str, message: Message, delay: float = 0) -> None:
        """Send a message that is seen after `delay` seconds; it tells whoever takes it by whom."""
        client = self._client(queue)
        seconds = min(math.ceil(delay), LONGEST_DELAY)
        sent = message.copy_with(delay=seconds, traceparent=traceparent())
        text = sent.model_dump_json(by_alias=True)
        try:
            try:
                await client.send_message(text, visibility_timeout=seconds)
            except ResourceNotFoundError:
                await self._create(queue)
                await client.send_message(text, visibility_timeout=seconds)
        except AzureError as error:
            note = "Queue storage does not answer."
            raise Unavailable(note, 5.0) from error

    async def send_many(self, queue: str, messages: Sequence[Message], per_second: int) -> None:
        """Send many messages, of which `per_second` are seen each second.

        So the messages of whoever sends few come in between. If one fails, some may have been sent.
        """
        for chunk in batched(enumerate(messages), _AT_ONCE, strict=False):
            number, first = chunk[0]
            await self.send(queue, first, number // per_second)
            async with asyncio.TaskGroup() as group:
                for number, message in chunk[1:]:
                    group.create_task(self.send(queue, message, number // per_second))

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
