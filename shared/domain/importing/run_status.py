"""The status of a finished run, derived from the outcomes of its mailboxes."""

from collections.abc import Collection

from shared.domain.importing.runs import MailboxCounts, RunStatus
from shared.domain.reasons import Reason


def status_of(
    mailboxes: MailboxCounts, rejected: int, reasons: Collection[Reason | None] = ()
) -> tuple[RunStatus, Reason | None]:
    """Return the status of a run whose results are complete, and the reason if it did not succeed.

    `rejected` counts contacts that Graph rejected; `reasons` holds the reasons of the results.
    Skipped mailboxes (no seat, no mailbox, still held) have reasons of their own; a run can succeed
    with some of them, but not if all were skipped.
    """
    if mailboxes.held:
        many = Reason.TOO_MANY_DELETES
        return RunStatus.HELD, many if many in reasons else Reason.TOO_MANY_CHANGES
    if mailboxes.failed:
        some = mailboxes.failed < mailboxes.total
        return (RunStatus.PARTIAL if some else RunStatus.FAILED), Reason.MAILBOXES_FAILED
    if rejected:
        return RunStatus.PARTIAL, Reason.CONTACTS_REJECTED
    if mailboxes.total and mailboxes.skipped == mailboxes.total:
        named = set(reasons) - {None}
        return RunStatus.SKIPPED, named.pop() if len(named) == 1 else None
    return RunStatus.SUCCEEDED, None
