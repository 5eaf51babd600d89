"""Cases of the alerts' queries: what a rule sees at one moment. `test_histories` plays them."""

from typing import Final

from shared.domain.reasons import Reason
from tests.infra.answers.case import Case
from tests.infra.answers.telemetry import (
    closed,
    consent,
    failed,
    left,
    metric,
    poisoned,
    request,
    row,
    still_open,
    ticked,
)


def quarters(run: str, done: list[int], seconds: int) -> list:  # type: ignore[type-arg]
    """Return the ticks' events of an open run from 10:15 on, with what was done at each."""
    times = ("10:15", "10:30", "10:45", "11:00", "11:15", "11:30", "11:45")
    return [still_open(when, run, many, seconds) for when, many in zip(times, done, strict=True)]


CASES: Final = (
    Case(
        "alerts/run-failed.kql",
        "reasons of ours by tenant, and one reason of three tenants as one row",
        [
            closed("10:00", "t1/i1/r1", "failed", reason="gave_up"),
            closed("10:30", "t1/i2/r2", "failed", reason="gave_up"),
            closed("10:00", "t1/i3/r3", "failed", reason="share_not_found"),
            closed("10:00", "t2/i4/r4", "failed", reason="consent_missing"),
            closed("10:10", "t3/i5/r5", "failed", reason="consent_missing"),
            closed("10:20", "t4/i6/r6", "failed", reason="consent_missing"),
            closed("10:00", "t5/i7/r7", "held", held=1),
            closed("11:00", "t5/i7/r7", "failed", reason="mailboxes_failed", failed=1),
            closed("10:00", "t6/i8/r8", "partial", reason="mailboxes_failed", failed=1),
            closed("10:00", "t7/i9/r9", "failed", reason="gave_up"),
            closed("11:00", "t7/i9/r9"),
        ],
        """
        TimeGenerated | Tenant  | Reason           | Runs
        10:20         | several | consent_missing  | 3
        10:30         | t1      | gave_up          | 2
        11:00         | t5      | mailboxes_failed | 1
        """,
    ),
    Case(
        "alerts/run-refused.kql",
        "reasons of tenants, not ours",
        [
            closed("10:00", "t1/i1/r1", "failed", reason="gave_up"),
            closed("10:10", "t1/i2/r2", "failed", reason="share_not_found"),
            closed("10:20", "t2/i3/r3", reason="no_contacts"),
        ],
        """
        TimeGenerated | Tenant | Import | Run | Reason
        10:10         | t1     | i2     | r2  | share_not_found
        """,
    ),
    Case(
        "alerts/mailbox-failures.kql",
        "the last run of each large import, and all small ones together",
        [
            closed("08:00", "t1/i1/r1", "partial", succeeded=10, failed=10),
            closed("09:00", "t1/i1/r2", "partial", succeeded=15, failed=4, held=1, skipped=50),
            closed("09:00", "t2/i2/r3", "partial", succeeded=1, failed=18),
            closed("10:00", "t3/i3/r4", succeeded=11),
            closed("10:00", "t4/i4/r5", skipped=3),
        ],
        """
        TimeGenerated | Tenant        | Import | Asked | Failed | FailedPercent
        09:00         | t1            | i1     | 20    | 4      | 20
        10:00         | small imports | ''     | 30    | 18     | 60
        """,
        {"minimumMailboxes": "20"},
    ),
    Case(
        "alerts/mailbox-failures.kql",
        "too few mailboxes to say anything",
        [closed("09:00", "t2/i2/r3", "partial", succeeded=1, failed=18)],
        "Tenant",
        {"minimumMailboxes": "20"},
    ),
    Case(
        "alerts/message-poisoned.kql",
        "each message",
        [poisoned("09:00", "t1/i1/r1"), poisoned("10:00", "//", "run-closings")],
        """
        TimeGenerated | Queue         | Tenant | Run
        09:00         | mailbox-syncs | t1     | r1
        10:00         | run-closings  | ''     | ''
        """,
    ),
    Case(
        "alerts/consent-lost.kql",
        "tenants whose latest event is the loss",
        [
            consent("08:00", "t1", Reason.CONSENT_MISSING),
            consent("09:00", "t1"),
            consent("08:00", "t2"),
            consent("09:00", "t2", Reason.CONSENT_MISSING),
            consent("08:00", "t3", Reason.CONSENT_MISSING),
            left("09:00", "t3"),
        ],
        """
        TimeGenerated | Tenant
        09:00         | t2
        """,
    ),
    Case(
        "alerts/graph-throttled.kql",
        "each export of the metric",
        [
            metric("09:00", "contact_sync.graph.throttled", 7),
            metric("09:00", "contact_sync.graph.requests", 70),
        ],
        """
        TimeGenerated | Throttled
        09:00         | 7
        """,
    ),
    Case(
        "alerts/queue-age.kql",
        "both measures of each queue",
        [
            metric("09:00", "contact_sync.queue.age", 7, queue="import-runs"),
            metric("09:15", "contact_sync.queue.oldest_due", 900, queue="import-runs"),
        ],
        """
        TimeGenerated | Queue       | Seconds
        09:00         | import-runs | 7
        09:15         | import-runs | 900
        """,
    ),
    Case(
        "alerts/app-faults.kql",
        "5xx only, each as often as it stands for",
        [
            request("09:00", "list_runs", "503", items=3),
            request("09:00", "list_runs", "500"),
            request("09:00", "list_runs", "404"),
            request("09:00", "sync_mailbox", "5"),
        ],
        """
        TimeGenerated | Faults | Function
        09:00         | 3      | list_runs
        09:00         | 1      | list_runs
        """,
    ),
    Case(
        "alerts/timer-failed.kql",
        "timers, not messages of a queue",
        [
            failed("04:30", "sweep_leftovers"),
            failed("09:00", "sync_mailbox", "mailbox-syncs", tenant="t1", run="r1"),
        ],
        """
        TimeGenerated | Function        | Error
        04:30         | sweep_leftovers | Defect
        """,
    ),
    Case(
        "alerts/daily-cap.kql",
        "the cap, not other messages about taking in logs",
        [
            row("_LogOperation", "09:00", Category="Ingestion", Detail="OverQuota"),
            row("_LogOperation", "10:00", Category="Ingestion", Detail="Data was dropped."),
            row("_LogOperation", "10:00", Category="Operational", Detail="OverQuota"),
        ],
        """
        TimeGenerated | Detail
        09:00         | OverQuota
        """,
    ),
    Case(
        "alerts/no-run.kql",
        "runs of which nothing was done for more than an hour, the longest named, the others summed up",
        [
            ticked("11:45"),
            *quarters("t1/i1/r1", [5] * 7, 9000),
            *quarters("t2/i2/r2", [0] * 7, 8000),
            *quarters("t3/i3/r3", [0] * 7, 7000),
            *quarters("t4/i4/r4", [0] * 7, 6000),
            *quarters("t4/i4/r5", [0] * 7, 6000),
            *quarters("t5/i5/r6", [0, 0, 0, 0, 0, 0, 1], 9999),
            *(still_open(when, "t6/i6/r7") for when in ("10:15", "10:30", "10:45", "11:00")),
        ],
        """
        TimeGenerated | Trouble               | Tenant | Runs
        12:00         | runs get nothing done | t1     | 1
        12:00         | runs get nothing done | t2     | 1
        12:00         | runs get nothing done | others | 3
        """,
    ),
    Case(
        "alerts/no-run.kql",
        "a timer that was late but fired within two hours",
        [ticked("10:01")],
        "Trouble",
    ),
    *(
        Case(
            "alerts/no-run.kql",
            f"no timer for two hours ({len(rows)} events)",
            rows,
            """
            TimeGenerated | Trouble                 | Tenant | Runs
            12:00         | the timer does not fire | ''     | 0
            """,
        )
        for rows in ([], [ticked("09:45")])
    ),
)
