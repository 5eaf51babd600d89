"""The host's OpenTelemetry mode, as far as it lives in the worker; the host keeps what it tells.

Each invocation is a span of the host. For an HTTP call it is a child of the caller's traceparent;
for a queue or timer it starts a new trace, since those carry no context (azure-functions-host
PR 11311). Microsoft's own code passes the context to the function, as in the worker. Spans and logs
wait as objects until the worker tells them in batches, as an exporter does.
"""

import asyncio
import contextvars
import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import orjson
from azure_functions_runtime.bindings.context import Context as Invocation
from azure_functions_runtime.otel import configure_opentelemetry, update_opentelemetry_status
from opentelemetry import _logs, metrics, trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.trace import Link, SpanContext, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

KEPT = 20_000
_propagator = TraceContextTextMapPropagator()
_DELTA = AggregationTemporality.DELTA


class Spans(SpanProcessor):
    """Keeps ended spans."""

    def __init__(self, noted: Callable[[], None]) -> None:
        self.kept: deque[ReadableSpan] = deque(maxlen=KEPT)
        self._noted = noted

    def on_end(self, span: ReadableSpan) -> None:
        self.kept.append(span)
        self._noted()


class Logs(LogRecordProcessor):
    """Keeps log records, including events."""

    def __init__(self, noted: Callable[[], None]) -> None:
        self.kept: deque[ReadWriteLogRecord] = deque(maxlen=KEPT)
        self._noted = noted

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        self.kept.append(log_record)
        self._noted()

    def shutdown(self) -> None:
        """Do nothing: there is nothing to close."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        del timeout_millis
        return True


class Telemetry:
    """The telemetry of this process; off if host.json does not enable OpenTelemetry.

    It becomes the SDK of the whole process, so there can be only one. `something` is set while
    spans or logs wait to be taken. Create it on the running event loop.
    """

    def __init__(self, *, on: bool) -> None:
        self.something = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._noticed = False
        self._spans, self._logs = Spans(self._note), Logs(self._note)
        self._metrics = InMemoryMetricReader({Counter: _DELTA, Histogram: _DELTA})
        self._on = on
        self._tracer: trace.Tracer = trace.NoOpTracer()
        if on:
            self._set_up()

    def _set_up(self) -> None:
        tracing, logs = TracerProvider(), LoggerProvider()
        tracing.add_span_processor(self._spans)
        logs.add_log_record_processor(self._logs)
        trace.set_tracer_provider(tracing)
        _logs.set_logger_provider(logs)
        metrics.set_meter_provider(MeterProvider([self._metrics]))
        # As PYTHON_APPLICATIONINSIGHTS_LOGGER_NAME does in Azure.
        logging.getLogger("shared").addHandler(LoggingHandler(logging.INFO, logs))
        self._tracer = tracing.get_tracer("host")
        update_opentelemetry_status()

    @contextmanager
    def invocation(self, name: str, headers: Mapping[str, str] | None) -> Iterator[str]:
        """Run an invocation in the host's span. Yields its traceparent ('' if there is none).

        `headers` are those of an HTTP call, or None for any other trigger.
        """
        kind = SpanKind.CONSUMER if headers is None else SpanKind.SERVER
        parent = _propagator.extract(headers or {}, Context())
        with self._tracer.start_as_current_span(name, parent, kind):
            carrier: dict[str, str] = {}
            _propagator.inject(carrier)
            yield carrier.get("traceparent", "")

    def context_of(self, invocation: Invocation) -> contextvars.Context:
        """Return the context for an async function, with the invocation's attached as in Azure.

        Functions that are not async do not get it (azure-functions-runtime 1.3.0).
        """
        context = contextvars.copy_context()
        if self._on:
            context.run(configure_opentelemetry, invocation)
        return context

    def take(self) -> tuple[list[bytes], list[bytes]]:
        """Return the spans and the logs since the last call, each as JSON."""
        self._noticed = False
        self.something.clear()
        return (
            [orjson.dumps(_span(span)) for span in _taken(self._spans.kept)],
            [orjson.dumps(_log(log)) for log in _taken(self._logs.kept)],
        )

    def _note(self) -> None:
        """Set `something`, from whatever thread."""
        if not self._noticed:
            self._noticed = True
            self._loop.call_soon_threadsafe(self.something.set)

    def metrics(self) -> list[dict[str, Any]]:
        """Return the metrics since the last call."""
        data = self._metrics.get_metrics_data() if self._on else None
        if data is None:
            return []
        return [
            {
                "name": metric.name,
                "unit": metric.unit,
                "attributes": dict(point.attributes or {}),
                "value": getattr(point, "value", None) or getattr(point, "sum", None),
                "count": getattr(point, "count", None),
            }
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
        ]


def _taken[T](kept: deque[T]) -> Iterator[T]:
    while kept:
        yield kept.popleft()


def _span(span: ReadableSpan) -> dict[str, Any]:
    links: list[Link] = list(span.links)
    return {
        "name": span.name,
        "scope": span.instrumentation_scope.name if span.instrumentation_scope else "",
        "kind": span.kind.name,
        **_ids(span.context),
        "parent": f"{span.parent.span_id:016x}" if span.parent else None,
        "links": [_ids(link.context) for link in links],
        "attributes": dict(span.attributes or {}),
        "status": span.status.status_code.name,
        "description": span.status.description,
        "recorded": [(event.name, dict(event.attributes or {})) for event in span.events],
        "milliseconds": ((span.end_time or 0) - (span.start_time or 0)) / 1e6,
    }


def _log(log: ReadWriteLogRecord) -> dict[str, Any]:
    record = log.log_record
    return {
        "scope": log.instrumentation_scope.name if log.instrumentation_scope else "",
        "severity": record.severity_number.name if record.severity_number else "",
        "body": str(record.body),
        "attributes": dict(record.attributes or {}),
        "trace": f"{record.trace_id or 0:032x}",
        "span": f"{record.span_id or 0:016x}",
    }


def _ids(context: SpanContext | None) -> dict[str, str]:
    if context is None:
        return {"trace": "", "span": ""}
    return {"trace": f"{context.trace_id:032x}", "span": f"{context.span_id:016x}"}
