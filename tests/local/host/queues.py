"""Queue triggers: polling, parallel runs, visibility, dequeue count and the poison queue.

They do what Microsoft's storage extension does (Extensions.Storage.Queues 5.3.10, measured), where
docs (functions-bindings-storage-queue-trigger, functions-host-json) say nothing as well.
"""

import asyncio
import base64
import logging
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final

from tests.local.host.functions import Function, InvocationFailed
from tests.local.host.settings import HostSettings
from tests.local.host.storage import Message, Storage, StorageError
from tests.local.host.workers import Workers

_log = logging.getLogger("host.queues")
POISON: Final = "-poison"
_FIRST_PAUSE: Final = 0.1
_SPREAD: Final = 0.2
_SELDOM: Final = 5.0
"""Seconds between the polls of a host that learns of sends, for messages of other senders."""
_BLANKS: Final = str.maketrans("", "", " \t\r\n")


class Backoff:
    """The pauses between polls that found nothing: doubling, give or take a fifth, up to a limit.

    As RandomizedExponentialBackoffStrategy counts: 0.1 s after messages, then 0.1 s more than a
    doubling step, and once at the limit, always that.
    """

    def __init__(self, settings: HostSettings) -> None:
        self._shortest = settings.scaled(_FIRST_PAUSE)
        self._longest = settings.max_polling_interval.total_seconds()
        self._step = 0
        self._found = False

    def found(self) -> None:
        """Note that a poll found messages."""
        self._found = True

    def next(self) -> float:
        """Return how many seconds to wait now."""
        if self._found:
            self._found, self._step = False, 0
            return min(self._shortest, self._longest)
        spread = random.uniform(1 - _SPREAD, 1 + _SPREAD)
        pause = self._shortest * (1 + spread * 2.0**self._step)
        if pause >= self._longest:
            return self._longest
        self._step += 1
        return pause


class QueueTrigger:
    """Runs one queue function. `failed` is called for errors that stop Microsoft's host."""

    def __init__(
        self,
        function: Function,
        workers: Workers,
        storage: Storage,
        settings: HostSettings,
        failed: Callable[[str], None],
    ) -> None:
        self.function = function
        self.queue = str(function.trigger["queueName"])
        self.completed = 0
        # A poison queue has no poison queue of its own.
        self.poison = None if self.queue.endswith(POISON) else f"{self.queue}{POISON}"
        self.running: set[asyncio.Task[None]] = set()
        self.moved: Callable[[str], None] = lambda _: None
        self._workers = workers
        self._storage = storage
        self._settings = settings
        self._failed = failed
        self._poll_now = asyncio.Event()
        self._expected = 0
        self._polling = False
        self._exists = False

    @property
    def active(self) -> bool:
        """Whether messages run, or a poll is about to find some."""
        return bool(self.running) or self._polling or self._poll_now.is_set()

    @property
    def expects(self) -> bool:
        """Whether a message will become visible, as far as the host has learned."""
        return self._expected > 0

    def expect(self, seconds: float) -> None:
        """Poll the queue once a message becomes visible, in so many seconds."""
        if self._settings.told_of_sends:
            self._expected += 1
            asyncio.get_running_loop().call_later(seconds, self._arrive)

    def _arrive(self) -> None:
        self._expected -= 1
        self.poll_soon()

    def poll_soon(self) -> None:
        """Poll the queue at once, however long it was empty."""
        self._poll_now.set()

    async def poll(self, stopped: asyncio.Event) -> None:
        """Fetch and run messages until `stopped`."""
        backoff = Backoff(self._settings)
        while not stopped.is_set():
            if len(self.running) > self._settings.new_batch_threshold:
                await asyncio.wait(self.running, return_when=asyncio.FIRST_COMPLETED)
                continue
            self._polling = True
            self._poll_now.clear()
            messages = await self._fetch()
            for message in messages:
                task = asyncio.create_task(self._handle(message))
                self.running.add(task)
                task.add_done_callback(self._done)
            self._polling = False
            if messages:
                backoff.found()
                continue
            pause = _SELDOM if self._settings.told_of_sends else backoff.next()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._poll_now.wait(), pause)

    def _done(self, task: asyncio.Task[None]) -> None:
        self.running.discard(task)
        self.completed += 1

    async def _fetch(self) -> list[Message]:
        """Fetch a batch. A missing queue is asked for again with each poll, and not made."""
        try:
            if not self._exists:
                found = await self._storage.patiently(lambda: self._storage.length(self.queue))
                self._exists = found is not None
            if self._exists:
                return await self._storage.patiently(self._receive)
        except StorageError as error:
            if error.status in (0, 401, 403):
                self._failed(f"{self.queue} cannot be read: {error}")
            elif error.status not in (404, 409):
                _log.warning("%s cannot be read for now: %s", self.queue, error)
        return []

    async def _receive(self) -> list[Message]:
        settings = self._settings
        return await self._storage.receive(self.queue, settings.batch_size, settings.held_for)

    async def _handle(self, message: Message) -> None:
        try:
            await self._process(message)
        except StorageError as error:
            if error.status in (400, 404):
                # It is no longer ours: it comes back when its time is over, or somebody has it.
                _log.debug("%s: a message is not settled: %s", self.queue, error)
            else:
                self._failed(f"{self.queue}: a message is not settled: {error}")

    async def _process(self, message: Message) -> None:
        most = self._settings.max_dequeue_count
        try:
            body = self._body(message)
        except ValueError:
            _log.error("%s: message %s is not base64", self.queue, message.id)
            await self._handle_poison(message, message.text)
            return
        if message.count > most and self.poison is not None:
            await self._handle_poison(message, self._text(body))
        elif await self._run(message, body):
            await self._storage.patiently(lambda: self._storage.delete(self.queue, message))
        elif self.poison is None:
            _log.error("%s: message %s stays invisible after a failure", self.queue, message.id)
        elif message.count >= most:
            await self._handle_poison(message, self._text(body))
        else:
            wait = self._settings.visibility_timeout.total_seconds()
            seconds = max(1, round(wait)) if wait else 0
            await self._storage.patiently(lambda: self._storage.hide(self.queue, message, seconds))
            self.expect(seconds)

    async def _run(self, message: Message, body: bytes) -> bool:
        if not self.function.binary and not _is_text(body):
            _log.error("%s failed: message %s is no text", self.function.name, message.id)
            return False
        renewal = asyncio.create_task(self._renew(message))
        wanted = {"kind": "queue", "binary": self.function.binary, "metadata": _metadata(message)}
        try:
            await self._workers.invoke(self.function, wanted, body)
        except InvocationFailed:
            return False
        finally:
            renewal.cancel()
        return True

    def _body(self, message: Message) -> bytes:
        """Return the message's bytes. Raises `ValueError` if they should be base64 and are not."""
        if not self._settings.base64:
            return message.text.encode()
        return base64.b64decode(message.text.translate(_BLANKS), validate=True)

    def _text(self, body: bytes) -> str:
        return base64.b64encode(body).decode() if self._settings.base64 else body.decode()

    async def _renew(self, message: Message) -> None:
        """Keep a message invisible while it runs, as long as it is ours."""
        hold = self._settings.held_for
        try:
            while True:
                await asyncio.sleep(hold / 2)
                await self._storage.patiently(lambda: self._storage.hide(self.queue, message, hold))
        except StorageError as error:
            if error.status not in (400, 404):
                self._failed(f"{self.queue}: a message is not renewed: {error}")

    async def _handle_poison(self, message: Message, text: str) -> None:
        """Move the failed message to the poison queue, as a new message, and wake its function."""
        poison = self.poison
        if poison is None:
            return
        try:
            await self._storage.patiently(lambda: self._storage.put(poison, text))
        except StorageError as error:
            if error.status != 404:
                raise
            await self._storage.patiently(lambda: self._storage.create(poison))
            await self._storage.patiently(lambda: self._storage.put(poison, text))
        _log.error(
            "Message has reached MaxDequeueCount of %d. Moving message to queue '%s'.",
            self._settings.max_dequeue_count, poison,
        )  # fmt: skip
        self.moved(poison)
        await self._storage.patiently(lambda: self._storage.delete(self.queue, message))


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _metadata(message: Message) -> dict[str, str]:
    return {
        "Id": message.id,
        "DequeueCount": str(message.count),
        "PopReceipt": message.receipt,
        "InsertionTime": _time(message.inserted),
        "ExpirationTime": _time(message.expires),
        "NextVisibleTime": _time(message.visible),
    }


def _time(value: datetime) -> str:
    return f'"{value:%Y-%m-%dT%H:%M:%S}+00:00"'
