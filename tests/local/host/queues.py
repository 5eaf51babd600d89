"""Queue triggers: polling, parallel runs, visibility, dequeue count and the poison queue.

Docs: functions-bindings-storage-queue (trigger), functions-host-json (queues).
"""

import asyncio
import base64
import binascii
import inspect
import logging
from typing import Any

import azure.functions as func
from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.functions import meta
from azure.functions.queue import QueueMessageInConverter
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from tests.local.host.functions import Function, HostSettings

_log = logging.getLogger("host.queues")
_HELD_FOR = 600
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5
"""Seconds between looks at an empty queue; shorter than Azure's, so that local runs are quick."""


class QueueTrigger:
    """Runs one queue function."""

    def __init__(
        self, function: Function, service: QueueServiceClient, settings: HostSettings
    ) -> None:
        self.function = function
        self.queue = str(function.trigger["queueName"])
        self._service = service
        self._settings = settings
        self._client = service.get_queue_client(self.queue)
        self._running: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        """How many messages are being worked on."""
        return len(self._running)

    async def poll(self) -> None:
        """Fetch and run messages for ever."""
        await _create(self._client)
        longest = min(_LONGEST_PAUSE, self._settings.max_polling_interval.total_seconds())
        pause = _FIRST_PAUSE
        while True:
            if len(self._running) > self._settings.new_batch_threshold:
                await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
                continue
            try:
                messages = await self._fetch()
            except ResourceNotFoundError:
                await _create(self._client)
                continue
            except AzureError as error:
                _log.warning("%s cannot be read: %s", self.queue, type(error).__name__)
                messages = []
            for message in messages:
                task = asyncio.create_task(self._handle(message))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            pause = _FIRST_PAUSE if messages else min(pause * 2, longest)
            if not messages:
                await asyncio.sleep(pause)

    async def stop(self) -> None:
        """Cancel what is running: its messages come back when their visibility ends."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _fetch(self) -> list[QueueMessage]:
        pages = self._client.receive_messages(
            messages_per_page=self._settings.batch_size,
            max_messages=self._settings.batch_size,
            visibility_timeout=_HELD_FOR,
        )
        return [message async for message in pages]

    async def _handle(self, message: QueueMessage) -> None:
        try:
            body = self._body(message)
        except (binascii.Error, ValueError):
            # What cannot be decoded is poison at once: no function could ever take it.
            _log.error("%s: message %s is not base64", self.queue, message.id)
            await self._poison(message)
            return
        renewal = asyncio.create_task(self._renew(message))
        try:
            ran = await self._run(message, body)
        finally:
            renewal.cancel()
        try:
            if ran:
                await self._client.delete_message(message)
            elif (message.dequeue_count or 0) >= self._settings.max_dequeue_count:
                await self._poison(message)
            else:
                seconds = int(self._settings.visibility_timeout.total_seconds())
                await self._client.update_message(message, visibility_timeout=seconds)
        except AzureError as error:
            # It comes back by itself when its visibility ends: delivery is at least once.
            _log.warning("%s: a message is not settled: %s", self.queue, type(error).__name__)

    async def _run(self, message: QueueMessage, body: bytes) -> bool:
        parameter = next(iter(inspect.signature(self.function.call).parameters))
        limit = self._settings.function_timeout
        try:
            async with asyncio.timeout(limit.total_seconds() if limit else None):
                await self.function.call(**{parameter: _converted(message, body)})
        except Exception:  # noqa: BLE001 - a function may raise anything
            _log.exception("%s failed on message %s", self.function.name, message.id)
            return False
        return True

    def _body(self, message: QueueMessage) -> bytes:
        text = str(message.content)
        return base64.b64decode(text, validate=True) if self._settings.base64 else text.encode()

    async def _renew(self, message: QueueMessage) -> None:
        while True:
            await asyncio.sleep(_HELD_FOR / 2)
            held = await self._client.update_message(message, visibility_timeout=_HELD_FOR)
            message.pop_receipt = held.pop_receipt

    async def _poison(self, message: QueueMessage) -> None:
        """A new message in the poison queue takes the place of the one that failed."""
        poison = self._service.get_queue_client(f"{self.queue}-poison")
        await _create(poison)
        await poison.send_message(message.content)
        await self._client.delete_message(message)


async def counts(service: QueueServiceClient, triggers: list[QueueTrigger]) -> dict[str, Any]:
    """How many messages wait, are invisible, and are poison, queue by queue."""
    running = {trigger.queue: trigger.running for trigger in triggers}
    found: dict[str, dict[str, int]] = {}
    async for properties in service.list_queues():
        name = str(properties.name)
        client = service.get_queue_client(name)
        total = int((await client.get_queue_properties()).approximate_message_count or 0)
        visible = len(await client.peek_messages(max_messages=32))
        if visible == 32:
            visible = max(visible, total - running.get(name, 0))
        found[name] = {"waiting": visible, "invisible": max(0, total - visible)}
    return {
        name: {
            **count,
            "poison": sum(found.get(f"{name}-poison", {}).get(k, 0) for k in count),
        }
        for name, count in found.items()
    }


def _converted(message: QueueMessage, body: bytes) -> func.QueueMessage:
    """The message as the worker hands it over, by the library's own converter."""
    metadata = {
        "Id": meta.Datum(message.id, "string"),
        "DequeueCount": meta.Datum(str(message.dequeue_count or 0), "string"),
        "PopReceipt": meta.Datum(message.pop_receipt, "string"),
        "InsertionTime": meta.Datum(f'"{_time(message.inserted_on)}"', "json"),
        "ExpirationTime": meta.Datum(f'"{_time(message.expires_on)}"', "json"),
        "NextVisibleTime": meta.Datum(f'"{_time(message.next_visible_on)}"', "json"),
    }
    data = meta.Datum(body, "bytes")
    converted: func.QueueMessage = QueueMessageInConverter.decode(data, trigger_metadata=metadata)
    return converted


def _time(value: Any) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%S+00:00") if value is not None else ""


async def _create(client: QueueClient) -> None:
    try:
        await client.create_queue()
    except HttpResponseError as error:
        if getattr(error, "error_code", "") != "QueueAlreadyExists":
            raise
