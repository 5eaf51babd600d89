"""Queue messages. They contain only ids and delta links, so that no personal data waits in a queue.

`attempt` counts how often a message was put back with a delay, which is not a failure. `parse`
rejects messages that our own code did not write. Unknown fields are ignored, so that messages of a
newer version can still be read after a rollback.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from pydantic import ConfigDict, ValidationError

from shared.domain.errors import NewerVersion, UnknownMessage
from shared.domain.key_ranges import KeyRange
from shared.domain.model import Model, ObjectId, RunId

IMPORT_RUNS: Final = "import-runs"
MAILBOX_CHECKS: Final = "mailbox-checks"
MAILBOX_SYNCS: Final = "mailbox-syncs"
RUN_CLOSINGS: Final = "run-closings"
TENANT_LEAVINGS: Final = "tenant-leavings"
TENANT_CHECKS: Final = "tenant-checks"
NOTICES: Final = "notices"
MAINTENANCE: Final = "maintenance"
QUEUES: Final = (
    IMPORT_RUNS,
    MAILBOX_CHECKS,
    MAILBOX_SYNCS,
    RUN_CLOSINGS,
    TENANT_LEAVINGS,
    TENANT_CHECKS,
    NOTICES,
    MAINTENANCE,
)


VERSION: Final = 1
"""The format of messages. While an update rolls out, an older worker gives back newer ones."""


_UNTIL_UPDATED: Final = 60.0


class Task(StrEnum):
    """What to do in a mailbox."""

    SYNC = "sync"
    REMOVE = "remove"
    PURGE = "purge"
    """Remove only the contacts of people who are removed everywhere, whatever the guard says."""


class Message(Model):
    """The base of all messages: the tenant, and how often the message was put back.

    Sending sets `delay`, the seconds before the message becomes visible, and `traceparent`, the
    sender's W3C Trace Context.
    """

    model_config = ConfigDict(extra="ignore")

    version: int = VERSION
    tenant: ObjectId
    attempt: int = 0
    delay: int = 0
    traceparent: str = ""

    def age(self, inserted: datetime, now: datetime) -> float:
        """Return how many seconds the message, which was queued at `inserted`, has been due."""
        return max(0.0, (now - inserted).total_seconds() - self.delay)


class LeaveTenant(Message):
    """On `tenant-leavings`: remove the tenant, step by step."""


class CheckTenant(Message):
    """On `tenant-checks`: go on with the tenant's `check`, or clean up after it.

    A message of a check that is no longer the tenant's last one changes nothing.
    """

    check: ObjectId


class DeliverNotice(Message):
    """On `notices`: deliver a notice, or try again.

    A message of a notice that has arrived, or whose next try is not due yet, changes nothing.
    """

    notice: RunId


class MaintenanceTask(StrEnum):
    """What a timer does for all tenants."""

    TENANTS = "tenants"
    """Go on with tenants that leave, and check the consent of those that are disconnected."""
    IMPORTS = "imports"
    """Start the runs that are due, and drive on those that stand still."""
    NOTICES = "notices"
    """Tell admins what has happened, and deliver again what has not arrived."""
    SNAPSHOTS = "snapshots"
    RUNS = "runs"
    LEDGER = "ledger"
    LEDGER_FEED = "ledger-feed"
    KEYS = "keys"
    SHARE_IDS = "share-ids"
    CHECKS = "checks"
    SEATS = "seats"
    DELIVERIES = "deliveries"
    """Delete old deliveries of notices."""
    DOMAINS = "domains"
    """Read the verified domains of tenants again."""
    ORPHANS = "orphans"
    """Erase the rows of one `table` whose owner is gone."""


class MaintainRange(Message):
    """On `maintenance`: do a task for the partitions after `low`, up to and including `high`.

    `after` limits it to the rows of the partition `low` behind that one, `row` to just one row.
    `at` is when the timer fired, `token` where an earlier message of the same range stopped.
    """

    tenant: str = ""
    task: MaintenanceTask
    table: str = ""
    at: datetime
    low: str = KeyRange.low
    high: str = KeyRange.high
    after: str = ""
    row: str = ""
    token: str | None = None
    past_due: bool = False


class RunMessage(Message):
    """A message of a run of an import; `number` is the one the run took when it began.

    A message whose run and number are no longer those of the import's open run changes nothing.
    """

    import_id: ObjectId
    run: RunId
    number: int

    def followed_by[T: "RunMessage"](self, kind: type[T], **values: Any) -> T:
        """Return another message of the same run, sent for the first time."""
        return kind(
            tenant=self.tenant,
            import_id=self.import_id,
            run=self.run,
            number=self.number,
            **values,
        )


class StartRun(RunMessage):
    """On `import-runs`: resolve the share and spread the run over the mailboxes."""


class CheckMailboxes(RunMessage):
    """On `mailbox-checks`: sync one chunk of the mailboxes in the run's `snapshot`."""

    snapshot: str
    chunk: int


class SyncMailbox(RunMessage):
    """On `mailbox-syncs`: sync one mailbox to the run's `snapshot`, or remove our contacts.

    `link` is a newer delta link than the one in the mailbox's head, of which `link_base` is a hash.
    """

    snapshot: str = ""
    mailbox: ObjectId
    task: Task = Task.SYNC
    fingerprint: str = ""
    link: str = ""
    link_base: str = ""


class CloseRun(RunMessage):
    """On `run-closings`: end the run once all results are in."""


class _Versioned(Model):
    model_config = ConfigDict(extra="ignore")

    version: int = 0


def parse[T: Message](kind: type[T], body: bytes) -> T:
    """Read a message; raises `UnknownMessage`, which never quotes the content.

    Raises `NewerVersion` for a message of a newer app: an older worker must give it back.
    """
    try:
        if _Versioned.model_validate_json(body).version > VERSION:
            message = "The message is of a newer version of the app."
            raise NewerVersion(message, _UNTIL_UPDATED)
        return kind.model_validate_json(body)
    except ValidationError:
        message = f"A message of {len(body)} bytes is not a valid {kind.__name__}."
        # `from None`, because the cause would show the message's content.
        raise UnknownMessage(message) from None
