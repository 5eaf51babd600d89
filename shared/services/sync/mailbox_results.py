"""What comes of the work in a mailbox, as one result of all its tries."""

from collections.abc import Sequence
from typing import Final

from shared.domain.contacts.plan import Plan
from shared.domain.errors import NeedsAdmin
from shared.domain.importing.runs import (
    REJECTED_LISTED,
    ContactCounts,
    Outcome,
    RefusedRequest,
    RejectedContact,
    Result,
)
from shared.domain.reasons import Reason
from shared.domain.tenancy.missing_mailboxes import MISSING
from shared.services.sync.mailbox_work import MailboxWork

_SKIPPED: Final = MISSING | {Reason.IMPORT_DELETED, Reason.NO_SEAT}


def success(
    work: MailboxWork,
    counts: ContactCounts,
    photos: int = 0,
    rejected: Sequence[RejectedContact] = (),
) -> Result:
    """Return the result of work that is done, with what could not be done."""
    before = work.earlier
    written = before.contacts.created + before.contacts.updated
    counts += before.contacts
    reason = Reason.CONTACTS_REJECTED if rejected else work.head.notice
    return _result(work, Outcome.SUCCEEDED, reason).copy_with(
        contacts=counts.copy_with(unchanged=max(0, counts.unchanged - written)),
        photos=photos + before.photos,
        rejected=tuple(rejected[:REJECTED_LISTED]),
        rejected_count=len(rejected),
        refused=_refused(work) if rejected else None,
    )


def held(waiting: Plan, run: str, applied: Result) -> Result:
    """Return the result of a mailbox of which a part waits for an admin; the rest is `applied`."""
    reason = Reason.TOO_MANY_DELETES if waiting.removed else Reason.TOO_MANY_CHANGES
    return applied.copy_with(
        outcome=Outcome.HELD, reason=reason, planned=counts_of(waiting), held_run=run
    )


def left_alone(reason: Reason, run: str, applied: Result) -> Result:
    """Return the result of a mailbox about which an earlier `run` asked; the rest is `applied`."""
    return applied.copy_with(outcome=Outcome.SKIPPED, reason=reason, held_run=run)


def refusal(work: MailboxWork, error: NeedsAdmin) -> Result:
    """Return the result of work that only an admin can make possible."""
    outcome = Outcome.SKIPPED if error.reason in _SKIPPED else Outcome.FAILED
    return _result(work, outcome, error.reason).copy_with(refused=_refused(work))


def counts_of(plan: Plan) -> ContactCounts:
    """Return what a plan would do."""
    return ContactCounts(
        created=len(plan.creates),
        updated=len(plan.updates),
        deleted=len(plan.deletes),
        unchanged=plan.unchanged,
    )


def _refused(work: MailboxWork) -> RefusedRequest | None:
    failed = work.meter.failed
    if failed is None:
        return None
    return RefusedRequest(
        status=failed.status,
        client_request_id=failed.client_request_id,
        request_id=failed.request_id,
    )


def _result(work: MailboxWork, outcome: Outcome, reason: Reason | None) -> Result:
    now, before = work.clock(), work.earlier
    return Result(
        mailbox=work.message.mailbox,
        outcome=outcome,
        number=work.message.number,
        reason=reason,
        graph_requests=before.graph_requests + work.meter.requests,
        throttled=before.throttled + work.meter.throttled,
        milliseconds=int((now - work.started).total_seconds() * 1000),
        ended=now,
    )
