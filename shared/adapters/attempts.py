"""What surrounds the work of a queue or timer function: its span, and the event if it fails.

The Functions host keeps the failures of these functions to itself, so the app tells them.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.trace import SpanKind

from shared.adapters.telemetry import emit, span
from shared.domain.errors import NewerVersion
from shared.domain.events import AttemptFailed
from shared.domain.importing.messages import Message, RunMessage, SyncMailbox


@contextmanager
def telling_failures(
    function: str, *, queue: str = "", message: Message | None = None, tries: int | None = None
) -> Iterator[None]:
    """Emit `attempt_failed` if what is inside raises; the error goes on to the host."""
    try:
        yield
    except NewerVersion:
        raise  # a worker of the newer version takes the message: nothing failed
    except Exception as error:
        emit(
            AttemptFailed(
                tenant=message.tenant if message is not None else "",
                function=function,
                queue=queue,
                run=run_of(message),
                tries=tries or 1,
                error=type(error).__name__,
            )
        )
        raise


@contextmanager
def attempt(function: str, queue: str, message: Message, tries: int | None) -> Iterator[None]:
    """Trace the work of a message, linked to the span of its sender, and tell if it fails."""
    ids = {}
    if isinstance(message, RunMessage):
        ids = {"importId": message.import_id, "run": message.run}
    if isinstance(message, SyncMailbox):
        ids["mailbox"] = message.mailbox
    with (
        span(function, kind=SpanKind.CONSUMER, attributes=ids, sent_by=message.traceparent),
        telling_failures(function, queue=queue, message=message, tries=tries),
    ):
        yield


def run_of(message: Message | None) -> str:
    """Return the run of a message; '' if it is about none."""
    return message.run if isinstance(message, RunMessage) else ""
