"""The events that telemetry sends: ids, codes and numbers only.

Each class says when its event is sent, each attribute what it means. The attribute types reject
spaces, '@' and '+', so that an attribute cannot hold a name, mail address or phone number. Share
ids are secrets (anyone who knows one may import the share), so no event has one.

Names and attributes are an interface: the queries and alerts of `infra/queries` read them. Add to
them, never rename them. A message that is delivered twice may repeat its event.
"""

from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints

from shared.domain.importing.messages import SyncMailbox, Task
from shared.domain.importing.runs import Outcome, Result, Run, RunStatus, RunTrigger
from shared.domain.model import Model
from shared.domain.reasons import Reason

type Kind = Literal["id", "code", "count", "milliseconds", "seconds", "flag"]
type Severity = Literal["info", "warning", "error"]

_Id = Annotated[str, StringConstraints(pattern=r"^(?:[A-Za-z0-9][A-Za-z0-9._-]{0,127})?$")]
_Code = Annotated[str, StringConstraints(pattern=r"^(?:[A-Za-z][A-Za-z0-9_-]{0,63})?$")]


def _is(kind: Kind, meaning: str, **limits: Any) -> Any:
    """Describe an attribute: its kind, and its meaning for readers of the queries."""
    return Field(description=meaning, json_schema_extra={"kind": kind}, **limits)


def _count(meaning: str) -> Any:
    return _is("count", meaning, ge=0)


_TENANT: Final = _is("id", "the tenant; '' if the event is not about one")
_IMPORT: Final = _is("id", "the import")
_RUN: Final = _is("id", "the run")
_REASON: Final = _is("code", "the `reason` of the result or run; '' if there is none")
_REQUESTS: Final = _count("HTTP requests to Microsoft Graph; a batch counts as one")
_THROTTLED: Final = _count("429 responses from Graph; each item of a batch counts as one")
_CREATED: Final = _count("contacts created")
_UPDATED: Final = _count("contacts updated")
_DELETED: Final = _count("contacts deleted")
_UNCHANGED: Final = _count("contacts that were up to date")


class Event(Model):
    """The base of all events; `severity` is the level of the event's log line."""

    model_config = ConfigDict(serialize_by_alias=True)
    name: ClassVar[str]
    severity: ClassVar[Severity] = "info"

    tenant: Annotated[_Id, _TENANT]

    def attributes(self) -> dict[str, str | int | float | bool]:
        """Return the attributes by name; a missing reason becomes ''."""
        return {
            name: "" if value is None else value
            for name, value in self.model_dump(mode="json").items()
        }


class RunEvent(Event):
    """An event of a run."""

    import_id: Annotated[_Id, _IMPORT]
    run: Annotated[_Id, _RUN]


class RunStarted(RunEvent):
    """A run has resolved its share and its mailboxes and is about to queue the mailboxes.

    Approving a run sends the event a second time. Its requests are those for the mailboxes, in the
    importing tenant; `share_resolved` has the share's.
    """

    name = "run_started"

    trigger: Annotated[RunTrigger, _is("code", "what started the run")]
    mailboxes: Annotated[int, _count("mailboxes of the run, including skipped ones")]
    share_contacts: Annotated[int, _count("contacts that the share holds")]
    graph_requests: Annotated[int, _REQUESTS]
    throttled: Annotated[int, _THROTTLED]
    milliseconds: Annotated[int, _is("milliseconds", "duration without reading the share", ge=0)]


class ShareResolved(RunEvent):
    """A run read its share from the publisher's directory."""

    name = "share_resolved"

    publisher: Annotated[_Id, _is("id", "the tenant that publishes the share")]
    contacts: Annotated[int, _count("contacts that the share holds")]
    omitted: Annotated[int, _count("people of an own share omitted or shortened, once per reason")]
    graph_requests: Annotated[int, _REQUESTS]
    throttled: Annotated[int, _THROTTLED]
    milliseconds: Annotated[int, _is("milliseconds", "duration of reading", ge=0)]


class MailboxSyncFinished(RunEvent):
    """A mailbox of a run has its result, after one or more attempts, or after we gave up.

    A mailbox that a run skips without contacting it, for example because it has no seat, sends no
    event; `run_closed` counts them. A held mailbox sends a second event after the run is approved.
    """

    name = "mailbox_sync_finished"

    mailbox: Annotated[_Id, _is("id", "the object id of the mailbox's user")]
    task: Annotated[Task, _is("code", "sync, remove (all our contacts) or purge (some people)")]
    outcome: Annotated[Outcome, _is("code", "succeeded, skipped, failed or held")]
    reason: Annotated[Reason | None, _REASON] = None
    created: Annotated[int, _CREATED] = 0
    updated: Annotated[int, _UPDATED] = 0
    deleted: Annotated[int, _DELETED] = 0
    unchanged: Annotated[int, _UNCHANGED] = 0
    photos: Annotated[int, _count("photos written")] = 0
    graph_requests: Annotated[int, _REQUESTS] = 0
    throttled: Annotated[int, _THROTTLED] = 0
    milliseconds: Annotated[int, _is("milliseconds", "duration of the last attempt", ge=0)] = 0
    attempt: Annotated[int, _count("how often the message was put back before")] = 0

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
            **result.contacts.model_dump(),
            photos=result.photos,
            graph_requests=result.graph_requests,
            throttled=result.throttled,
            milliseconds=max(0, result.milliseconds),
            attempt=message.attempt,
        )


class MailboxesChecked(RunEvent):
    """A chunk of a run's mailboxes was checked; those that have changed send their own events."""

    name = "mailboxes_checked"

    mailboxes: Annotated[int, _count("mailboxes of the chunk")]
    unchanged: Annotated[int, _count("mailboxes that had nothing to do")]
    contacts: Annotated[int, _count("contacts in the unchanged mailboxes")]
    graph_requests: Annotated[int, _REQUESTS]
    throttled: Annotated[int, _THROTTLED]


class RunClosed(RunEvent):
    """A run has ended or could not start. Approving or discarding it sends the event again.

    A foreign share's requests are the publisher's: they are in `share_resolved` only.
    """

    name = "run_closed"

    trigger: Annotated[RunTrigger, _is("code", "what started the run")]
    status: Annotated[RunStatus, _is("code", "how the run ended, or that it is held")]
    reason: Annotated[Reason | None, _REASON]
    mailboxes: Annotated[int, _count("mailboxes of the run: the sum of the next four")]
    succeeded: Annotated[int, _count("mailboxes that are up to date")]
    skipped: Annotated[int, _count("mailboxes that were not synced")]
    failed: Annotated[int, _count("mailboxes that failed")]
    held: Annotated[int, _count("mailboxes that wait for an admin's decision")]
    created: Annotated[int, _CREATED]
    updated: Annotated[int, _UPDATED]
    deleted: Annotated[int, _DELETED]
    unchanged: Annotated[int, _UNCHANGED]
    graph_requests: Annotated[int, _REQUESTS]
    throttled: Annotated[int, _THROTTLED]
    seconds: Annotated[
        float, _is("seconds", "from queuing to the end, including any wait for a decision", ge=0)
    ]

    @classmethod
    def of(cls, tenant: str, run: Run) -> Self:
        """Return the event of a run that has ended."""
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
    """A run is held: an admin must approve or discard it. Sent in addition to `run_closed`."""

    name = "run_held"
    severity = "warning"

    reason: Annotated[Reason | None, _REASON]
    mailboxes: Annotated[int, _count("mailboxes held; 0 if the whole run is held")]


class RunOpen(RunEvent):
    """A run began more than half an hour ago and has not ended. Sent by every tick."""

    name = "run_open"

    done: Annotated[int, _count("mailboxes that have their result")]
    seconds: Annotated[float, _is("seconds", "since the run was queued", ge=0)]


class RunDecided(RunEvent):
    """An admin approved or discarded a held run."""

    name = "run_decided"

    decision: Annotated[Literal["approved", "discarded"], _is("code", "approved or discarded")]


class ConsentLost(Event):
    """A tenant is disconnected because its consent or one of the permissions was withdrawn."""

    name = "consent_lost"
    severity = "warning"

    reason: Annotated[Reason, _REASON]


class ConsentRegained(Event):
    """A tenant that was disconnected is connected again."""

    name = "consent_regained"


class TenantJoined(Event):
    """A tenant's consent was verified for the first time."""

    name = "tenant_joined"


class TenantLeft(Event):
    """All data of a tenant was erased. Repeated if the worker dies while it erases."""

    name = "tenant_left"

    contacts_removed: Annotated[int, _count("contacts deleted from its mailboxes")] = 0


class SeatsBooked(Event):
    """A tenant's number of licenses was changed."""

    name = "seats_booked"

    booked: Annotated[int, _count("licenses booked now")]
    before: Annotated[int, _count("licenses booked before")]


class NoticeSent(Event):
    """A try to deliver a notice has ended."""

    name = "notice_sent"

    outcome: Annotated[_Code, _is("code", "accepted, or why it did not arrive")]
    tries: Annotated[int, _count("tries so far")]


class MessagePoisoned(Event):
    """A message failed in all tries, or the app did not write it (then `tenant` is '')."""

    name = "message_poisoned"
    severity = "error"

    queue: Annotated[_Code, _is("code", "the queue of the message")]
    run: Annotated[_Id, _is("id", "the run; '' if none")] = ""


class AttemptFailed(Event):
    """A queue or timer function failed with an error that is not transient.

    The host tries a message again; after five tries it becomes a `message_poisoned`.
    """

    name = "attempt_failed"
    severity = "error"

    function: Annotated[_Code, _is("code", "the function")]
    queue: Annotated[_Code, _is("code", "the queue of the message; '' of a timer")] = ""
    run: Annotated[_Id, _is("id", "the run; '' if none")] = ""
    tries: Annotated[int, _count("how often the message was tried, with this time")] = 1
    error: Annotated[_Code, _is("code", "the type of the error")]


class MessageGivenBack(Event):
    """A message was returned to its queue after a transient error, which is not a failure.

    A message that only waits for other work to end (closing a run, leaving) sends no event.
    """

    name = "message_given_back"

    queue: Annotated[_Code, _is("code", "the queue")]
    import_id: Annotated[_Id, _is("id", "the import; '' if none")] = ""
    run: Annotated[_Id, _is("id", "the run; '' if none")]
    mailbox: Annotated[_Id, _is("id", "the mailbox of a sync; '' of other messages")] = ""
    attempt: Annotated[int, _count("how often it was put back before")]
    seconds: Annotated[float, _is("seconds", "time until it is visible again", ge=0)]
    error: Annotated[_Code, _is("code", "Throttled, Paced, Unavailable or Busy")]
    graph_requests: Annotated[int, _REQUESTS] = 0
    milliseconds: Annotated[int, _is("milliseconds", "duration of this try", ge=0)] = 0


class RunsScheduled(Event):
    """The tick has queued the due runs of a range of tenants (`tenant` is '')."""

    name = "runs_scheduled"

    tenant: Annotated[_Id, _TENANT] = ""
    runs: Annotated[int, _count("scheduled runs that were due")]
    sent_again: Annotated[int, _count("runs whose messages were sent again")] = 0
    given_up: Annotated[int, _count("runs that were ended because they stood still")] = 0
    past_due: Annotated[bool, _is("flag", "whether the tick came late")]


class TenantsVisited(Event):
    """The tick has visited the tenants that leave or are disconnected (`tenant` is '')."""

    name = "tenants_visited"

    tenant: Annotated[_Id, _TENANT] = ""
    leaving: Annotated[int, _count("tenants that are leaving")]
    reconnected: Annotated[int, _count("tenants whose consent works again")]


class Swept(Event):
    """Expired rows of a range of tenants were erased (`tenant` is '')."""

    name = "swept"

    tenant: Annotated[_Id, _TENANT] = ""
    snapshots: Annotated[int, _count("snapshots that lost runs left behind")] = 0
    runs: Annotated[int, _count("old runs")] = 0
    ledger_entries: Annotated[int, _count("old entries of the ledger")] = 0
    keys: Annotated[int, _count("idempotency keys, ids of withdrawn shares, old notices")] = 0
    orphans: Annotated[int, _count("rows and licenses whose owner is gone")] = 0
    checks: Annotated[int, _count("results of tenants' own checks")] = 0


EVENTS: Final[tuple[type[Event], ...]] = (
    RunStarted,
    ShareResolved,
    MailboxSyncFinished,
    MailboxesChecked,
    RunClosed,
    RunHeld,
    RunOpen,
    RunDecided,
    ConsentLost,
    ConsentRegained,
    TenantJoined,
    TenantLeft,
    SeatsBooked,
    NoticeSent,
    MessagePoisoned,
    AttemptFailed,
    MessageGivenBack,
    RunsScheduled,
    TenantsVisited,
    Swept,
)
"""All events."""


def schemas() -> dict[str, dict[str, Kind]]:
    """Return the kind of each attribute of each event, by event name and attribute name."""
    return {
        event.name: {str(field.alias): _kind(field) for field in event.model_fields.values()}
        for event in EVENTS
    }


def _kind(field: Any) -> Kind:
    kind: Kind = field.json_schema_extra["kind"]  # as `_is` was given it
    return kind
