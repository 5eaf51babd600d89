"""How a run ended, from how its mailboxes ended."""

from shared.domain.models import MailboxCounts, RunStatus
from shared.domain.reasons import Reason


def status_of(mailboxes: MailboxCounts, rejected: int) -> tuple[RunStatus, Reason | None]:
    """The status of a run whose results are all in, and the reason where it is not a success.

    `rejected` counts contacts that Graph refused. Skipped mailboxes (no seat, no mailbox) have
    their reasons and leave a run successful.
    """
    if mailboxes.held:
        return RunStatus.HELD, Reason.TOO_MANY_DELETES
    if mailboxes.failed:
        some = mailboxes.failed < mailboxes.total
        return (RunStatus.PARTIAL if some else RunStatus.FAILED), Reason.MAILBOXES_FAILED
    if rejected:
        return RunStatus.PARTIAL, Reason.CONTACTS_REJECTED
    return RunStatus.SUCCEEDED, None
