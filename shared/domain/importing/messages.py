"""Queue messages. They contain only ids, so that no personal data waits in a queue.

`attempt` counts how often a message was put back with a delay, which is not a failure. `parse`
rejects messages that our own code did not write. Unknown fields are ignored, so that messages of a
newer version can still be read after a rollback.
"""

from datetime import datetime
from enum import StrEnum
from typing import Final

from pydantic import ConfigDict, ValidationError

from shared.domain.errors import UnknownMessage
from shared.domain.model import Model, ObjectId, RunId

IMPORT_RUNS: Final = "import-runs"
MAILBOX_SYNCS: Final = "mailbox-syncs"
RUN_CLOSINGS: Final = "run-closings"
TENANT_LEAVINGS: Final = "tenant-leavings"
QUEUES: Final = (IMPORT_RUNS, MAILBOX_SYNCS, RUN_CLOSINGS, TENANT_LEAVINGS)


class Task(StrEnum):
    """What to do in a mailbox."""

    SYNC = "sync"
    REMOVE = "remove"


class Message(Model):
    """The base of all messages: the tenant, and how often the message was put back.

    Sending sets `delay`, the seconds before the message becomes visible, and `traceparent`, the
    sender's W3C Trace Context.
    """

    model_config = ConfigDict(extra="ignore")

    tenant: ObjectId
    attempt: int = 0
    delay: int = 0
    traceparent: str = ""

    def age(self, inserted: datetime, now: datetime) -> float:
        """Return how many seconds the message, which was queued at `inserted`, has been due."""
        return max(0.0, (now - inserted).total_seconds() - self.delay)


class LeaveTenant(Message):
    """On `tenant-leavings`: remove the tenant, step by step."""


class RunMessage(Message):
    """A message about one run of an import."""

    import_id: ObjectId
    run: RunId


class StartRun(RunMessage):
    """On `import-runs`: resolve the share and queue one message per mailbox."""


class SyncMailbox(RunMessage):
    """On `mailbox-syncs`: sync one mailbox to the run's snapshot, or remove our contacts from it.

    `fingerprint` identifies the snapshot and the destination: a mailbox that already has it and
    whose folder did not change needs no further work.
    """

    mailbox: ObjectId
    task: Task = Task.SYNC
    fingerprint: str = ""


class CloseRun(RunMessage):
    """On `run-closings`: sum up the results once all of them are recorded."""


def parse[T: Message](kind: type[T], body: bytes) -> T:
    """Parse a message. Raises `UnknownMessage`, which never quotes the content."""
    try:
        return kind.model_validate_json(body)
    except ValidationError:
        message = f"A message of {len(body)} bytes is not a valid {kind.__name__}."
        # `from None`, because the cause would show the message's content.
        raise UnknownMessage(message) from None
