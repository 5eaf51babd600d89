"""Telemetry: events, spans and metrics, through the OpenTelemetry API only.

They are sent if an SDK is set up, in Azure by PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY; without
one they cost almost nothing, and only the readable line of each event is logged.

Azure Monitor treats a log record with `microsoft.custom_event.name` as a custom event; its other
attributes become AppEvents.Properties, as strings. Events use the logs API, because the handler of
`logging` drops attributes named like fields of its records, such as `created`. The logger of the
readable line is outside `shared`, so that PYTHON_APPLICATIONINSIGHTS_LOGGER_NAME=shared does not
send it again as a trace.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from opentelemetry import metrics, trace
from opentelemetry._logs import SeverityNumber, get_logger
from opentelemetry.trace import Link, Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.domain.events import Event, MailboxSyncFinished, Severity

SCOPE: Final = "contact_sync"
EVENT_NAME: Final = "microsoft.custom_event.name"

type Attributes = Mapping[str, str | int | float | bool]

_tracer: Final = trace.get_tracer(SCOPE)
_events: Final = get_logger(SCOPE)
_lines: Final = logging.getLogger(f"{SCOPE}.events")
_propagator: Final = TraceContextTextMapPropagator()
_SEVERITIES: Final[Mapping[Severity, tuple[int, SeverityNumber]]] = {
    "info": (logging.INFO, SeverityNumber.INFO),
    "warning": (logging.WARNING, SeverityNumber.WARN),
    "error": (logging.ERROR, SeverityNumber.ERROR),
}

_meter: Final = metrics.get_meter(SCOPE)
_contacts: Final = _meter.create_counter(
    "contact_sync.contacts", description="Contacts in these mailboxes, by what was done to them."
)
_graph_requests: Final = _meter.create_counter(
    "contact_sync.graph.requests", description="HTTP requests to Microsoft Graph."
)
_graph_throttled: Final = _meter.create_counter(
    "contact_sync.graph.throttled", description="429 responses; each item of a batch counts as one."
)
_queue_age: Final = _meter.create_histogram(
    "contact_sync.queue.age",
    unit="s",
    description="How long a message was due before a worker received it, by queue.",
)
# No gauge: an instance would export its last value again and again, long after the queue is empty.
_oldest_due: Final = _meter.create_histogram(
    "contact_sync.queue.oldest_due",
    unit="s",
    description="For how long the oldest visible message of a queue has been due, by queue.",
)


def emit(event: Event) -> None:
    """Send an event, update the metrics, and log one readable line."""
    level, severity = _SEVERITIES[event.severity]
    attributes = event.attributes()
    _events.emit(
        severity_number=severity,
        body=event.name,
        attributes={EVENT_NAME: event.name, **attributes},
    )
    if _lines.isEnabledFor(level):
        values = " ".join(f"{name}={value}" for name, value in attributes.items() if value != "")
        _lines.log(level, "%s %s", event.name, values)
    _measure(event)


def _measure(event: Event) -> None:
    """Measure what a query needs each minute; everything else is in the events."""
    if isinstance(event, MailboxSyncFinished):
        for change in ("created", "updated", "deleted", "unchanged"):
            if count := getattr(event, change):
                _contacts.add(count, {"change": change})


@dataclass(slots=True)
class Spent:
    """The HTTP requests to Graph that were sent within a block."""

    graph_requests: int = 0


_spent: ContextVar[Spent | None] = ContextVar("_spent", default=None)


@contextmanager
def spending() -> Iterator[Spent]:
    """Count the requests to Graph of this block and of the tasks that it starts."""
    spent = Spent()
    token = _spent.set(spent)
    try:
        yield spent
    finally:
        _spent.reset(token)


def count_graph(*, requests: int = 0, throttled: int = 0) -> None:
    """Count requests to Graph and its 429 responses."""
    if requests:
        _graph_requests.add(requests)
        if (spent := _spent.get()) is not None:
            spent.graph_requests += requests
    if throttled:
        _graph_throttled.add(throttled)


def record_queue_age(queue: str, seconds: float) -> None:
    """Record how long a message was due before it was received."""
    _queue_age.record(seconds, {"queue": queue})


def record_oldest_due(queue: str, seconds: float) -> None:
    """Note for how long the oldest message of a queue has been due, also when nobody takes any."""
    _oldest_due.record(seconds, {"queue": queue})


@contextmanager
def span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Attributes | None = None,
    sent_by: str = "",
) -> Iterator[Span]:
    """Trace a piece of work in a span, linked to the sender's traceparent.

    A failure is recorded as the type of its error, without its message or traceback.
    """
    with _tracer.start_as_current_span(
        name,
        kind=kind,
        attributes=attributes,
        links=_links(sent_by),
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except BaseException as error:
            current.set_attribute("error.type", type(error).__name__)
            current.set_status(StatusCode.ERROR)
            raise


def traceparent() -> str:
    """Return the current span's W3C Trace Context for a message; '' if there is no span."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent", "")


def _links(sent_by: str) -> tuple[Link, ...]:
    if not sent_by:
        return ()
    context = trace.get_current_span(_propagator.extract({"traceparent": sent_by}))
    linked = context.get_span_context()
    return (Link(linked),) if linked.is_valid else ()
