"""Cases of the queries on the overview's tab."""

from typing import Final

from tests.infra.answers.case import Case
from tests.infra.answers.telemetry import closed, started, still_open

CASES: Final = (
    Case(
        "overview-tiles.kql",
        "one tile a figure, from the last end of each run",
        [
            closed("09:00", "r1", succeeded=3, created=4, graph_requests=10),
            closed("09:00", "r2", "partial", succeeded=1, failed=2, updated=5, throttled=6),
            closed("09:00", "r3", "failed", reason="consent_missing"),
            closed("09:00", "r4", "held", held=1),
            closed("09:00", "r5", "held", held=1),
            closed("10:00", "r5", "discarded", held=1),
            closed("09:00", "r6", "held", held=2),
            closed("10:00", "r6", succeeded=2, deleted=7, graph_requests=1),
            closed("-2 09:00", "r0", succeeded=100),
        ],
        """
        Order | Tile                   | Figure | Note
        1     | Runs that ended        | 6      | 1 failed, 1 partial, 1 held, 1 discarded
        2     | Runs in progress       | 0      | none
        3     | Runs that succeeded, % | 33.3   | 2 of 6 without a failed mailbox
        4     | Mailboxes synced       | 6      | 2 failed, of 10
        5     | Contacts written       | 16     | 4 new, 5 changed, 7 removed
        6     | Graph requests         | 11     | 1.1 per mailbox
        7     | Throttled by Graph     | 6      | a healthy run has none
        """,
    ),
    Case(
        "overview-tiles.kql",
        "workers dead since 03:00: what is in progress, for how long, and how far",
        [
            closed("02:05", "t1/i1/r1", succeeded=40),
            started("03:00:20", "t1/i1/r2", mailboxes=40),
            *(
                still_open(f"{hour:02}:00", "t1/i1/r2", 3, (hour - 3) * 3600)
                for hour in range(4, 12)
            ),
            # Its start was never taken.
            still_open("11:45", "t2/i2/r3", 0, 5400),
            # It was approved, and has gone on.
            closed("09:00", "t3/i3/r4", "held", held=1),
            started("10:00", "t3/i3/r4", mailboxes=5),
            # The tick had read it before its end was sent.
            closed("11:00", "t4/i4/r5", succeeded=1),
            still_open("11:00:01", "t4/i4/r5", 1, 3600),
        ],
        """
        Order | Tile                   | Figure | Note
        1     | Runs that ended        | 2      | 0 failed, 0 partial, 0 held, 0 discarded
        2     | Runs in progress       | 3      | the oldest for 9.0 h; 3 of 45 mailboxes done
        3     | Runs that succeeded, % | 100    | 2 of 2 without a failed mailbox
        4     | Mailboxes synced       | 41     | 0 failed, of 41
        5     | Contacts written       | 0      | 0 new, 0 changed, 0 removed
        6     | Graph requests         | 0      | 0.0 per mailbox
        7     | Throttled by Graph     | 0      | a healthy run has none
        """,
    ),
    Case(
        "overview-tiles.kql",
        "no run has ended yet: no share of them succeeded",
        [started("11:00", mailboxes=2)],
        """
        Order | Figure | Note
        1     | 0      | 0 failed, 0 partial, 0 held, 0 discarded
        2     | 1      | the oldest for 1.0 h; 0 of 2 mailboxes done
        3     | null   | 0 of 0 without a failed mailbox
        4     | 0      | 0 failed, of 0
        5     | 0      | 0 new, 0 changed, 0 removed
        6     | 0      | 0.0 per mailbox
        7     | 0      | a healthy run has none
        """,
    ),
    Case("overview-tiles.kql", "no run: no tile, so that the message appears", [], "Tile"),
    Case(
        "runs-over-time.kql",
        "runs by their last status",
        [
            closed("09:10", "r1"),
            closed("09:20", "r2", "held", held=1),
            closed("10:20", "r2", "discarded", held=1),
            closed("10:30", "t2/i2/r3"),
        ],
        """
        Status    | TimeGenerated | Runs
        succeeded | 09:00         | 1
        discarded | 10:00         | 1
        """,
        {"Tenant": "'t1'"},
    ),
    Case(
        "runs-over-time.kql",
        "runs in progress, in the hour in which they were queued",
        [
            closed("02:05", "r1"),
            started("03:00:20", "r2"),
            still_open("04:00", "r2", 0, 3600),
            still_open("04:15", "t2/i2/r3", 0, 4500),
            closed("09:00", "r4", "held", held=1),
            started("10:00", "r4"),
        ],
        """
        Status    | TimeGenerated | Runs
        succeeded | 02:00         | 1
        running   | 03:00         | 2
        running   | 10:00         | 1
        """,
    ),
    Case(
        "contacts-over-time.kql",
        "what the runs wrote, by hour",
        [
            closed("09:10", "r1", created=1, updated=2, deleted=3),
            closed("09:50", "r2", created=10),
            closed("09:20", "r3", "held", created=5, held=1),
            closed("11:20", "r3", created=6, deleted=9),
        ],
        """
        TimeGenerated | Created | Updated | Deleted
        09:00         | 11      | 2       | 3
        11:00         | 6       | 0       | 9
        """,
    ),
    Case(
        "imports.kql",
        "each import's last run and its sums, the worst first",
        [
            closed("08:00", "t1/i1/r1", succeeded=2, created=1, graph_requests=5, throttled=1),
            closed(
                "09:00",
                "t1/i1/r2",
                "partial",
                reason="mailboxes_failed",
                succeeded=3,
                failed=1,
                updated=2,
                deleted=4,
                graph_requests=6,
            ),
            closed("10:00", "t2/i2/r3", succeeded=7),
        ],
        """
        Tenant | Import | LastStatus | LastReason       | LastEnded | RunningHours | RunningDone | Runs | SuccessRate | Mailboxes | Failed | Written | Requests | Throttled | LastRun
        t1     | i1     | partial    | mailboxes_failed | 09:00     | null         | null        | 2    | 50          | 4         | 1      | 7       | 11       | 1         | r2
        t2     | i2     | succeeded  | ''               | 10:00     | null         | null        | 1    | 100         | 7         | 0      | 0       | 0        | 0         | r3
        """,
    ),
    Case(
        "imports.kql",
        "a discarded run is not held",
        [closed("08:00", status="held", held=1), closed("09:00", status="discarded", held=1)],
        """
        LastStatus | Runs
        discarded  | 1
        """,
    ),
    Case(
        "imports.kql",
        "an import whose run has been in progress for hours comes first, with its progress",
        [
            closed("02:05", "t1/i1/r1", succeeded=40, created=5, graph_requests=9),
            started("03:00:20", "t1/i1/r2", mailboxes=40),
            still_open("03:30", "t1/i1/r2", 3, 1800),
            still_open("11:45", "t1/i1/r2", 3, 31500),
            closed("10:00", "t2/i2/r3", "failed", reason="consent_missing"),
            started("11:30", "t3/i3/r4", mailboxes=2),
        ],
        """
        Tenant | Import | LastStatus | LastEnded | RunningHours | RunningDone | Runs | SuccessRate | Mailboxes | Failed | Written | Requests | LastRun
        t1     | i1     | running    | 02:05     | 9            | 3           | 2    | 100         | 40        | null   | 5       | 9        | r2
        t2     | i2     | failed     | 10:00     | null         | null        | 1    | 0           | 0         | 0      | 0       | 0        | r3
        t3     | i3     | running    | null      | 0.5          | null        | 1    | null        | 2         | null   | 0       | 0        | r4
        """,
    ),
)
