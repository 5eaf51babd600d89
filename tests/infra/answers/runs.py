"""Cases of the queries on the tab of runs."""

from typing import Final

from tests.infra.answers.case import Case
from tests.infra.answers.telemetry import (
    closed,
    decided,
    failed,
    given_back,
    held,
    poisoned,
    resolved,
    row,
    started,
    still_open,
    synced,
)

R1: Final = {"SelectedRun": "r1"}
NO_RUN: Final = {"SelectedRun": ""}
TRACE: Final = {"SelectedTrace": "abc"}
STEPS: Final = [given_back(f"10:{n // 60:02}:{n % 60:02}") for n in range(501)]

CASES: Final = (
    Case(
        "runs.kql",
        "a run that ended, one in progress, one that could not start",
        [
            started("10:00", trace="s1"),
            closed(
                "10:05",
                status="partial",
                trace="e1",
                reason="mailboxes_failed",
                succeeded=4,
                skipped=3,
                failed=2,
                held=1,
                created=10,
                updated=20,
                deleted=30,
                unchanged=40,
                graph_requests=50,
                throttled=6,
                seconds=300.5,
            ),
            started("11:00", "r2", trace="s2", mailboxes=7, share_contacts=99),
            closed("09:00", "t2/i2/r3", "failed", trace="e3", reason="consent_missing"),
        ],
        """
        When  | Status  | Reason           | Trigger  | Contacts | Mailboxes | Done | Succeeded | Skipped | Failed | Held | Created | Updated | Deleted | Unchanged | Requests | Throttled | Seconds | Tenant | Import | Run | Trace | Page
        11:00 | running | ''               | schedule | 99       | 7         | null | null      | null    | null   | null | null    | null    | null    | null      | null     | null      | 3600    | t1     | i1     | r2  | s2    | https://portal.example/runs/r2
        10:00 | partial | mailboxes_failed | schedule | 10       | 10        | 10   | 4         | 3       | 2      | 1    | 10      | 20      | 30      | 40        | 50       | 6         | 300.5   | t1     | i1     | r1  | s1    | https://portal.example/runs/r1
        09:00 | failed  | consent_missing  | schedule | null     | 0         | 0    | 0         | 0       | 0      | 0    | 0       | 0       | 0       | 0         | 0        | 0         | 60      | t2     | i2     | r3  | e3    | https://portal.example/runs/r3
        """,
    ),
    Case(
        "runs.kql",
        "a held run that was approved runs again; a held run that was discarded is not held",
        [
            started("08:00"),
            closed("08:05", status="held", held=1),
            started("09:00"),
            started("08:00", "r2"),
            closed("08:05", "r2", "held", held=1),
            closed("09:00", "r2", "discarded", held=1),
        ],
        """
        Run | Status
        r1  | running
        r2  | discarded
        """,
    ),
    Case(
        "runs.kql",
        "runs in progress since 03:00: their age and progress, also of one whose start was never taken",
        [
            started("03:00:20", "r1", mailboxes=40),
            still_open("03:30", "r1", 2, 1800),
            still_open("11:45", "r1", 3, 31500),
            still_open("11:45", "t2/i2/r2", 0, 4500),
            closed("10:00", "r3", succeeded=1),
            still_open("10:00:01", "r3", 1, 3600),
        ],
        """
        When     | Status    | Contacts | Mailboxes | Done | Seconds | Run
        10:30    | running   | null     | null      | 0    | 5400    | r2
        09:00:01 | succeeded | null     | 1         | 1    | 60      | r3
        03:00:20 | running   | 10       | 40        | 3    | 32400   | r1
        """,
    ),
    Case(
        "runs.kql",
        "only the chosen tenants, imports and runs",
        [closed("09:00", "t1/i1/r1"), closed("09:00", "t1/i2/r2"), closed("09:00", "t2/i3/r3")],
        """
        Run
        r2
        """,
        {"Tenant": "'t1'", "Import": "'i2','i3'", "Run": "'r1','r2'"},
    ),
    Case(
        "run-outcomes.kql",
        "the outcomes of the chosen run's last end",
        [
            closed("10:00", status="held", succeeded=1, held=3),
            closed("11:00", succeeded=2, skipped=1, failed=1),
            closed("11:00", "r2", failed=9),
        ],
        """
        Outcome   | Mailboxes
        succeeded | 2
        failed    | 1
        skipped   | 1
        """,
        R1,
    ),
    Case(
        "run-outcomes.kql",
        "what was discarded is not held",
        [closed("10:00", status="held", held=3), closed("11:00", status="discarded", held=3)],
        """
        Outcome   | Mailboxes
        discarded | 3
        """,
        R1,
    ),
    Case("run-outcomes.kql", "no run chosen", [closed("10:00", failed=1)], "Outcome", NO_RUN),
    Case(
        "run-timeline.kql",
        "the steps of the chosen run in their order",
        [
            started("10:01", trace="a", throttled=1),
            resolved("10:00", trace="b", throttled=2),
            given_back("10:02", trace="c"),
            failed("10:02:30", "sync_mailbox", "mailbox-syncs", run="r1"),
            poisoned("10:03", trace="d"),
            still_open("10:03:30", "r1", 1),
            closed("10:04", status="held", trace="e", reason="too_many_deletes", held=1),
            held("10:05"),
            decided("10:06"),
            started("10:01", "r2"),
        ],
        """
        TimeGenerated | Step               | What                             | Mailboxes | Done | Contacts | LeftOut | Requests | Throttled | Trace
        10:00         | share_resolved     | ''                               | null      | null | 10       | 1       | 4        | 2         | b
        10:01         | run_started        | schedule                         | 2         | null | 10       | null    | 3        | 1         | a
        10:02         | message_given_back | mailbox-syncs Throttled          | null      | null | null     | null    | 0        | null      | c
        10:02:30      | attempt_failed     | mailbox-syncs Defect             | null      | null | null     | null    | null     | null      | ''
        10:03         | message_poisoned   | mailbox-syncs                    | null      | null | null     | null    | null     | null      | d
        10:03:30      | run_open           | ''                               | null      | 1    | null     | null    | null     | null      | ''
        10:04         | run_closed         | schedule held too_many_deletes   | 1         | null | null     | null    | 0        | 0         | e
        10:05         | run_held           | too_many_deletes                 | 1         | null | null     | null    | null     | null      | ''
        10:06         | run_decided        | discarded                        | null      | null | null     | null    | null     | null      | ''
        """,
        R1,
    ),
    Case(
        "run-timeline.kql",
        "of more than 500 steps the earliest are left out",
        STEPS,
        "\n".join(
            [
                "TimeGenerated",
                *(f"10:{n // 60:02}:{n % 60:02}".removesuffix(":00") for n in range(1, 501)),
            ]
        ),
        R1,
    ),
    Case(
        "run-timeline.kql",
        "no run chosen: nothing, although events without a run have the same empty id",
        [poisoned("10:00", "t1/i1/")],
        "Step",
        NO_RUN,
    ),
    Case(
        "run-mailboxes.kql",
        "the last event of each mailbox, failed ones first, then the slowest",
        [
            synced("10:00", "m1", milliseconds=100),
            synced("10:00", "m2", "held", reason="too_many_deletes"),
            synced(
                "10:01",
                "m2",
                "failed",
                trace="x",
                reason="gave_up",
                created=1,
                updated=2,
                deleted=3,
                unchanged=4,
                photos=5,
                graph_requests=6,
                throttled=7,
                milliseconds=8,
                attempt=9,
            ),
            synced("10:00", "m3", "skipped", reason="no_license"),
            synced("10:00", "m4", milliseconds=200),
            synced("10:00", "m5", run="r2"),
        ],
        """
        Mailbox | Outcome   | Reason  | Task | Created | Updated | Deleted | Unchanged | Photos | Requests | Throttled | Milliseconds | GivenBack | Ended | Trace
        m2      | failed    | gave_up | sync | 1       | 2       | 3       | 4         | 5      | 6        | 7         | 8            | 9         | 10:01 | x
        m3      | skipped   | no_license | sync | 0       | 0       | 0       | 0         | 0      | 0        | 0         | 0            | 0         | 10:00 | ''
        m4      | succeeded | ''      | sync | 0       | 0       | 0       | 0         | 0      | 0        | 0         | 200          | 0         | 10:00 | ''
        m1      | succeeded | ''      | sync | 0       | 0       | 0       | 0         | 0      | 0        | 0         | 100          | 0         | 10:00 | ''
        """,
        R1,
    ),
    Case(
        "run-mailboxes.kql",
        "a mailbox whose changes were discarded is not held",
        [synced("10:00", "m1", "held", reason="too_many_deletes"), decided("11:00")],
        """
        Mailbox | Outcome
        m1      | discarded
        """,
        R1,
    ),
    Case("run-mailboxes.kql", "no run chosen", [synced("10:00")], "Mailbox", NO_RUN),
    Case(
        "trace.kql",
        "each kind of row of the chosen trace, and what links to it",
        [
            row(
                "AppRequests",
                "10:00",
                OperationId="abc",
                Name="start_run",
                DurationMs=5.0,
                ResultCode="0",
                Success=False,
                AppRoleInstance="w1",
            ),
            row(
                "AppDependencies",
                "10:01",
                OperationId="abc",
                Name="resolve_share",
                DurationMs=4.0,
                ResultCode="0",
                Success=True,
            ),
            row(
                "AppEvents",
                "10:02",
                OperationId="abc",
                Name="run_started",
                Properties={"run": "r1"},
            ),
            row("AppTraces", "10:03", OperationId="abc", Message="It runs."),
            row(
                "AppExceptions",
                "10:04",
                OperationId="abc",
                ExceptionType="Defect",
                OuterMessage="No.",
            ),
            row(
                "AppDependencies",
                "10:05",
                OperationId="def",
                Name="sync_mailbox",
                Properties={"_MS.links": '[{"operation_Id":"abc"}]'},
            ),
            row("AppDependencies", "10:06", OperationId="def", Name="another"),
        ],
        """
        TimeGenerated | Kind       | What          | Milliseconds | Result | Linked | Instance | Details
        10:00         | request    | start_run     | 5            | failed | False  | w1       | null
        10:01         | dependency | resolve_share | 4            | 0    | False  | ''       | null
        10:02         | event      | run_started   | null         | ''   | False  | ''       | {"run": "r1"}
        10:03         | log        | It runs.      | null         | ''   | False  | ''       | null
        10:04         | exception  | Defect: No.   | null         | ''   | False  | ''       | null
        10:05         | dependency | sync_mailbox  | null         | ''   | True   | ''       | {"_MS.links": "[{\\"operation_Id\\":\\"abc\\"}]"}
        """,
        TRACE,
    ),
    *(
        Case(
            "trace.kql",
            f"no trace chosen ('{chosen}'): nothing, although rows without a trace have the same id",
            [row("AppTraces", "10:00", Message="It starts."), closed("10:00"), started("10:00")],
            "What",
            {"SelectedTrace": chosen},
        )
        for chosen in ("", "none")
    ),
)
