"""The status of a run follows from the outcomes of its mailboxes."""

from collections.abc import Collection

import pytest

from shared.domain.importing.run_status import status_of
from shared.domain.importing.runs import MailboxCounts, RunStatus
from shared.domain.reasons import Reason


@pytest.mark.parametrize(
    ("counts", "rejected", "reasons", "status", "reason"),
    [
        ({"total": 0}, 0, [], "succeeded", None),
        ({"total": 3, "succeeded": 3}, 0, [None], "succeeded", None),
        ({"total": 3, "succeeded": 1, "skipped": 2}, 0, [None, "no_license"], "succeeded", None),
        ({"total": 2, "skipped": 2}, 0, ["no_license"], "skipped", "no_license"),
        ({"total": 2, "skipped": 2}, 0, ["no_license", "no_mailbox"], "skipped", None),
        ({"total": 2, "skipped": 1, "failed": 1}, 0, ["no_license"], "partial", "mailboxes_failed"),
        ({"total": 1, "failed": 1}, 0, [], "failed", "mailboxes_failed"),
        ({"total": 1, "succeeded": 1}, 4, [], "partial", "contacts_rejected"),
        ({"total": 2, "skipped": 1, "held": 1}, 0, [], "held", "too_many_changes"),
    ],
)
def test_run_of_which_no_mailbox_was_synced_did_not_succeed(
    counts: dict[str, int],
    rejected: int,
    reasons: Collection[Reason | None],
    status: str,
    reason: str | None,
) -> None:
    found = status_of(MailboxCounts(**counts), rejected, reasons)

    assert found == (RunStatus(status), Reason(reason) if reason else None)
