"""How a run ended, from how its mailboxes ended."""

from collections.abc import Container

from shared.domain.importing.runs import MailboxCounts, RunStatus
from shared.domain.reasons import Reason


def status_of(
    mailboxes: MailboxCounts, rejected: int, reasons: Container[Reason | None] = ()
) -> tuple[RunStatus, Reason | None]:
    """The status of a run whose results are all in, and the reason where it is not a success.

    `rejected` counts contacts that Graph refused, `reasons` holds those of the results. Skipped
    mailboxes (no seat, no mailbox, asked about before) have their reasons and leave a run
    successful.
    """
    if mailboxes.held:
        many = Reason.TOO_MANY_DELETES
        return RunStatus.HELD, many if many in reasons else Reason.TOO_MANY_CHANGES
    if mailboxes.failed:
        some = mailboxes.failed < mailboxes.total
        return (RunStatus.PARTIAL if some else RunStatus.FAILED), Reason.MAILBOXES_FAILED
    if rejected:
        return RunStatus.PARTIAL, Reason.CONTACTS_REJECTED
    return RunStatus.SUCCEEDED, None
