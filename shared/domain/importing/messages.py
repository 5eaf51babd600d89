"""The queue messages: ids only, so that no personal data waits in a queue.

`attempt` counts how often a message was given back with a delay, which is no failure;
`parse` refuses what our own code did not write. Fields that are not known are passed over, so that
messages of a newer version can be read after it was rolled back.
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


class Task(StrEnum):
    """What is to be done with a mailbox."""

    SYNC = "sync"
    REMOVE = "remove"


class Message(Model):
    """What every message carries: whose it is, and how often it was given back.

    Sending adds the `delay`, in seconds, after which it is seen, and the `traceparent` of who sends
    it (W3C Trace Context).
    """

    model_config = ConfigDict(extra="ignore")

    tenant: ObjectId
    attempt: int = 0
    delay: int = 0
    traceparent: str = ""

    def age(self, inserted: datetime, now: datetime) -> float:
        """For how many seconds the message, in its queue since `inserted`, has been due."""
        return max(0.0, (now - inserted).total_seconds() - self.delay)


class LeaveTenant(Message):
    """On `tenant-leavings`: take the tenant out, step by step."""


class RunMessage(Message):
    """A message of a run: which import's."""

    import_id: ObjectId
    run: RunId


class StartRun(RunMessage):
    """On `import-runs`: resolve the share and fan out."""


class SyncMailbox(RunMessage):
    """On `mailbox-syncs`: bring one mailbox to the run's snapshot, or remove our contacts.

    `fingerprint` stands for the snapshot and the destination: a mailbox that has it already and
    whose folder did not change needs nothing else.
    """

    mailbox: ObjectId
    task: Task = Task.SYNC
    fingerprint: str = ""


class CloseRun(RunMessage):
    """On `run-closings`: sum up the results once all are in."""


def parse[T: Message](kind: type[T], body: bytes) -> T:
    """Read a message; raises `UnknownMessage`, which says nothing of its content."""
    try:
        return kind.model_validate_json(body)
    except ValidationError:
        message = f"A message of {len(body)} bytes is not a {kind.__name__} of ours."
        # The cause would show what the message holds.
        raise UnknownMessage(message) from None
