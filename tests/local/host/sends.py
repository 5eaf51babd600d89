"""Tells the host to which queues the app sends, so that a quick host need not keep polling.

Microsoft's host cannot know this and polls, as this one does in real time (LOCAL_HOST_SPEED 1).
There a test waits for a poll; at 30 times the speed, polls would take most of storage's CPU.
"""

import functools
from collections.abc import Callable
from typing import Any

from azure.storage.queue.aio import QueueClient


def tell_sends(tell: Callable[[str, float], None]) -> None:
    """Call `tell` after each message with its queue and the seconds until it becomes visible."""
    send = QueueClient.send_message

    @functools.wraps(send)
    async def send_and_tell(client: QueueClient, *content: Any, **options: Any) -> Any:
        sent = await send(client, *content, **options)
        tell(client.queue_name, float(options.get("visibility_timeout") or 0))
        return sent

    QueueClient.send_message = send_and_tell  # type: ignore[method-assign, assignment]
