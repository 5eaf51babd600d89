"""The events that telemetry sends: what happened, in ids, codes and numbers only.

Each class says when its event is sent, each attribute what it means. An attribute's type takes no
blank, no '@' and no '+', so that neither a name nor a mail address nor a telephone number fits in.
Share ids are secrets (whoever knows one may import the share), so no event has one.

Names and attributes are an interface: the queries and alerts of `infra/queries` read them. They
are added to, never renamed. A message that is delivered twice may repeat an event; where that
cannot be helped, the class says so.
"""

from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.fields import FieldInfo

from shared.domain.importing.messages import SyncMailbox, Task
from shared.domain.importing.runs import Outcome, Result, Run, RunStatus, RunTrigger
from shared.domain.model import Model
from shared.domain.reasons import Reason

type Kind = Literal["id", "code", "count", "milliseconds", "seconds", "flag"]
type Severity = Literal["info", "warning", "error"]

_Id = Annotated[str, StringConstraints(pattern=r"^(?:[A-Za-z0-9][A-Za-z0-9._-]{0,127})?$")]
_Code = Annotated[str, StringConstraints(pattern=r"^(?:[A-Za-z][A-Za-z0-9_-]{0,63})?$")]


def _is(kind: Kind, meaning: str, **limits: Any) -> Any:
    """What an attribute is: its kind, and its meaning for whoever reads the queries."""
    return Field(description=meaning, json_schema_extra={"kind": kind}, **limits)


def _count(meaning: str) -> Any:
    return _is("count", meaning, ge=0)


_TENANT: Final = _is("id", "the tenant that it is about; '' if none")
_IMPORT: Final = _is("id", "the import")
_RUN: Final = _is("id", "the run")
_REASON: Final = _is("code", "why, as a result's or run's `reason` says; '' if there is nothing")
_REQUESTS: Final = _count("HTTP requests to Microsoft Graph; a batch is one")
_THROTTLED: Final = _count("how often Graph answered 429, each item of a batch by itself")
_CREATED: Final = _count("contacts created")
_UPDATED: Final = _count("contacts updated")
_DELETED: Final = _count("contacts deleted")
_UNCHANGED: Final = _count("contacts that were right already")


class Event(Model):
    """What happened; `name` is the event's name in telemetry, `severity` how its log line ranks."""

    model_config = ConfigDict(serialize_by_alias=True)
    name: ClassVar[str]
    severity: ClassVar[Severity] = "info"

    tenant: Annotated[_Id, _TENANT]

    def attributes(self) -> dict[str, str | int | float | bool]:
        """The attributes by their names, flat; a reason that is not there is ''."""
        return {
            name: "" if value is None else value
            for name, value in self.model_dump(mode="json").items()
        }


class RunEvent(Event):
    """An event of a run."""

    import_id: Annotated[_Id, _IMPORT]
    run: Annotated[_Id, _RUN]


class RunStarted(RunEvent):
    """A run knows its share's contacts and its mailboxes, and is about to tell the mailboxes.

    An approved run starts once more.
    """

    name = "run_started"

    trigger: Annotated[RunTrigger, _is("code", "what started the run")]
    mailboxes: Annotated[int, _count("mailboxes of the run, those that are skipped too")]
    share_contacts: Annotated[int, _count("contacts that the share holds")]
    graph_requests: Annotated[int, _REQUESTS]
    throttled: Annotated[int, _THROTTLED]
    milliseconds: Annotated[int, _is("milliseconds", "from taking the message to here", ge=0)]


class ShareResolved(RunEvent):
    """A run read its share from the publisher's directory."""

    name = "share_resolved"

    publisher: Annotated[_Id, _is("id", "the tenant that publishes the share")]
    contacts: Annotated[int, _count("contacts that the share holds")]
    omitted: Annotated[int, _count("people of its sources left out or not whole, per reason")]
    graph_requests: Annotated[int, _REQUESTS]
    throttled: Annotated[int, _THROTTLED]
    milliseconds: Annotated[int, _is("milliseconds", "how long reading took", ge=0)]


class MailboxSyncFinished(RunEvent):
    """A mailbox of a run has its result, after whatever tries; also if it was given up.

    Mailboxes that a run skips before it asks them (no seat, say) have none: `run_closed` counts
    them. One that was held has a second one once the run is approved.
    """

    name = "mailbox_sync_finished"

    mailbox: Annotated[_Id, _is("id", "the object id of the mailbox's user")]
    task: Annotated[Task, _is("code", "sync, or remove: taking our contacts out")]
    outcome: Annotated[Outcome, _is("code", "succeeded, skipped, failed or held")]
    reason: Annotated[Reason | None, _REASON] = None
    created: Annotated[int, _CREATED] = 0
    updated: Annotated[int, _UPDATED] = 0
    deleted: Annotated[int, _DELETED] = 0
    unchanged: Annotated[int, _UNCHANGED] = 0
    photos: Annotated[int, _count("photos written")] = 0
    graph_requests: Annotated[int, _REQUESTS] = 0
    throttled: Annotated[int, _THROTTLED] = 0
    milliseconds: Annotated[int, _is("milliseconds", "how long the last try took", ge=0)] = 0
    attempt: Annotated[int, _count("how often the message was given back before")] = 0

    @classmethod
    def of(cls, message: SyncMailbox, result: Result) -> Self:
        """Return the event of a mailbox whose result is recorded."""
        return cls(
            tenant=message.tenant,
            import_id=message.import_id,
            run=message.run,
            mailbox=message.mailbox,
            task=message.task,
            outcome=result.outcome,
            reason=result.reason,
            created=result.contacts.created,
            updated=result.contacts.updated,
            deleted=result.contacts.deleted,
            unchanged=result.contacts.unchanged,
            photos=result.photos,
            graph_requests=result.graph_requests,
            throttled=result.throttled,
            milliseconds=max(0, result.milliseconds),
            attempt=message.attempt,
        )


class RunClosed(RunEvent):
    """A run has ended: it is summed up, or could not start. An approved run ends once more."""

    name = "run_closed"

    trigger: Annotated[RunTrigger, _is("code", "what started the run")]
    status: Annotated[RunStatus, _is("code", "held, succeeded, partial or failed")]
    reason: Annotated[Reason | None, _REASON]
    mailboxes: Annotated[int, _count("mailboxes of the run: the sum of the next four")]
    succeeded: Annotated[int, _count("mailboxes that are as they shall be")]
    skipped: Annotated[int, _count("mailboxes that were left alone")]
    failed: Annotated[int, _count("mailboxes that failed")]
    held: Annotated[int, _count("mailboxes that wait for an admin's decision")]
    created: Annotated[int, _CREATED]
    updated: Annotated[int, _UPDATED]
    deleted: Annotated[int, _DELETED]
    unchanged: Annotated[int, _UNCHANGED]
    graph_requests: Annotated[int, _REQUESTS]
    throttled: Annotated[int, _THROTTLED]
    seconds: Annotated[
        float, _is("seconds", "from being queued to the end, with any wait for a decision", ge=0)
    ]

    @classmethod
    def of(cls, tenant: str, run: Run) -> Self:
        """The event of a run that has ended."""
        lasted = (run.ended - run.queued).total_seconds() if run.ended is not None else 0.0
        return cls(
            tenant=tenant,
            import_id=run.import_id,
            run=run.id,
            trigger=run.trigger,
            status=run.status,
            reason=run.reason,
            mailboxes=run.mailboxes.total,
            succeeded=run.mailboxes.succeeded,
            skipped=run.mailboxes.skipped,
            failed=run.mailboxes.failed,
            held=run.mailboxes.held,
            created=run.contacts.created,
            updated=run.contacts.updated,
            deleted=run.contacts.deleted,
            unchanged=run.contacts.unchanged,
            graph_requests=run.graph_requests,
            throttled=run.throttled,
            seconds=max(0.0, round(lasted, 3)),
        )


class RunHeld(RunEvent):
    """A run ended held: an admin has to approve or discard it. Comes beside `run_closed`."""

    name = "run_held"
    severity = "warning"

    reason: Annotated[Reason | None, _REASON]
    mailboxes: Annotated[int, _count("mailboxes held; 0 if the run as a whole is")]


class RunDecided(RunEvent):
    """An admin decided about a held run."""

    name = "run_decided"

    decision: Annotated[Literal["approved", "discarded"], _is("code", "approved or discarded")]


class ConsentLost(Event):
    """A tenant is disconnected, because its consent, or a permission of it, is gone."""

    name = "consent_lost"
    severity = "warning"

    reason: Annotated[Reason, _REASON]


class ConsentRegained(Event):
    """A tenant that was disconnected is connected again."""

    name = "consent_regained"


class TenantJoined(Event):
    """A tenant proved its consent for the first time."""

    name = "tenant_joined"


class TenantLeft(Event):
    """Everything of a tenant was erased. Repeated if the worker dies while it erases."""

    name = "tenant_left"

    contacts_removed: Annotated[int, _count("contacts taken out of its mailboxes")] = 0


class SeatsBooked(Event):
    """A tenant's number of seats was changed."""

    name = "seats_booked"

    booked: Annotated[int, _count("seats booked now")]
    before: Annotated[int, _count("seats booked before")]


class MessagePoisoned(Event):
    """A message was given up after all tries, or is not ours (then `tenant` is '')."""

    name = "message_poisoned"
    severity = "error"

    queue: Annotated[_Code, _is("code", "the queue that it could not be taken from")]
    run: Annotated[_Id, _is("id", "the run; '' if none")] = ""


class MessageGivenBack(Event):
    """A message goes again later, since something passes; that is no failure.

    One that merely looks whether others have ended (closing a run, leaving) sends none for that.
    """

    name = "message_given_back"

    queue: Annotated[_Code, _is("code", "the queue")]
    run: Annotated[_Id, _is("id", "the run; '' if none")]
    attempt: Annotated[int, _count("how often it was given back before")]
    seconds: Annotated[float, _is("seconds", "when it is seen again, from now", ge=0)]
    error: Annotated[_Code, _is("code", "what passes: Throttled, Paced, Unavailable or Busy")]


class RunsScheduled(Event):
    """A timer has queued the runs that are due, of all tenants (`tenant` is '')."""

    name = "runs_scheduled"

    tenant: Annotated[_Id, _TENANT] = ""
    timer: Annotated[Literal["daily", "hourly"], _is("code", "daily or hourly")]
    runs: Annotated[int, _count("runs queued; those that were queued already count too")]
    past_due: Annotated[bool, _is("flag", "whether the tick came late")]


class Swept(Event):
    """What has had its time was erased, of all tenants (`tenant` is '')."""

    name = "swept"

    tenant: Annotated[_Id, _TENANT] = ""
    snapshots: Annotated[int, _count("snapshots that lost runs left behind")]
    runs: Annotated[int, _count("old runs")]
    ledger_entries: Annotated[int, _count("old entries of the ledger")]
    keys: Annotated[int, _count("idempotency keys, and share ids that were rotated away")]


EVENTS: Final[tuple[type[Event], ...]] = (
    RunStarted,
    ShareResolved,
    MailboxSyncFinished,
    RunClosed,
    RunHeld,
    RunDecided,
    ConsentLost,
    ConsentRegained,
    TenantJoined,
    TenantLeft,
    SeatsBooked,
    MessagePoisoned,
    MessageGivenBack,
    RunsScheduled,
    Swept,
)
"""All events there are."""


def schemas() -> dict[str, dict[str, Kind]]:
    """Every event by its name: the kind of each attribute, by the attribute's name."""
    return {
        event.name: {str(field.alias): kind_of(field) for field in event.model_fields.values()}
        for event in EVENTS
    }


def kind_of(field: FieldInfo) -> Kind:
    """What kind of value an attribute holds."""
    extra = field.json_schema_extra
    if not isinstance(extra, dict):
        raise TypeError(f"{field.alias} has no kind")
    kind: Any = extra["kind"]
    return kind  # type: ignore[no-any-return] # as `_is` was given it
