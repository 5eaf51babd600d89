"""Queue triggers: polling, parallel runs, visibility, dequeue count and the poison queue.

Docs: functions-bindings-storage-queue-trigger, functions-host-json (queues). Where these say
nothing, it does what the storage extension does (QueueProcessor, QueueServiceClientProvider).
"""

import asyncio
import base64
import contextlib
import logging
import time
from datetime import datetime
from typing import Any

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.functions import meta
from azure.functions.queue import QueueMessageInConverter
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from tests.local.host.functions import Function, InvocationFailed
from tests.local.host.settings import HostSettings

_log = logging.getLogger("host.queues")
_POISON = "-poison"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5
"""Seconds between polls of an empty queue; shorter than in Azure, so that local runs are quick."""
_DRAIN = 5.0
_MOST_PEEKED = 32


class QueueTrigger:
    """Runs one queue function."""

    def __init__(
        self, function: Function, service: QueueServiceClient, settings: HostSettings
    ) -> None:
        self.function = function
        self.queue = str(function.trigger["queueName"])
        self.completed = 0
        self._settings = settings
        self._client = service.get_queue_client(self.queue)
        # A poison queue has no poison queue of its own.
        self._poison = (
            None
            if self.queue.endswith(_POISON)
            else service.get_queue_client(f"{self.queue}{_POISON}")
        )
        self._running: set[asyncio.Task[None]] = set()
        self._poll_now = asyncio.Event()
        self._unavailable = False

    @property
    def running(self) -> int:
        """The number of messages that are being processed."""
        return len(self._running)

    async def until_empty(self, until: float) -> None:
        """Wait until the queue is empty, at most until a time of the monotonic clock.

        Invisible messages of a poison queue are ignored.
        """
        while (left := until - time.monotonic()) > 0:
            if self._running:
                await asyncio.wait(self._running, timeout=left)
                continue
            properties = await self._client.get_queue_properties()
            if not properties.approximate_message_count:
                return
            self.poll_soon()
            await asyncio.sleep(_FIRST_PAUSE)
            if self._poison is None:
                return

    def poll_soon(self) -> None:
        """Poll the queue at once, however long it was empty."""
        self._poll_now.set()

    async def poll(self, stopped: asyncio.Event) -> None:
        """Fetch and run messages until `stopped`. Retries if storage is unavailable."""
        longest = min(_LONGEST_PAUSE, self._settings.max_polling_interval.total_seconds())
        pause = _FIRST_PAUSE
        while not stopped.is_set():
            if len(self._running) > self._settings.new_batch_threshold:
                await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
                continue
            messages = await self._fetch()
            for message in messages:
                task = asyncio.create_task(self._handle(message))
                self._running.add(task)
                task.add_done_callback(self._done)
            pause = _FIRST_PAUSE if messages else min(pause * 2, longest)
            if not messages:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._poll_now.wait(), pause)
                self._poll_now.clear()

    async def drain(self) -> None:
        """Give running functions a little time to end.

        Messages of those that do not end become visible again later, as after a crash.
        """
        if self._running:
            await asyncio.wait(self._running, timeout=_DRAIN)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self.completed += 1

    async def _fetch(self) -> list[QueueMessage]:
        try:
            pages = self._client.receive_messages(
                messages_per_page=self._settings.batch_size,
                max_messages=self._settings.batch_size,
                visibility_timeout=self._settings.held_for,
                retry_total=0,  # the next poll is the retry
            )
            messages = [message async for message in pages]
        except ResourceNotFoundError:
            await _create(self._client)
        except AzureError as error:
            if not self._unavailable:
                _log.warning("%s cannot be read for now: %s", self.queue, type(error).__name__)
            self._unavailable = True
        else:
            self._unavailable = False
            return messages
        return []

    async def _handle(self, message: QueueMessage) -> None:
        try:
            await self._process(message)
        except AzureError as error:
            # The message becomes visible again by itself: delivery is at least once.
            _log.warning("%s: a message is not settled: %s", self.queue, type(error).__name__)

    async def _process(self, message: QueueMessage) -> None:
        most, count = self._settings.max_dequeue_count, message.dequeue_count or 0
        try:
            body = self._body(message)
        except ValueError:
            _log.error("%s: message %s is not base64", self.queue, message.id)
            await self._handle_poison(message)
            return
        if count > most and self._poison is not None:
            await self._handle_poison(message)
        elif await self._run(message, body):
            await self._client.delete_message(message)
        elif self._poison is None:
            _log.error("%s: message %s stays invisible after a failure", self.queue, message.id)
        elif count >= most:
            await self._handle_poison(message)
        else:
            seconds = int(self._settings.visibility_timeout.total_seconds())
            await self._client.update_message(message, visibility_timeout=seconds)

    async def _run(self, message: QueueMessage, body: bytes) -> bool:
        renewal = asyncio.create_task(self._renew(message))
        try:
            await self.function.invoke(_converted(message, body), self._settings.function_timeout)
        except InvocationFailed:
            return False
        finally:
            renewal.cancel()
        return True

    def _body(self, message: QueueMessage) -> bytes:
        """Return the message's bytes. Raises `ValueError` if they should be base64 and are not."""
        text = str(message.content)
        return base64.b64decode(text, validate=True) if self._settings.base64 else text.encode()

    async def _renew(self, message: QueueMessage) -> None:
        while True:
            await asyncio.sleep(self._settings.held_for / 2)
            try:
                held = await self._client.update_message(
                    message, visibility_timeout=self._settings.held_for
                )
            except AzureError as error:
                _log.warning("%s: not renewed: %s", self.queue, type(error).__name__)
                continue
            message.pop_receipt = held.pop_receipt

    async def _handle_poison(self, message: QueueMessage) -> None:
        """Move the failed message to the poison queue, as a new message."""
        if self._poison is None:
            return
        await _create(self._poison)
        await self._poison.send_message(message.content)
        await self._client.delete_message(message)
        _log.error("%s: message %s moved to %s", self.queue, message.id, self._poison.queue_name)


async def counts(
    service: QueueServiceClient, triggers: list[QueueTrigger]
) -> dict[str, dict[str, int]]:
    """Count the messages waiting, invisible (including those running) and poison, by queue.

    A poison queue has an entry only if a function drains it. If a message may have moved between
    queues during the count, an idle result is counted again.
    """
    while True:
        before = sum(trigger.completed for trigger in triggers)
        found = await _count(service, triggers)
        idle = not any(c["waiting"] or c["invisible"] for c in found.values())
        if not idle or before == sum(trigger.completed for trigger in triggers):
            return found


async def until_idle(
    service: QueueServiceClient, triggers: list[QueueTrigger], seconds: float
) -> tuple[bool, dict[str, dict[str, int]]]:
    """Wait until all queues with a function are empty. Return whether they are, and the counts.

    Invisible messages of a poison queue are ignored: their function failed.
    """
    until = time.monotonic() + seconds
    while True:
        found = await counts(service, triggers)
        busy = [
            trigger
            for trigger in triggers
            if (count := found.get(trigger.queue))
            and count["waiting"]
            + count["running" if trigger.queue.endswith(_POISON) else "invisible"]
        ]
        if not busy or time.monotonic() > until:
            return not busy, found
        # Counting all is expensive, so first wait until one of them is empty.
        await busy[0].until_empty(until)


async def _count(
    service: QueueServiceClient, triggers: list[QueueTrigger]
) -> dict[str, dict[str, int]]:
    running = {trigger.queue: trigger for trigger in triggers}
    found: dict[str, dict[str, int]] = {}
    async for properties in service.list_queues():
        name = str(properties.name)
        client = service.get_queue_client(name)
        total = int((await client.get_queue_properties()).approximate_message_count or 0)
        visible = len(await client.peek_messages(max_messages=_MOST_PEEKED)) if total else 0
        held = running[name].running if name in running else 0
        if visible == _MOST_PEEKED:
            visible = max(visible, total - held)
        invisible = max(total - visible, held)
        found[name] = {"waiting": visible, "invisible": invisible, "running": held}
    for name, count in found.items():
        poison = found.get(f"{name}{_POISON}", {})
        count["poison"] = poison.get("waiting", 0) + poison.get("invisible", 0)
    return {n: c for n, c in found.items() if n in running or not n.endswith(_POISON)}


def _converted(message: QueueMessage, body: bytes) -> Any:
    """Return the message as the worker passes it on, by the library's own converter."""
    metadata = {
        "Id": meta.Datum(message.id, "string"),
        "DequeueCount": meta.Datum(str(message.dequeue_count or 0), "string"),
        "PopReceipt": meta.Datum(message.pop_receipt, "string"),
        "InsertionTime": _time(message.inserted_on),
        "ExpirationTime": _time(message.expires_on),
        "NextVisibleTime": _time(message.next_visible_on),
    }
    data = meta.Datum(body, "bytes")
    return QueueMessageInConverter.decode(data, trigger_metadata=metadata)


def _time(value: datetime | None) -> meta.Datum:
    text = value.strftime("%Y-%m-%dT%H:%M:%S+00:00") if value is not None else ""
    return meta.Datum(f'"{text}"', "json")


async def _create(client: QueueClient) -> None:
    try:
        await client.create_queue()
    except ResourceExistsError:
        return
    except AzureError as error:
        _log.warning("%s cannot be created: %s", client.queue_name, type(error).__name__)
