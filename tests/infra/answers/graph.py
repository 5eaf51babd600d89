"""Cases of the queries on the tab of Microsoft Graph."""

from typing import Final

from tests.infra.answers.case import Case
from tests.infra.answers.telemetry import closed, metric, resolved, started, synced

REQUESTS: Final = "contact_sync.graph.requests"
THROTTLED: Final = "contact_sync.graph.throttled"
CONTACTS: Final = "contact_sync.contacts"

CASES: Final = (
    Case(
        "graph-over-time.kql",
        "requests and throttled ones by hour",
        [
            metric("09:00", REQUESTS, 100),
            metric("09:30", REQUESTS, 50),
            metric("09:30", THROTTLED, 7),
            metric("10:00", REQUESTS, 1),
            metric("10:00", CONTACTS, 1000, change="created"),
        ],
        """
        TimeGenerated | Requests | Throttled
        09:00         | 150      | 7
        10:00         | 1        | 0
        """,
    ),
    Case(
        "graph-throttles.kql",
        "runs that were throttled, the most first",
        [
            closed("09:00", "r1", throttled=5, graph_requests=100, succeeded=4, seconds=30),
            closed("10:00", "r2", throttled=9, graph_requests=18, failed=1, seconds=60),
            closed("11:00", "r3", graph_requests=7),
        ],
        """
        Ended | Throttled | Requests | Mailboxes | Seconds | Tenant | Import | Run | Share
        10:00 | 9         | 18       | 1         | 60      | t1     | i1     | r2  | 50
        09:00 | 5         | 100      | 4         | 30      | t1     | i1     | r1  | 5
        """,
    ),
    Case(
        "graph-directory.kql",
        "a share's requests are the publisher's, a run's targets the subscriber's, each once",
        [
            started("10:00", "t1/i1/r1", graph_requests=3, throttled=1, milliseconds=10_000),
            started("11:00", "t1/i1/r2", graph_requests=70, milliseconds=20_000),
            resolved(
                "10:00", "t1/i1/r1", publisher="p1", graph_requests=4, throttled=2, milliseconds=500
            ),
        ],
        """
        Directory | Readings | Requests | Throttled | BusiestUnits | Used
        t1        | 2        | 73       | 1         | 175          | 5
        p1        | 1        | 4        | 2         | 20           | 0.571
        """,
    ),
    Case(
        "graph-limits.kql",
        "the busiest minute of the app, 10 minutes of a mailbox, and directory",
        [
            metric("10:00:10", REQUESTS, 100),
            metric("10:00:40", REQUESTS, 20),
            metric("10:00:40", CONTACTS, 60, change="created"),
            metric("10:00:40", CONTACTS, 999, change="unchanged"),
            metric("10:01:10", REQUESTS, 170),
            synced("10:01", "m1", graph_requests=10, created=1, updated=2, deleted=3, photos=4),
            synced("10:09", "m1", run="t1/i2/r2", graph_requests=80),
            synced("10:10", "m1", run="t1/i2/r3", graph_requests=90),
            synced("10:01", "m1", run="t2/i3/r4", graph_requests=95),
            started("10:00", graph_requests=70, milliseconds=20_000),
            resolved("10:00", graph_requests=4, milliseconds=500),
        ],
        """
        Limit                               | Allowed | Busiest | Used  | Measured
        The app, all tenants, 10 seconds    | 130000  | 30      | 0.023 | requests and contacts written; average of 10 seconds in the busiest minute
        One mailbox, 10 minutes             | 10000   | 100     | 1     | requests and contacts written; all syncs of a mailbox that ended in the same 10 minutes
        Directory of one tenant, 10 seconds | 3500    | 175     | 5     | resource units; each request counted as the costliest kind (5), against the limit of a small tenant
        """,
    ),
    Case("graph-limits.kql", "nothing was sent: the message appears", [], "Limit"),
)
