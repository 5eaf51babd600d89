"""Telemetry: events, spans and metrics, by the OpenTelemetry API alone.

Who set up an SDK (in Azure the worker, PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY) gets them;
without one they cost next to nothing, and only the readable line of each event is logged.

Azure Monitor takes a log record for a custom event if it bears `microsoft.custom_event.name`; its
other attributes become AppEvents.Properties, as strings. Events go by the logs API: the handler of
`logging` would drop attributes that are named as fields of its records, such as `created`. The
readable line goes to a logger beside those of `shared`, so that
PYTHON_APPLICATIONINSIGHTS_LOGGER_NAME=shared does not send it once more, as a trace.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from opentelemetry import metrics, trace
from opentelemetry._logs import SeverityNumber, get_logger
from opentelemetry.trace import Link, Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.domain.events import Event, MailboxSyncFinished, RunClosed, Severity

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
_mailboxes: Final = _meter.create_counter(
    "contact_sync.mailboxes", description="Mailboxes that have their result, by outcome."
)
_contacts: Final = _meter.create_counter(
    "contact_sync.contacts", description="Contacts in these mailboxes, by what was done to them."
)
_graph_requests: Final = _meter.create_counter(
    "contact_sync.graph.requests", description="HTTP requests to Microsoft Graph."
)
_graph_throttled: Final = _meter.create_counter(
    "contact_sync.graph.throttled", description="Answers 429, each item of a batch by itself."
)
_mailbox_duration: Final = _meter.create_histogram(
    "contact_sync.mailbox.duration", unit="ms", description="How long a mailbox's last try took."
)
_queue_age: Final = _meter.create_histogram(
    "contact_sync.queue.age",
    unit="s",
    description="How long a message was due before a worker took it, by queue.",
)
_run_duration: Final = _meter.create_histogram(
    "contact_sync.run.duration", unit="s", description="From queueing a run to its end."
)


def emit(event: Event) -> None:
    """Send an event, count what it tells, and log it in one readable line."""
    level, severity = _SEVERITIES[event.severity]
    attributes = event.attributes()
    _events.emit(
        severity_number=severity,
        body=event.name,
        attributes={EVENT_NAME: event.name, **attributes},
    )
    if _lines.isEnabledFor(level):
        told = " ".join(f"{name}={value}" for name, value in attributes.items() if value != "")
        _lines.log(level, "%s %s", event.name, told)
    _measure(event)


def _measure(event: Event) -> None:
    match event:
        case MailboxSyncFinished():
            _mailboxes.add(1, {"outcome": str(event.outcome)})
            for change in ("created", "updated", "deleted", "unchanged"):
                if count := getattr(event, change):
                    _contacts.add(count, {"change": change})
            _mailbox_duration.record(event.milliseconds)
        case RunClosed():
            _run_duration.record(event.seconds)


def count_graph(*, requests: int = 0, throttled: int = 0) -> None:
    """Count requests to Graph, and its answers 429."""
    if requests:
        _graph_requests.add(requests)
    if throttled:
        _graph_throttled.add(throttled)


def record_queue_age(queue: str, seconds: float) -> None:
    """Note how long a message was due when it was taken from a queue."""
    _queue_age.record(seconds, {"queue": queue})


@contextmanager
def span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Attributes | None = None,
    sent_by: str = "",
) -> Iterator[Span]:
    """A span around a piece of work, linked to the traceparent of who sent the work.

    A failure shows as the type of its error; neither its words nor its traceback are kept.
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
    """The current span's context as W3C Trace Context writes it, for a message; '' if none."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent", "")


def _links(sent_by: str) -> tuple[Link, ...]:
    if not sent_by:
        return ()
    context = trace.get_current_span(_propagator.extract({"traceparent": sent_by}))
    linked = context.get_span_context()
    return (Link(linked),) if linked.is_valid else ()
