"""The tables that queries may read, with their columns, as Microsoft documents them.

Source: Azure Monitor Logs reference, one page a table (azure-monitor/reference/tables/<table>), as
of July 2026. It contains only what Microsoft lists, so that a query with an invented column fails.
`Sum` of AppMetrics, `PerformanceBucket` of AppRequests and the columns of Usage are from memory of
the same pages.
"""

from typing import Final

_COMMON: Final = """
    TimeGenerated: datetime, AppRoleInstance: string, AppRoleName: string, AppVersion: string,
    _BilledSize: real, ClientBrowser: string, ClientCity: string, ClientCountryOrRegion: string,
    ClientIP: string, ClientModel: string, ClientOS: string, ClientStateOrProvince: string,
    ClientType: string, IKey: string, _IsBillable: string, ItemCount: int, OperationId: string,
    OperationName: string, ParentId: string, Properties: dynamic, ResourceGUID: string,
    _ResourceId: string, SDKVersion: string, SessionId: string, SourceSystem: string,
    _SubscriptionId: string, SyntheticSource: string, TenantId: string, Type: string,
    UserAccountId: string, UserAuthenticatedId: string, UserId: string
"""

_OWN: Final = {
    # page appevents
    "AppEvents": "Name: string, Measurements: dynamic",
    # page apptraces
    "AppTraces": """
        Message: string, SeverityLevel: int, Measurements: dynamic, ReferencedItemId: string,
        ReferencedType: string
    """,
    # page appexceptions
    "AppExceptions": """
        Assembly: string, Details: dynamic, ExceptionType: string, HandledAt: string,
        InnermostAssembly: string, InnermostMessage: string, InnermostMethod: string,
        InnermostType: string, Measurements: dynamic, Message: string, Method: string,
        OuterAssembly: string, OuterMessage: string, OuterMethod: string, OuterType: string,
        ProblemId: string, SeverityLevel: int
    """,
    # page appdependencies
    "AppDependencies": """
        Data: string, DependencyType: string, DurationMs: real, Id: string, Measurements: dynamic,
        Name: string, PerformanceBucket: string, ReferencedItemId: string, ReferencedType: string,
        ResultCode: string, Success: bool, Target: string
    """,
    # page apprequests
    "AppRequests": """
        DurationMs: real, Id: string, Measurements: dynamic, Name: string,
        PerformanceBucket: string, ReferencedItemId: string, ReferencedType: string,
        ResultCode: string, Source: string, Success: bool, Url: string
    """,
    # page appmetrics
    "AppMetrics": "Max: real, Min: real, Name: string, Sum: real",
}

_OTHERS: Final = {
    # page apimanagementgatewaylogs; written by the tiers with resource logs, not by Consumption
    "ApiManagementGatewayLogs": """
        TimeGenerated: datetime, ApiId: string, ApimSubscriptionId: string, BackendMethod: string,
        BackendResponseCode: int, BackendTime: long, BackendUrl: string, CacheTime: long,
        CallerIpAddress: string, ClientTime: long, CorrelationId: string, Errors: dynamic,
        IsRequestSuccess: bool, LastErrorElapsed: long, LastErrorMessage: string,
        LastErrorReason: string, LastErrorScope: string, LastErrorSection: string,
        LastErrorSource: string, Method: string, OperationId: string, OperationName: string,
        ProductId: string, Region: string, RequestHeaders: dynamic, RequestSize: int,
        ResponseCode: int, ResponseHeaders: dynamic, ResponseSize: int, TotalTime: long,
        TraceRecords: dynamic, Url: string
    """,
    # page _logoperation's function over the table Operation (azure-monitor/logs/monitor-workspace)
    "_LogOperation": "TimeGenerated: datetime, Category: string, Detail: string, Level: string",
    # page usage
    "Usage": "TimeGenerated: datetime, DataType: string, IsBillable: bool, Quantity: real",
}


def _schema(*columns: str) -> str:
    return f"({', '.join(' '.join(text.split()) for text in columns)})"


TABLES: Final = {name: _schema(_COMMON, own) for name, own in _OWN.items()} | {
    name: _schema(columns) for name, columns in _OTHERS.items()
}
"""Each table's schema as KQL writes it."""
