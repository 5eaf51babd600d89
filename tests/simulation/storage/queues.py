"""Queues in memory: visibility, pop receipts, dequeue counts and expiry."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

WEEK = timedelta(days=7)


@dataclass(slots=True)
class Message:
    """One message as storage holds it; `visible` is when it can be received."""

    id: str
    text: str
    inserted: datetime
    expires: datetime
    visible: datetime
    receipt: str
    count: int = 0


@dataclass(slots=True)
class QueueStore:
    """All queues of an account. `sent` is called with the queue and when a message is visible."""

    now: Callable[[], datetime]
    sent: Callable[[str, datetime], None] = lambda _queue, _visible: None
    queues: dict[str, list[Message]] = field(default_factory=dict)
    numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def create(self, queue: str) -> None:
        if queue in self.queues:
            raise _error(ResourceExistsError, 409, "QueueAlreadyExists")
        self.queues[queue] = []

    def put(self, queue: str, text: str, delay: float, lives: timedelta = WEEK) -> Message:
        """Add a message that can be received after `delay` seconds."""
        place, now = self._queue(queue), self.now()
        number = next(self.numbers)
        message = Message(
            id=f"{number:08d}-0000-4000-8000-000000000000",
            text=text,
            inserted=now.replace(microsecond=0),
            expires=now + lives,
            visible=now + timedelta(seconds=delay),
            receipt=f"r{number}",
        )
        place.append(message)
        self.sent(queue, message.visible)
        return message

    def receive(self, queue: str, most: int, hold: float) -> list[Message]:
        """Take up to `most` visible messages, and hide them for `hold` seconds."""
        found = self.peek(queue, most)
        for message in found:
            message.count += 1
            self._hide(queue, message, hold)
        return found

    def peek(self, queue: str, most: int) -> list[Message]:
        """Return up to `most` messages that can be received now."""
        place, now = self._queue(queue), self.now()
        if any(message.expires <= now for message in place):
            place[:] = [message for message in place if message.expires > now]
        return list(itertools.islice((m for m in place if m.visible <= now), most))

    def update(
        self, queue: str, id_: str, receipt: str, hold: float, text: str | None = None
    ) -> Message:
        """Hide a message for `hold` seconds from now; its receipt changes."""
        message = self._held(queue, id_, receipt)
        if text is not None:
            message.text = text
        self._hide(queue, message, hold)
        return message

    def delete(self, queue: str, id_: str, receipt: str) -> None:
        """Delete a message that was received with this receipt."""
        message = self._held(queue, id_, receipt)
        self.queues[queue].remove(message)

    def count(self, queue: str) -> int:
        """Return how many messages there are, visible or not."""
        return len(self._queue(queue))

    def _hide(self, queue: str, message: Message, hold: float) -> None:
        message.visible = self.now() + timedelta(seconds=hold)
        message.receipt = f"r{next(self.numbers)}"
        self.sent(queue, message.visible)

    def _queue(self, name: str) -> list[Message]:
        found = self.queues.get(name)
        if found is None:
            raise _error(ResourceNotFoundError, 404, "QueueNotFound")
        return found

    def _held(self, queue: str, id_: str, receipt: str) -> Message:
        for message in self._queue(queue):
            if message.id == id_:
                if message.receipt != receipt:
                    raise _error(HttpResponseError, 400, "PopReceiptMismatch")
                return message
        raise _error(ResourceNotFoundError, 404, "MessageNotFound")


def _error[E: HttpResponseError](kind: type[E], status: int, code: str) -> E:
    error = kind(message=code)
    error.status_code = status
    error.error_code = code  # type: ignore[attr-defined]
    return error
