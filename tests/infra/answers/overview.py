"""Cases of the queries on the overview's tab."""

from typing import Final

from tests.infra.answers.case import Case
from tests.infra.answers.telemetry import closed

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
        1     | Runs                   | 6      | 1 failed, 1 partial, 1 held, 1 discarded
        2     | Runs that succeeded, % | 33.3   | 2 of 6 without a failed mailbox
        3     | Mailboxes synced       | 6      | 2 failed, of 10
        4     | Contacts written       | 16     | 4 new, 5 changed, 7 removed
        5     | Graph requests         | 11     | 1.1 per mailbox
        6     | Throttled by Graph     | 6      | a healthy run has none
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
        Tenant | Import | LastStatus | LastReason       | LastEnded | Runs | SuccessRate | Mailboxes | Failed | Written | Requests | Throttled | LastRun
        t1     | i1     | partial    | mailboxes_failed | 09:00     | 2    | 50          | 4         | 1      | 7       | 11       | 1         | r2
        t2     | i2     | succeeded  | ''               | 10:00     | 1    | 100         | 7         | 0      | 0       | 0        | 0         | r3
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
)
