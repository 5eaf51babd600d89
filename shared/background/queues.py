"""The queue triggers, and the only place that maps our errors to queues.

After a transient error, a delayed copy replaces the message, which does not count as a failed try.
Any other error is raised, so that the host shows the message again and moves it to the poison queue
after five tries. There its failure is recorded, so that the run can close.

Concurrency (host.json, queues): batchSize 16 and newBatchThreshold 8 mean up to 24 messages of a
queue in one instance. Each message handles one mailbox with one batch in flight, of which Outlook
runs four requests at a time; at 80 ms each that is 24 · 4 / 0.08 = 1,200 requests per second, or
12,000 in ten seconds. An app may send 130,000 in ten seconds over all tenants (docs:
throttling-limits), so ten instances stay below it; for more, the template sets smaller numbers.
`domain/pacing.py` and `adapters/graph/pacing.py` keep the limits of a mailbox and a directory,
whatever the number of instances.
"""

import base64
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Final

import azure.functions as func

from shared.adapters.attempts import attempt, run_of, telling_failures
from shared.adapters.telemetry import emit, record_queue_age, spending
from shared.domain.errors import (
    Busy,
    LeaseHeld,
    NewerVersion,
    OutOfTime,
    TransientError,
    UnknownMessage,
)
from shared.domain.events import MessageGivenBack, MessagePoisoned
from shared.domain.importing.messages import (
    IMPORT_RUNS,
    MAILBOX_CHECKS,
    MAILBOX_SYNCS,
    MAINTENANCE,
    NOTICES,
    RUN_CLOSINGS,
    TENANT_CHECKS,
    TENANT_LEAVINGS,
    CheckMailboxes,
    CheckTenant,
    CloseRun,
    DeliverNotice,
    LeaveTenant,
    MaintainRange,
    Message,
    RunMessage,
    StartRun,
    SyncMailbox,
    parse,
)
from shared.wiring.app import App, app

bp = func.Blueprint()
_CONNECTION: Final = "AzureWebJobsStorage"
_BYTES: Final = func.DataType.BINARY
_PATIENCE: Final = 60
_LONGEST_BACKOFF: Final = 300.0
_LONGEST_BACKOFF_OF_CHECKS: Final = 60.0
_AFTER_A_LEASE: Final = 1.0
"""How long after the end of a held lease its next holder tries again."""


@bp.queue_trigger("message", IMPORT_RUNS, _CONNECTION)
async def start_run(message: func.QueueMessage) -> None:
    """Resolve a run's share, once, and queue one message for each chunk of its mailboxes."""
    await _handle(
        "start_run", message, IMPORT_RUNS, StartRun, lambda a, m: a.importing.run_start.start(m)
    )


@bp.queue_trigger("message", MAILBOX_CHECKS, _CONNECTION)
async def check_mailboxes(message: func.QueueMessage) -> None:
    """Check one chunk of a run's mailboxes, and queue those that need work."""
    await _handle(
        "check_mailboxes",
        message,
        MAILBOX_CHECKS,
        CheckMailboxes,
        lambda a, m: a.sync.mailbox_checks.check(m),
    )


@bp.queue_trigger("message", MAILBOX_SYNCS, _CONNECTION)
async def sync_mailbox(message: func.QueueMessage) -> None:
    """Sync one mailbox to its run's snapshot."""
    await _handle(
        "sync_mailbox", message, MAILBOX_SYNCS, SyncMailbox, lambda a, m: a.sync.mailbox_sync.run(m)
    )


@bp.queue_trigger("message", RUN_CLOSINGS, _CONNECTION)
async def close_run(message: func.QueueMessage) -> None:
    """Close a run once all its results are in."""
    await _handle(
        "close_run",
        message,
        RUN_CLOSINGS,
        CloseRun,
        lambda a, m: a.importing.run_closing.close(m, message.dequeue_count or 1),
        patience=None,
        longest=1.0,
    )


@bp.queue_trigger("message", TENANT_LEAVINGS, _CONNECTION)
async def leave_tenant(message: func.QueueMessage) -> None:
    """Remove a tenant: its contacts, its shares, and then every row."""
    await _handle(
        "leave_tenant",
        message,
        TENANT_LEAVINGS,
        LeaveTenant,
        lambda a, m: a.privacy.leaving.continue_leaving(m),
        patience=None,
    )


@bp.queue_trigger("message", MAINTENANCE, _CONNECTION)
async def maintain_range(message: func.QueueMessage) -> None:
    """Do what a timer began, for one range of tenants."""
    await _handle(
        "maintain_range",
        message,
        MAINTENANCE,
        MaintainRange,
        lambda a, m: a.maintenance.ranges.maintain(m),
    )


@bp.queue_trigger("message", TENANT_CHECKS, _CONNECTION)
async def check_tenant(message: func.QueueMessage) -> None:
    """Check what Microsoft lets the app do in a tenant, and clean up afterwards."""
    await _handle(
        "check_tenant",
        message,
        TENANT_CHECKS,
        CheckTenant,
        lambda a, m: a.checks.worker.run(m),
        longest=_LONGEST_BACKOFF_OF_CHECKS,
    )


@bp.queue_trigger("message", NOTICES, _CONNECTION)
async def deliver_notice(message: func.QueueMessage) -> None:
    """Send a notice to one of the organization's receivers, or send it again."""
    await _handle(
        "deliver_notice", message, NOTICES, DeliverNotice, lambda a, m: a.notices.courier.deliver(m)
    )


@bp.queue_trigger("message", f"{IMPORT_RUNS}-poison", _CONNECTION, _BYTES)
async def record_poison_run(message: func.QueueMessage) -> None:
    """End a run that failed to start too often, with the results that exist."""
    await _handle_poison(
        "record_poison_run",
        message,
        IMPORT_RUNS,
        StartRun,
        lambda a, m: a.importing.run_closing.give_up(m),
    )


@bp.queue_trigger("message", f"{MAILBOX_CHECKS}-poison", _CONNECTION, _BYTES)
async def record_poison_check(message: func.QueueMessage) -> None:
    """Queue each mailbox of a chunk by itself, so that one of them cannot fail the others."""
    await _handle_poison(
        "record_poison_check",
        message,
        MAILBOX_CHECKS,
        CheckMailboxes,
        lambda a, m: a.sync.mailbox_checks.split(m),
    )


@bp.queue_trigger("message", f"{MAILBOX_SYNCS}-poison", _CONNECTION, _BYTES)
async def record_poison_mailbox(message: func.QueueMessage) -> None:
    """Record the failure of a mailbox that failed too often."""
    await _handle_poison(
        "record_poison_mailbox",
        message,
        MAILBOX_SYNCS,
        SyncMailbox,
        lambda a, m: a.importing.run_closing.give_up_mailbox(m),
    )


@bp.queue_trigger("message", f"{RUN_CLOSINGS}-poison", _CONNECTION, _BYTES)
async def record_poison_closing(message: func.QueueMessage) -> None:
    """Queue the closing of a run again, because every run must end."""
    await _handle_poison(
        "record_poison_closing",
        message,
        RUN_CLOSINGS,
        CloseRun,
        lambda a, m: a.base.queues.send(RUN_CLOSINGS, m, delay=600),
    )


@bp.queue_trigger("message", f"{TENANT_LEAVINGS}-poison", _CONNECTION, _BYTES)
async def record_poison_leaving(message: func.QueueMessage) -> None:
    """Queue the leaving of a tenant again, because it must always complete."""
    await _handle_poison(
        "record_poison_leaving",
        message,
        TENANT_LEAVINGS,
        LeaveTenant,
        lambda a, m: a.base.queues.send(TENANT_LEAVINGS, m, 600),
    )


@bp.queue_trigger("message", f"{TENANT_CHECKS}-poison", _CONNECTION, _BYTES)
async def record_poison_tenant_check(message: func.QueueMessage) -> None:
    """End a check that failed too often; the nightly sweep cleans up after it."""
    await _handle_poison(
        "record_poison_tenant_check",
        message,
        TENANT_CHECKS,
        CheckTenant,
        lambda a, m: a.checks.worker.give_up(m),
    )


@bp.queue_trigger("message", f"{NOTICES}-poison", _CONNECTION, _BYTES)
async def record_poison_notice(message: func.QueueMessage) -> None:
    """Give up a notice that failed too often for a fault of our own."""
    await _handle_poison(
        "record_poison_notice",
        message,
        NOTICES,
        DeliverNotice,
        lambda a, m: a.notices.courier.give_up(m),
    )


@bp.queue_trigger("message", f"{MAINTENANCE}-poison", _CONNECTION, _BYTES)
async def record_poison_maintenance(message: func.QueueMessage) -> None:
    """Tell that a range was given up; the timer begins it again."""
    await _handle_poison("record_poison_maintenance", message, MAINTENANCE, MaintainRange, _nothing)


async def _nothing(app_: App, message: Message) -> None:
    del app_, message


async def _handle[T: Message](
    name: str,
    raw: func.QueueMessage,
    queue: str,
    kind: type[T],
    work: Callable[[App, T], Awaitable[None]],
    patience: int | None = _PATIENCE,
    longest: float = _LONGEST_BACKOFF,
) -> None:
    """Process a message in the function called `name`.

    `patience` is how often the message may be sent again with a delay (None: any number of times).
    `longest` is the longest delay in seconds, unless Microsoft asks for more. What waits for a
    lease is tried again when the lease ends.
    """
    services = app()
    try:
        with telling_failures(name, queue=queue, tries=raw.dequeue_count):
            message = parse(kind, _decoded(raw))
    except NewerVersion as error:
        await services.base.queues.send_copy(queue, _decoded(raw), error.retry_after)
        return
    inserted = raw.insertion_time
    # The library returns a time in a zone other than UTC without its zone.
    if raw.dequeue_count == 1 and inserted is not None and inserted.tzinfo is not None:
        record_queue_age(queue, message.age(inserted, services.clock()))
    began = monotonic()
    with attempt(name, queue, message, raw.dequeue_count), spending() as spent:
        try:
            await work(services, message)
        except TransientError as error:
            if isinstance(error, OutOfTime):
                # The work goes on: this is no failed try, and patience starts again.
                again, delay = message.copy_with(attempt=0), error.retry_after
            elif patience is not None and message.attempt >= patience:
                raise
            else:
                if isinstance(error, LeaseHeld):
                    longest = min(longest, error.ends_after + _AFTER_A_LEASE)
                delay = max(error.retry_after, min(2.0 ** min(message.attempt, 20), longest))
                again = message.copy_with(attempt=message.attempt + 1)
            await services.base.queues.send(queue, again, delay)
            if patience is None and isinstance(error, Busy):
                return  # this try only checked whether other work has ended
            emit(
                MessageGivenBack(
                    tenant=message.tenant,
                    queue=queue,
                    import_id=message.import_id if isinstance(message, RunMessage) else "",
                    run=run_of(message),
                    mailbox=message.mailbox if isinstance(message, SyncMailbox) else "",
                    attempt=message.attempt,
                    seconds=round(delay, 3),
                    error=type(error).__name__,
                    graph_requests=spent.graph_requests,
                    milliseconds=round((monotonic() - began) * 1000),
                )
            )


async def _handle_poison[T: Message](
    name: str,
    raw: func.QueueMessage,
    queue: str,
    kind: type[T],
    work: Callable[[App, T], Awaitable[None]],
) -> None:
    """Process a message of a poison queue in the function called `name`."""
    services = app()
    try:
        message = parse(kind, _decoded(raw))
    except NewerVersion as error:
        await services.base.queues.send_copy(f"{queue}-poison", _decoded(raw), error.retry_after)
        return
    except UnknownMessage:
        emit(MessagePoisoned(tenant="", queue=queue))
        await services.importing.run_closing.record_foreign(
            queue, str(raw.id or ""), raw.get_body()
        )
        return
    with attempt(name, f"{queue}-poison", message, raw.dequeue_count):
        # Before anything else, so that the alert comes even if the work fails again.
        emit(MessagePoisoned(tenant=message.tenant, queue=queue, run=run_of(message)))
        await work(services, message)


def _decoded(raw: func.QueueMessage) -> bytes:
    """Return what a message says; its text, if it is not base64 as ours are.

    host.json has messageEncoding `none`, because a host that decodes base64 itself moves any other
    message to the poison queue and shows it to no function there, again and again for seven days.
    """
    text = raw.get_body()
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return text
