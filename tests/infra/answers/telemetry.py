"""Synthetic telemetry: real events of the app, requests and metrics, as their tables hold them.

Times are written as "10:30", or "+1 10:30" on the next day. Events are built from the app's own
classes, so that no row can hold what the app would never send.
"""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from shared.domain.events import (
    AttemptFailed,
    ConsentLost,
    ConsentRegained,
    Event,
    MailboxSyncFinished,
    MessageGivenBack,
    MessagePoisoned,
    RunClosed,
    RunDecided,
    RunHeld,
    RunOpen,
    RunsScheduled,
    RunStarted,
    SeatsBooked,
    ShareResolved,
    Swept,
    TenantJoined,
    TenantLeft,
)
from shared.domain.importing.messages import Task
from shared.domain.importing.runs import Outcome, RunStatus, RunTrigger
from shared.domain.reasons import Reason
from tests.infra.readers.kql_engine import Row

DAY: Final = datetime(2026, 3, 2, tzinfo=UTC)
"""The day of a time without a day: a Monday."""


def at(text: str) -> datetime:
    """Return the time that "[±days ]hours:minutes[:seconds]" names."""
    match = re.fullmatch(r"(?:([+-]\d+) )?(\d\d):(\d\d)(?::(\d\d))?", text)
    if match is None:
        raise ValueError(f"{text} is no time")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return DAY + timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def written(when: datetime) -> str:
    """Write a time as `at` reads it."""
    days = (when.date() - DAY.date()).days
    clock = f"{when:%H:%M:%S}".removesuffix(":00")
    return f"{days:+d} {clock}" if days else clock


def event(when: str, what: Event, *, trace: str = "", seen: str | None = None) -> Row:
    """Return an event's row; Azure stores each attribute as a string."""
    attributes = {name: str(value) for name, value in what.attributes().items()}
    columns = {"Name": what.name, "Properties": attributes, "OperationId": trace, "ItemCount": 1}
    return Row("AppEvents", at(when), columns, at(seen) if seen is not None else None)


def started(when: str, run: str = "r1", *, trace: str = "", **values: Any) -> Row:
    """Return a `run_started`."""
    given = {
        "trigger": RunTrigger.SCHEDULE,
        "mailboxes": 2,
        "share_contacts": 10,
        "graph_requests": 3,
        "throttled": 0,
        "milliseconds": 1000,
    }
    return event(when, RunStarted(**_run(run), **{**given, **_own(values)}), trace=trace)


def resolved(when: str, run: str = "r1", *, trace: str = "", **values: Any) -> Row:
    """Return a `share_resolved`."""
    given = {
        "publisher": "p1",
        "contacts": 10,
        "omitted": 1,
        "graph_requests": 4,
        "throttled": 0,
        "milliseconds": 2000,
    }
    return event(when, ShareResolved(**_run(run), **{**given, **_own(values)}), trace=trace)


def closed(
    when: str,
    run: str = "r1",
    status: str = "succeeded",
    *,
    trace: str = "",
    seen: str | None = None,
    **values: Any,
) -> Row:
    """Return a `run_closed`; the number of mailboxes follows from the outcomes."""
    counted = {name: values.pop(name, 0) for name in ("succeeded", "skipped", "failed", "held")}
    given = {
        "trigger": RunTrigger.SCHEDULE,
        "reason": None,
        "created": 0,
        "updated": 0,
        "deleted": 0,
        "unchanged": 0,
        "graph_requests": 0,
        "throttled": 0,
        "seconds": 60,
    }
    what = RunClosed(
        **_run(run),
        status=RunStatus(status),
        mailboxes=sum(counted.values()),
        **counted,
        **{**given, **_own(values)},
    )
    return event(when, what, trace=trace, seen=seen)


def synced(
    when: str,
    mailbox: str = "m1",
    outcome: str = "succeeded",
    run: str = "r1",
    *,
    trace: str = "",
    **values: Any,
) -> Row:
    """Return a `mailbox_sync_finished`."""
    what = MailboxSyncFinished(
        **_run(run),
        mailbox=mailbox,
        task=Task.SYNC,
        outcome=Outcome(outcome),
        **_own(values),
    )
    return event(when, what, trace=trace)


def held(when: str, run: str = "r1", **values: Any) -> Row:
    """Return a `run_held`."""
    given = {"reason": Reason.TOO_MANY_DELETES, "mailboxes": 1}
    return event(when, RunHeld(**_run(run), **{**given, **_own(values)}))


def still_open(when: str, run: str = "r1", done: int = 0, seconds: float = 1800) -> Row:
    """Return a `run_open`."""
    return event(when, RunOpen(**_run(run), done=done, seconds=seconds))


def failed(
    when: str, function: str, queue: str = "", *, run: str = "", tenant: str = "", trace: str = ""
) -> Row:
    """Return an `attempt_failed`."""
    what = AttemptFailed(tenant=tenant, function=function, queue=queue, run=run, error="Defect")
    return event(when, what, trace=trace)


def decided(when: str, run: str = "r1", decision: Any = "discarded") -> Row:
    """Return a `run_decided`."""
    return event(when, RunDecided(**_run(run), decision=decision))


def given_back(when: str, run: str = "r1", *, trace: str = "", **values: Any) -> Row:
    """Return a `message_given_back`."""
    tenant, import_id, id_ = _parts(run)
    given = {
        "import_id": import_id,
        "queue": "mailbox-syncs",
        "attempt": 0,
        "seconds": 1.5,
        "error": "Throttled",
    }
    what = MessageGivenBack(tenant=tenant, run=id_, **{**given, **_own(values)})
    return event(when, what, trace=trace)


def poisoned(
    when: str,
    run: str = "r1",
    queue: str = "mailbox-syncs",
    *,
    trace: str = "",
    seen: str | None = None,
) -> Row:
    """Return a `message_poisoned`."""
    tenant, _, id_ = _parts(run)
    what = MessagePoisoned(tenant=tenant, run=id_, queue=queue)
    return event(when, what, trace=trace, seen=seen)


def consent(when: str, tenant: str, reason: Reason | None = None) -> Row:
    """Return a `consent_lost` for this reason, or a `consent_regained` without one."""
    if reason is None:
        return event(when, ConsentRegained(tenant=tenant))
    return event(when, ConsentLost(tenant=tenant, reason=reason))


def joined(when: str, tenant: str) -> Row:
    """Return a `tenant_joined`."""
    return event(when, TenantJoined(tenant=tenant))


def left(when: str, tenant: str) -> Row:
    """Return a `tenant_left`."""
    return event(when, TenantLeft(tenant=tenant))


def seats(when: str, tenant: str, booked: int) -> Row:
    """Return a `seats_booked`."""
    return event(when, SeatsBooked(tenant=tenant, booked=booked, before=0))


def ticked(when: str, *, seen: str | None = None, **values: Any) -> Row:
    """Return a `runs_scheduled`."""
    return event(when, RunsScheduled(**{"runs": 0, "past_due": False, **values}), seen=seen)


def swept(when: str, **values: Any) -> Row:
    """Return a `swept`."""
    return event(when, Swept(**values))


def metric(when: str, name: str, value: float, **attributes: str) -> Row:
    """Return one export of a metric."""
    columns = {"Name": name, "Sum": value, "Max": value, "Properties": attributes}
    return Row("AppMetrics", at(when), columns)


def request(
    when: str,
    function: str,
    code: str = "200",
    *,
    milliseconds: float = 10,
    items: int = 1,
    trace: str = "",
) -> Row:
    """Return the host's record of a call, which stands for `items` of them."""
    columns = {
        "Name": function,
        "OperationName": function,
        "ResultCode": code,
        "Success": code[0] in "0123",
        "DurationMs": float(milliseconds),
        "ItemCount": items,
        "OperationId": trace,
    }
    return Row("AppRequests", at(when), columns)


def queue_call(
    when: str, function: str, *, good: bool = True, items: int = 1, trace: str = ""
) -> Row:
    """Return the host's record of a call by a queue or timer, whose code is always 0."""
    call = request(when, function, "0", items=items, trace=trace)
    return replace(call, columns={**call.columns, "Success": good})


def row(table: str, when: str, **columns: Any) -> Row:
    """Return a row of any table."""
    return Row(table, at(when), columns)


def _parts(run: str) -> tuple[str, str, str]:
    """Split "tenant/import/run", or a run of t1's import i1."""
    tenant, import_, id_ = run.split("/") if "/" in run else ("t1", "i1", run)
    return tenant, import_, id_


def _run(run: str) -> dict[str, Any]:
    tenant, import_, id_ = _parts(run)
    return {"tenant": tenant, "import_id": import_, "run": id_}


def _own(values: dict[str, Any]) -> dict[str, Any]:
    """Take reasons as their codes."""
    if isinstance(reason := values.get("reason"), str):
        return {**values, "reason": Reason(reason)}
    return values
