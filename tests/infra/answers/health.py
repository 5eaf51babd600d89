"""Cases of the queries on the tab of the service's health."""

from typing import Final

from shared.domain.reasons import Reason
from tests.infra.answers.case import Case
from tests.infra.answers.telemetry import (
    consent,
    failed,
    given_back,
    joined,
    left,
    metric,
    poisoned,
    queue_call,
    request,
    row,
    seats,
    swept,
    ticked,
)

CASES: Final = (
    Case(
        "timers.kql",
        "each timer's last event, and what the ticks did",
        [
            ticked("10:00", runs=2, sent_again=1),
            ticked("10:30", runs=3, given_up=1, past_due=True),
            swept("04:30"),
            swept("-2 04:30"),
        ],
        """
        Event          | Ticks | Runs | SentAgain | GivenUp | Late | Last  | HoursAgo
        runs_scheduled | 2     | 5    | 1         | 1       | 1    | 10:30 | 1.5
        swept          | 1     | 0    | 0         | 0       | 0    | 04:30 | 7.5
        """,
    ),
    Case(
        "queue-age.kql",
        "the longest wait by queue and hour, also of messages that nobody took",
        [
            metric("09:10", "contact_sync.queue.age", 5, queue="import-runs"),
            metric("09:20", "contact_sync.queue.age", 3, queue="import-runs"),
            metric("10:15", "contact_sync.queue.oldest_due", 4500, queue="import-runs"),
            metric("10:15", "contact_sync.queue.oldest_due", 0, queue="mailbox-syncs"),
        ],
        """
        Queue         | TimeGenerated | Seconds
        import-runs   | 09:00         | 5
        import-runs   | 10:00         | 4500
        mailbox-syncs | 10:00         | 0
        """,
    ),
    Case(
        "given-back.kql",
        "by queue and cause, the most often first",
        [
            given_back("09:00", "r1", attempt=0, seconds=1),
            given_back("09:10", "r1", attempt=3, seconds=8.5),
            given_back("09:20", "r2", attempt=1, seconds=2),
            given_back("10:00", "r2", queue="import-runs", error="Unavailable"),
        ],
        """
        Queue         | Cause       | Times | MostOften | LongestWait | Runs | Last
        mailbox-syncs | Throttled   | 3     | 3         | 8.5         | 2    | 09:20
        import-runs   | Unavailable | 1     | 0         | 1.5         | 1    | 10:00
        """,
    ),
    Case(
        "poison-messages.kql",
        "the latest first, also foreign ones without a tenant",
        [
            # The worker died: nothing told why.
            poisoned("09:00", trace="x"),
            poisoned("10:00", "//", "run-closings"),
            failed("10:28", "sync_mailbox", "mailbox-syncs", tenant="t2", run="r2", trace="early"),
            failed("10:29", "sync_mailbox", "mailbox-syncs", tenant="t2", run="r2", trace="try"),
            failed("10:29", "start_run", "import-runs", tenant="t2", run="r2", trace="other"),
            poisoned("10:30", "t2/i2/r2", trace="y"),
        ],
        """
        TimeGenerated | Queue         | Tenant | Run | Error     | Trace
        10:30         | mailbox-syncs | t2     | r2  | Defect    | try
        10:00         | run-closings  | ''     | ''  | none told | ''
        09:00         | mailbox-syncs | t1     | r1  | none told | x
        """,
    ),
    Case(
        "tenants.kql",
        "disconnected tenants first, then connected ones, each with its latest state",
        [
            joined("08:00", "t1"),
            seats("08:10", "t1", 5),
            seats("09:00", "t1", 7),
            consent("08:00", "t2", Reason.CONSENT_MISSING),
            consent("09:00", "t2"),
            consent("09:00", "t3"),
            consent("10:00", "t3", Reason.GRAPH_DISABLED),
            left("11:00", "t4"),
        ],
        """
        Tenant | Consent          | ConsentReason  | ConsentSince | JoinedAt | LeftAt | Seats
        t3     | consent_lost     | graph_disabled | 10:00        | null     | null   | null
        t2     | consent_regained | ''             | 09:00        | null     | null   | null
        t1     | ''               | ''             | null         | 08:00    | null   | 7
        t4     | ''               | ''             | null         | null     | 11:00  | null
        """,
    ),
    Case(
        "exceptions.kql",
        "exceptions by type and place, the latest trace; a sampled one stands for several",
        [
            row(
                "AppExceptions",
                "09:00",
                ExceptionType="Defect",
                OuterMethod="run",
                OperationName="sync_mailbox",
                OperationId="a",
                ItemCount=10,
            ),
            row(
                "AppExceptions",
                "10:00",
                ExceptionType="Defect",
                OuterMethod="run",
                OperationName="sync_mailbox",
                OperationId="b",
                ItemCount=1,
            ),
            row(
                "AppExceptions",
                "10:30",
                ExceptionType="KeyError",
                OuterMethod="get",
                OperationName="list_runs",
                OperationId="c",
                ItemCount=1,
            ),
        ],
        """
        Exception | Function     | Method | Times | First | Last  | Trace
        Defect    | sync_mailbox | run    | 11    | 09:00 | 10:00 | b
        KeyError  | list_runs    | get    | 1     | 10:30 | 10:30 | c
        """,
    ),
    Case(
        "failed-requests.kql",
        "what has failed since its last good call comes first, however many were good before; sampled calls count as"
        " often as they were made; the latest failed call, not a later good one",
        [
            request("09:00", "list_runs", "500", items=1, trace="early", milliseconds=40),
            request("09:30", "list_runs", "503", items=1, trace="failed", milliseconds=20),
            *(
                request(f"10:{n:02}", "list_runs", items=10, trace="good", milliseconds=n)
                for n in range(9)
            ),
            request("10:30", "list_runs", "404", items=8, trace="wrong"),
            queue_call("02:58", "sync_mailbox", good=False),
            queue_call("02:59", "sync_mailbox", items=100),
            queue_call("03:01", "sync_mailbox", good=False),
            queue_call("04:00", "sync_mailbox", good=False, trace="dead"),
            request("10:00", "good", items=10),
            request("10:00", "missing", "404"),
        ],
        """
        Function     | Calls | Faults | Share | SinceGood | LastGood | Usual | Slowest | Last  | Trace
        sync_mailbox | 103   | 3      | 2.913 | 2         | 02:59    | 10    | 10      | 04:00 | dead
        list_runs    | 100   | 2      | 2     | 0         | 10:30    | 40    | 40      | 09:30 | failed
        """,
    ),
    Case(
        "gateway-errors.kql",
        "errors by cause, the most often first",
        [
            row(
                "ApiManagementGatewayLogs",
                "09:00",
                ApiId="api",
                OperationId="list_runs",
                ResponseCode=500,
                BackendResponseCode=500,
                LastErrorReason="",
                LastErrorSource="",
                TotalTime=30,
            ),
            row(
                "ApiManagementGatewayLogs",
                "10:00",
                ApiId="api",
                OperationId="list_runs",
                ResponseCode=429,
                LastErrorReason="RateLimitExceeded",
                LastErrorSource="rate-limit",
                TotalTime=1,
            ),
            row(
                "ApiManagementGatewayLogs",
                "10:10",
                ApiId="api",
                OperationId="list_runs",
                ResponseCode=429,
                LastErrorReason="RateLimitExceeded",
                LastErrorSource="rate-limit",
                TotalTime=2,
            ),
            row(
                "ApiManagementGatewayLogs",
                "10:20",
                ApiId="api",
                OperationId="list_runs",
                ResponseCode=200,
                TotalTime=99,
            ),
        ],
        """
        Api | Operation | Code | BackendCode | Cause             | Place      | Times | Slowest | Last
        api | list_runs | 429  | null        | RateLimitExceeded | rate-limit | 2     | 2       | 10:10
        api | list_runs | 500  | 500         | ''                | ''         | 1     | 30      | 09:00
        """,
    ),
)
