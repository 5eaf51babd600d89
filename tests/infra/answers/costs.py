"""Cases of the queries on the tab of costs."""

from typing import Final

from tests.infra.answers.case import Case
from tests.infra.answers.telemetry import given_back, row, synced

TRIES: Final = [
    synced("09:10", "m1", "held", milliseconds=1000, graph_requests=10, created=1),
    synced("10:10", "m1", "succeeded", milliseconds=3000, graph_requests=30, created=1, deleted=5),
    given_back("10:15", mailbox="m2", milliseconds=1500, graph_requests=6),
    given_back("10:16", queue="import-runs", milliseconds=9000, graph_requests=90),
    synced("10:20", "m2", "succeeded", milliseconds=500, graph_requests=2, updated=2),
    synced("10:30", "m1", "succeeded", "r2", milliseconds=500, graph_requests=1),
]
"""m1 was held and approved in r1, and m2 throttled once: their costs are those of both tries."""

CASES: Final = (
    Case(
        "cost-over-time.kql",
        "the average of all tries of a mailbox, in the hour of its last one",
        TRIES,
        """
        TimeGenerated | RequestsPerSync | MillisecondsPerSync
        10:00         | 16.333          | 2166.667
        """,
    ),
    Case(
        "cost-per-import.kql",
        "all tries of all mailboxes: 6.5 seconds of an instance of 2 GB, alone or with 24",
        [*TRIES, synced("10:00", "m9", run="t2/i2/r9", milliseconds=100, graph_requests=1)],
        """
        Tenant | Import | Mailboxes | Syncs | RequestsPerSync | MillisecondsPerSync | Requests | GbSecondsAlone | GbSecondsShared
        t1     | i1     | 2         | 3     | 16.3            | 2167                | 49       | 13             | 0.542
        t2     | i2     | 1         | 1     | 1               | 100                 | 1        | 0.2            | 0.008
        """,
    ),
    Case(
        "costliest-mailboxes.kql",
        "requests and time of all tries, and what the last one of each run wrote",
        TRIES,
        """
        Mailbox | Requests | RequestsPerRun | Milliseconds | Written | Runs | Tenant | Import
        m1      | 41       | 20.5           | 4500         | 6       | 2    | t1     | i1
        m2      | 8        | 8              | 2000         | 2       | 1    | t1     | i1
        """,
    ),
    Case(
        "cost-of-logs.kql",
        "billed gigabytes by table",
        [
            row("Usage", "09:00", DataType="AppEvents", Quantity=1500.0, IsBillable=True),
            row("Usage", "10:00", DataType="AppEvents", Quantity=500.0, IsBillable=True),
            row("Usage", "10:00", DataType="AppMetrics", Quantity=2500.0, IsBillable=True),
            row("Usage", "10:00", DataType="Heartbeat", Quantity=9000.0, IsBillable=False),
        ],
        """
        Table      | Gigabytes
        AppMetrics | 2.5
        AppEvents  | 2
        """,
    ),
)
