"""Telemetry arrives through Microsoft's own packages, set up as the worker sets them up.

Only the ingestion endpoint of Application Insights is simulated: a separate process starts as the
worker does, indexes the app and sends telemetry.
"""

import asyncio
import gzip
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web

from shared.domain.events import schemas
from tests.sources import ROOT

_WORKER = """
import asyncio, logging
from azure_functions_runtime.otel import initialize_azure_monitor, otel_manager
initialize_azure_monitor()
assert otel_manager.get_azure_monitor_available()
from azure_functions_runtime.loader import index_function_app
assert index_function_app("function_app.py")

from opentelemetry import _logs, metrics, trace
from opentelemetry.trace import SpanKind
from shared.adapters.telemetry import count_graph, emit, record_queue_age, span, traceparent
from shared.domain.events import MailboxSyncFinished
from shared.domain.importing.messages import Task
from shared.domain.importing.runs import Outcome

with span("start_run", kind=SpanKind.CONSUMER, attributes={"run": "r1"}):
    sent_by = traceparent()
ids = {"importId": "i1", "run": "r1", "mailbox": "m1"}
with span("sync_mailbox", kind=SpanKind.CONSUMER, attributes=ids, sent_by=sent_by):
    url = "https://graph.microsoft.com/v1.0/users/{id}/contacts/delta"
    asked = {"http.request.method": "GET", "url.full": url}
    with span("GET /users/{id}/contacts/delta", kind=SpanKind.CLIENT, attributes=asked) as current:
        current.set_attribute("http.response.status_code", 200)
    emit(MailboxSyncFinished(tenant="t1", import_id="i1", run="r1", mailbox="m1", task=Task.SYNC,
                             outcome=Outcome.SUCCEEDED, created=3, milliseconds=12))
count_graph(requests=2)
record_queue_age("mailbox-syncs", 1.5)
logging.getLogger("shared.services.importing.fan_out").warning("a line of ours")
for provider in (trace.get_tracer_provider(), _logs.get_logger_provider(),
                 metrics.get_meter_provider()):
    provider.force_flush()
"""

type Envelope = dict[str, Any]


@dataclass(slots=True)
class Ingestion:
    """What arrived at the ingestion endpoint."""

    address: str = ""
    envelopes: list[Envelope] = field(default_factory=list)

    async def take(self, http: web.Request) -> web.Response:
        raw = await http.read()
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
        found = json.loads(raw) if raw else []
        taken = found if isinstance(found, list) else []
        self.envelopes += [e for e in taken if isinstance(e, dict) and "data" in e]
        count = len(taken)
        return web.json_response({"itemsReceived": count, "itemsAccepted": count, "errors": []})

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [e["data"]["baseData"] for e in self.envelopes if e["data"]["baseType"] == kind]


@pytest.fixture(scope="module")
async def received() -> AsyncIterator[Ingestion]:
    ingestion = Ingestion()
    server = web.Application(client_max_size=10**8)
    server.router.add_route("*", "/{path:.*}", ingestion.take)
    runner = web.AppRunner(server, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    ingestion.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("OTEL_")
    } | {
        "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY": "true",
        "PYTHON_APPLICATIONINSIGHTS_LOGGER_NAME": "shared",
        "APPLICATIONINSIGHTS_CONNECTION_STRING": (
            "InstrumentationKey=00000000-0000-4000-8000-000000000000;"
            f"IngestionEndpoint={ingestion.address}/;LiveEndpoint={ingestion.address}/"
        ),
        "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
        "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": (
            "azure_sdk,django,fastapi,flask,httpx,psycopg2,requests,urllib,urllib3"
        ),
        "OTEL_TRACES_SAMPLER": "always_on",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _WORKER, cwd=ROOT, env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, output.decode()
    yield ingestion
    await runner.cleanup()


async def test_event_arrives_as_a_custom_event_with_all_its_attributes(received: Ingestion) -> None:
    (event,) = received.of("EventData")

    assert event["name"] == "mailbox_sync_finished"
    properties = dict(event["properties"])
    assert properties.pop("logger_name") == "contact_sync"
    assert properties.keys() == schemas()["mailbox_sync_finished"].keys()
    assert all(isinstance(value, str) for value in properties.values())
    assert (properties["created"], properties["outcome"]) == ("3", "succeeded")
    assert (properties["tenant"], properties["run"], properties["reason"]) == ("t1", "r1", "")


async def test_message_arrives_as_a_request_linked_to_its_sender(received: Ingestion) -> None:
    requests = {request["name"]: request for request in received.of("RequestData")}
    start, sync = requests["start_run"], requests["sync_mailbox"]

    (link,) = json.loads(sync["properties"]["_MS.links"])
    assert link["id"] == start["id"]
    assert sync["properties"]["mailbox"] == "m1"


async def test_graph_call_arrives_as_a_dependency_without_ids(received: Ingestion) -> None:
    (call,) = received.of("RemoteDependencyData")

    assert call["name"] == "GET /v1.0/users/{id}/contacts/delta"
    assert call["data"] == "https://graph.microsoft.com/v1.0/users/{id}/contacts/delta"
    assert (call["type"], call["target"]) == ("HTTP", "graph.microsoft.com")
    assert (call["resultCode"], call["success"]) == ("200", True)


async def test_metrics_and_log_lines_arrive_and_events_are_not_traces(received: Ingestion) -> None:
    names = {metric["name"] for data in received.of("MetricData") for metric in data["metrics"]}
    traces = [data["message"] for data in received.of("MessageData")]

    assert {
        "contact_sync.contacts",
        "contact_sync.graph.requests",
        "contact_sync.queue.age",
    } <= names
    assert traces == ["a line of ours"]
