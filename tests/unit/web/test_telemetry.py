"""Telemetry is nearly free without an SDK, and its names contain no ids and no queries."""

import asyncio
import importlib
import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import NoOpTracer, SpanKind

from shared.adapters import telemetry
from shared.adapters.graph import sdk_tracing
from shared.adapters.graph.routes import WORDS, template
from shared.adapters.telemetry import emit, span, traceparent
from shared.domain.errors import UnknownMessage
from shared.domain.events import MessagePoisoned, SeatsBooked
from shared.domain.importing.messages import CloseRun, StartRun, parse

NOW = datetime(2026, 11, 23, tzinfo=UTC)
MESSAGE = CloseRun(tenant="t", import_id="i", run="r", number=1)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_message_age_excludes_its_delay(waited: int, delay: int) -> None:
    message = MESSAGE.copy_with(delay=delay)
    age = message.age(NOW, NOW + timedelta(seconds=waited))

    assert age == max(0, waited - delay)


def test_unknown_fields_of_a_newer_message_are_ignored() -> None:
    newer = b'{"tenant": "t", "importId": "i", "run": "r", "number": 1, "invented": {"later": 1}}'

    assert parse(StartRun, newer) == StartRun(tenant="t", import_id="i", run="r", number=1)
    assert parse(StartRun, newer).traceparent == ""


def test_error_for_a_foreign_message_does_not_contain_its_content() -> None:
    with pytest.raises(UnknownMessage) as caught:
        parse(StartRun, b'{"tenant": "Ada Lovelace"}')

    assert caught.value.__suppress_context__
    assert "Ada" not in str(caught.value)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/users", "/users"),
        ("/users?$search=%22displayName:Ada%22", "/users"),
        ("/users/0f9e/contactFolders/AAMk%3D/contacts/delta", None),
        ("/users('0f9e')/contactFolders('AAMk')/contacts/delta?$deltatoken=x", None),
        ("/$batch", "/$batch"),
        ("/groups/0f9e/transitiveMembers/microsoft.graph.user", None),
    ],
)
def test_request_is_named_by_its_route_template(path: str, shown: str | None) -> None:
    found = template(path)

    assert found == shown or (shown is None and "{id}" in found)
    assert not {"0f9e", "AAMk", "Ada", "token"} & {w for w in path.split("/") if w in found}


@given(st.text())
def test_request_name_contains_only_words_of_graph(part: str) -> None:
    shown = template(f"/users/{part}/contacts")
    allowed = WORDS | {"{id}"} | {f"{word}({{id}})" for word in WORDS}

    assert set(shown.strip("/").split("/")) <= allowed


def test_spans_record_nothing_and_traceparent_is_empty_without_an_sdk() -> None:
    with span("sync_mailbox", kind=SpanKind.CONSUMER, sent_by="00-" + "1" * 32) as current:
        assert not current.is_recording()
        assert traceparent() == ""


def test_span_lets_exceptions_pass_unchanged() -> None:
    with pytest.raises(ZeroDivisionError), span("resolve_share"):
        _ = 1 / 0


def test_event_is_logged_as_one_readable_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        emit(SeatsBooked(tenant="t1", booked=8, before=0))
        emit(MessagePoisoned(tenant="", queue="run-closings"))

    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [
        ("INFO", "seats_booked tenant=t1 booked=8 before=0"),
        ("ERROR", "message_poisoned queue=run-closings"),
    ]


def test_telemetry_of_a_mailbox_takes_less_than_half_a_millisecond_without_an_sdk() -> None:
    def once() -> None:
        with span("sync_mailbox", kind=SpanKind.CONSUMER, attributes={"run": "r"}):
            emit(SeatsBooked(tenant="t1", booked=8, before=0))

    logging.getLogger("contact_sync.events").disabled = True
    try:
        once()
        begun = time.process_time()
        for _ in range(2_000):
            once()
        each = (time.process_time() - begun) / 2_000
    finally:
        logging.getLogger("contact_sync.events").disabled = False

    # A request to Graph takes 80 ms; a measured 20 microseconds, with room for a busy machine.
    assert each < 0.000_5


def test_graph_sdk_creates_no_spans() -> None:
    packages = ("kiota_abstractions", "kiota_authentication_azure", "kiota_http", "msgraph_core")
    folders = [Path(str(importlib.import_module(name).__file__)).parent for name in packages]
    tracing = {
        ".".join(path.relative_to(folder.parent).with_suffix("").parts)
        for folder in folders
        for path in folder.rglob("*.py")
        if "get_tracer(" in path.read_text("utf-8")
    }
    sdk_tracing.disable_sdk_tracing()

    assert {module.__name__ for module in sdk_tracing.TRACING} == tracing
    assert all(isinstance(vars(module)["tracer"], NoOpTracer) for module in sdk_tracing.TRACING)


async def test_concurrent_spans_keep_their_own_traceparent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(telemetry, "_tracer", TracerProvider().get_tracer("test"))

    async def one(name: str) -> tuple[str, str]:
        with span(name):
            before = traceparent()
            await asyncio.sleep(0)
            return before, traceparent()

    (first, first_later), (second, second_later) = await asyncio.gather(one("a"), one("b"))

    assert (first, second) == (first_later, second_later)
    assert len({first, second, ""}) == 3
