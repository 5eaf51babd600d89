"""Cases of the queries on the tab of mailboxes."""

from typing import Final

from shared.domain.reasons import Reason
from shared.web.texts.reasons import REMEDIES
from tests.infra.answers.case import Case
from tests.infra.answers.telemetry import closed, synced

CASES: Final = (
    Case(
        "mailbox-failures-over-time.kql",
        "failed mailboxes by hour and reason, each once a run",
        [
            synced("09:10", "m1", "failed", reason="gave_up"),
            synced("09:20", "m1", "failed", reason="gave_up"),
            synced("09:10", "m2", "failed", reason="gave_up"),
            synced("10:10", "m1", "failed", "r2", reason="access_denied"),
            synced("10:10", "m3", "held", reason="too_many_deletes"),
        ],
        """
        Reason        | TimeGenerated | Mailboxes
        gave_up       | 09:00         | 2
        access_denied | 10:00         | 1
        """,
    ),
    Case(
        "failing-mailboxes.kql",
        "mailboxes that failed in any run, with their first and last failure and their latest sync",
        [
            synced("08:00", "m1", "failed", "r1", reason="gave_up", trace="a"),
            synced("09:00", "m1", "failed", "r2", reason="access_denied", trace="b"),
            synced("10:00", "m1", "succeeded", "r3", trace="c"),
            synced("09:30", "m2", "failed", "t2/i2/r9", reason="mailbox_full", trace="d"),
            synced("10:00", "m3"),
        ],
        """
        Mailbox | LatestOutcome | LatestReason | Failures | Syncs | FirstFailed | LastFailed | Tenant | Import | LatestRun | Trace
        m1      | succeeded     | ''           | 2        | 3     | 08:00       | 09:00      | t1     | i1     | r3        | c
        m2      | failed        | mailbox_full | 1        | 1     | 09:30       | 09:30      | t2     | i2     | r9        | d
        """,
    ),
    Case(
        "slowest-mailboxes.kql",
        "the slowest sync first",
        [
            synced("09:00", "m1", milliseconds=100),
            synced(
                "09:10",
                "m2",
                "failed",
                milliseconds=900,
                graph_requests=1,
                throttled=2,
                created=3,
                updated=4,
                deleted=5,
                trace="x",
            ),
        ],
        """
        Mailbox | Milliseconds | Requests | Throttled | Written | Outcome   | Ended | Tenant | Import | Run | Trace
        m2      | 900          | 1        | 2         | 12      | failed    | 09:10 | t1     | i1     | r1  | x
        m1      | 100          | 0        | 0         | 0       | succeeded | 09:00 | t1     | i1     | r1  | ''
        """,
    ),
    Case(
        "reasons.kql",
        "reasons of mailboxes and of runs, with their remedies; the sum of a run is no reason",
        [
            synced("09:00", "m1", "failed", "t1/i1/r1", reason="gave_up"),
            synced("10:00", "m1", "failed", "t1/i1/r2", reason="gave_up"),
            synced("09:00", "m2", "failed", "t1/i2/r3", reason="gave_up"),
            closed("09:30", "t1/i1/r1", "partial", reason="mailboxes_failed", failed=1),
            closed("11:00", "t2/i3/r4", "failed", reason="consent_missing"),
        ],
        f"""
        Of      | Outcome | Reason          | Times | Mailboxes | Imports | Last  | Remedy
        mailbox | failed  | gave_up         | 3     | 2         | 2       | 10:00 | {REMEDIES[Reason.GAVE_UP]}
        run     | failed  | consent_missing | 1     | 0         | 1       | 11:00 | {REMEDIES[Reason.CONSENT_MISSING]}
        """,
    ),
    Case(
        "reasons.kql",
        "only those of the chosen run",
        [
            synced("09:00", "m1", "failed", "r1", reason="gave_up"),
            synced("09:00", "m2", "failed", "r2", reason="access_denied"),
        ],
        """
        Reason
        access_denied
        """,
        {"SelectedRun": "r2"},
    ),
    Case(
        "reasons.kql",
        "an empty choice is no choice",
        [synced("09:00", "m1", "failed", "r1", reason="gave_up")],
        """
        Reason
        gave_up
        """,
        {"SelectedRun": ""},
    ),
)
