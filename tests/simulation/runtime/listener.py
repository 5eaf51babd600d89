"""A queue's listener: takes messages, runs the function, and settles what becomes of each message.

The figures are those of host.json and of the storage extension.
"""

import asyncio
import base64
import contextlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from azure.core.exceptions import HttpResponseError
from azure.functions.queue import QueueMessage

from tests.app_functions import Function
from tests.simulation.runtime.workers import Worker
from tests.simulation.storage.queues import Message

if TYPE_CHECKING:
    from tests.simulation.runtime.host import Host

BATCH: Final = 16
NEW_BATCH_THRESHOLD: Final = 8
HOLD: Final = 600.0
RENEWED_EVERY: Final = 300.0
RETRY_AFTER: Final = 30.0
MOST_TRIES: Final = 5
TIME_LIMIT: Final = 600.0
LONGEST_POLL: Final = 5.0
POISON: Final = "-poison"


@dataclass(eq=False, slots=True)
class Delivery:
    """One message that is being processed by one worker."""

    listener: "Listener"
    message: Message
    receipt: str
    worker: Worker
    renewing: bool = True
    over: bool = False


class Listener:
    """Polls one queue for one instance of its function."""

    def __init__(self, host: "Host", function: Function, number: int) -> None:
        self.host = host
        self.function = function
        self.running = 0
        self._group = f"{function.name}/{number}"
        self._planned: float | None = None
        self._poison = not function.queue.endswith(POISON)

    def wake(self, visible: datetime) -> None:
        """Plan a poll for when a message can be received."""
        host = self.host
        due = max(0.0, (visible - host.now()).total_seconds())
        at = host.loop.time() + due + host.rng.uniform(0.05, LONGEST_POLL)
        if self._planned is None or at < self._planned:
            self._planned = at
            host.loop.later(at - host.loop.time(), self._poll, at)

    def _poll(self, planned: float) -> None:
        if planned != self._planned:
            return
        self._planned = None
        if self.running > NEW_BATCH_THRESHOLD or self.host.shut_down:
            return
        host, queue = self.host, self.function.queue
        messages = host.queues.receive(queue, BATCH, HOLD)
        for message in messages:
            self._start(message)
        waiting = host.queues.queues[queue]
        if waiting:
            self.wake(min(message.visible for message in waiting))

    def _start(self, message: Message) -> None:
        host = self.host
        worker = host.worker(self._group)
        delivery = Delivery(self, message, message.receipt, worker)
        try:
            body = base64.b64decode(message.text, validate=True)
        except ValueError:
            self._move(delivery)
            return
        if self._poison and message.count > MOST_TRIES:
            self._move(delivery)
            return
        argument = QueueMessage(
            id=message.id,
            body=body,
            dequeue_count=message.count,
            expiration_time=message.expires,
            insertion_time=message.inserted,
            time_next_visible=message.visible,
            pop_receipt=message.receipt,
        )
        self.running += 1
        host.invocations += 1
        worker.deliveries[delivery] = None
        call = self.function.call(**{str(self.function.trigger["name"]): argument})
        task = host.loop.create_task(call, context=worker.context.copy())
        task.add_done_callback(lambda task: self._done(delivery, task), context=host.loop.outside)
        host.tell(f"run {self.function.name} {message.id[:8]} try {message.count} {body.decode()}")
        host.loop.later(RENEWED_EVERY, self._renew, delivery)
        host.loop.later(TIME_LIMIT, self._expire, delivery)

    def failed(self, delivery: Delivery, error: str) -> None:
        """Settle a message whose function failed."""
        self.forget(delivery)
        self.host.fail(self.function, f"{error}")
        if not self._poison:
            return
        if delivery.message.count >= MOST_TRIES:
            self._move(delivery)
            return
        with contextlib.suppress(HttpResponseError):
            self.host.queues.update(
                self.function.queue, delivery.message.id, delivery.receipt, RETRY_AFTER
            )

    def forget(self, delivery: Delivery) -> None:
        """Count a delivery as over, whatever becomes of its message."""
        if not delivery.over:
            delivery.over = True
            self.running -= 1
            self.wake(self.host.now())

    def _done(self, delivery: Delivery, task: asyncio.Task[Any]) -> None:
        if delivery.over or delivery.worker.life.dead:
            return
        delivery.worker.deliveries.pop(delivery, None)
        error = task.exception() if not task.cancelled() else asyncio.CancelledError()
        if error is not None:
            self.failed(delivery, repr(error))
            return
        self.forget(delivery)
        if self.host.adversary.strikes_now("delete_lost"):
            return
        with contextlib.suppress(HttpResponseError):
            self.host.queues.delete(self.function.queue, delivery.message.id, delivery.receipt)

    def _renew(self, delivery: Delivery) -> None:
        if delivery.over or self.host.adversary.strikes_now("renewal_lost"):
            return
        with contextlib.suppress(HttpResponseError):
            held = self.host.queues.update(
                self.function.queue, delivery.message.id, delivery.receipt, HOLD
            )
            delivery.receipt = held.receipt
            self.host.loop.later(RENEWED_EVERY, self._renew, delivery)

    def _expire(self, delivery: Delivery) -> None:
        """The time limit: the worker is killed with all its neighbours, who each lose a try."""
        if not delivery.over:
            self.host.adversary.strikes["time limit"] += 1
            self.host.crash(delivery.worker)

    def _move(self, delivery: Delivery) -> None:
        host, queue = self.host, self.function.queue
        name = f"{queue}{POISON}"
        with contextlib.suppress(HttpResponseError):
            host.queues.create(name)
        host.queues.put(name, delivery.message.text, 0)
        with contextlib.suppress(HttpResponseError):
            host.queues.delete(queue, delivery.message.id, delivery.receipt)
        host.tell(f"poison {queue} {delivery.message.id[:8]}")
