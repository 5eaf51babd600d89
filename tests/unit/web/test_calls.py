"""How errors become HTTP responses, and the shape of the functions that the worker gets."""

import inspect
import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace
from typing import Any

import azure.functions as func
import pytest

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.records import Stored
from shared.domain.errors import (
    Conflict,
    ContactSyncError,
    Defect,
    GatewayOnly,
    NeedsAdmin,
    Throttled,
    Unavailable,
)
from shared.domain.reasons import Reason
from shared.domain.tenancy.tenants import Tenant
from shared.services.tenancy.limits import Limiter
from shared.web import admission, calls
from shared.web.admission import READERS
from shared.web.calls import Call, Function, signed_in
from shared.web.operations import ApiResponse, Operation, Paging
from shared.web.texts.errors import ENGLISH, TEXTS
from shared.web.texts.reasons import REMEDIES
from shared.web.views import ItemPage, Tagged

SECRET = "not for callers"


async def accept(*_: object) -> Caller:
    return Caller("tenant", "ada", "Ada", frozenset({"Admin"}))


async def known(tenant: Tenant, _: Caller) -> Stored[Tenant]:
    return Stored(tenant, "1")


@pytest.fixture(autouse=True)
def services(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    tenant = Tenant(id="tenant", joined=datetime.now(UTC))
    services = SimpleNamespace(
        entra=SimpleNamespace(
            tokens=SimpleNamespace(caller=accept),
            gateway=SimpleNamespace(require=accept, guards=False),
        ),
        tenancy=SimpleNamespace(
            tenants=SimpleNamespace(known=partial(known, tenant)),
            limiter=Limiter(1000),
            sessions=SimpleNamespace(require_live=lambda _: None),
        ),
        settings=SimpleNamespace(home_tenant=None),
    )
    monkeypatch.setattr(calls, "app", lambda: services)
    monkeypatch.setattr(admission, "app", lambda: services)
    return services


class Item(Tagged):
    id: str


OPERATION = Operation(
    name="read_something",
    method="GET",
    path="api/x",
    doc="Read something.",
    tag="test",
    roles=READERS,
    responses={200: ItemPage[str]},
)


def raising(error: Exception) -> Function:
    async def read_something(_: Call) -> ApiResponse:
        raise error

    return signed_in(OPERATION, read_something)


async def declared(_: Call) -> ApiResponse:
    return ApiResponse(ItemPage[str](items=[], next=None))


async def answer(function: Function, **params: str) -> tuple[func.HttpResponse, Any]:
    request = func.HttpRequest(method="GET", url="/api/x", params=params, body=b"")
    response = await function(request)
    return response, json.loads(response.get_body())


def test_function_has_the_signature_the_worker_expects() -> None:
    function = raising(Conflict("already_exists"))

    assert function.__name__ == "read_something"
    assert function.__doc__ == "Read something."
    assert not hasattr(function, "__wrapped__")
    assert inspect.iscoroutinefunction(function)
    assert inspect.signature(function).parameters["req"].annotation is func.HttpRequest


async def test_rate_limited_tenant_gets_429_with_retry_after(
    services: SimpleNamespace,
) -> None:
    services.tenancy.limiter = Limiter(3)

    answers = [await answer(raising(Conflict("already_exists"))) for _ in range(4)]

    assert [response.status_code for response, _ in answers] == [409, 409, 409, 429]
    refusal, body = answers[-1]
    assert 1 <= int(refusal.headers["Retry-After"]) <= 60
    assert body["type"].endswith(":too-many-requests")


@pytest.mark.parametrize("error", [Unavailable("No answer.", 6.6), Throttled("Slower.", 0.2)])
async def test_transient_error_returns_503_with_retry_after(error: ContactSyncError) -> None:
    response, body = await answer(raising(error))

    assert (response.status_code, body["status"]) == (503, 503)
    assert response.headers["Retry-After"] == ("7" if isinstance(error, Unavailable) else "1")


async def test_needs_admin_returns_409_with_reason_and_remedy() -> None:
    response, body = await answer(raising(NeedsAdmin(Reason.CONSENT_MISSING, SECRET)))

    assert (response.status_code, body["reason"]) == (409, "consent_missing")
    assert body["detail"] == REMEDIES[Reason.CONSENT_MISSING]
    assert SECRET not in json.dumps(body)


@pytest.mark.parametrize("error", [Defect(SECRET), RuntimeError(SECRET)])
async def test_defect_returns_500_and_details_appear_only_in_the_log(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        response, body = await answer(raising(error))

    correlation = response.headers["X-Correlation-Id"]
    assert response.status_code == 500
    assert SECRET not in json.dumps(body)
    assert body["instance"] == f"urn:uuid:{correlation}"
    assert correlation in caplog.text
    assert SECRET in caplog.text


async def test_rejected_call_is_logged_with_error_kind_and_correlation_id(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        response, body = await answer(raising(Conflict("nothing_failed")))

    assert (response.status_code, body["detail"]) == (409, TEXTS["nothing_failed"])
    assert f"{response.headers['X-Correlation-Id']}: nothing_failed" in caplog.text


async def test_unknown_query_parameter_returns_400() -> None:
    response, body = await answer(raising(Conflict("already_exists")), top="5")

    assert response.status_code == 400
    assert [error["field"] for error in body["errors"]] == ["top"]


@pytest.mark.parametrize(
    "undeclared",
    [
        ApiResponse(),
        ApiResponse(ItemPage[int](items=[1], next=None)),
        ApiResponse(ItemPage[str](items=[], next=None), 201),
    ],
    ids=["no body", "another model", "another status"],
)
async def test_undeclared_response_returns_500(
    undeclared: ApiResponse,
) -> None:
    async def read_something(_: Call) -> ApiResponse:
        return undeclared

    response, _ = await answer(signed_in(OPERATION, read_something))

    assert response.status_code == 500


async def test_reading_an_undeclared_if_match_returns_500() -> None:
    async def read_something(call: Call) -> ApiResponse:
        return ApiResponse(ItemPage[str](items=[str(call.if_match)], next=None))

    response, _ = await answer(signed_in(OPERATION, read_something))

    assert response.status_code == 500


@pytest.mark.parametrize(("doc", "answers"), [("", {200: None}), ("Read something.", {})])
def test_operation_without_docstring_or_answers_raises_value_error(
    doc: str, answers: dict[int, None]
) -> None:
    with pytest.raises(ValueError, match="read_something"):
        replace(OPERATION, doc=doc, responses=answers)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (GatewayOnly("gateway_only", api="https://x/api", portal="https://x"), 403),
        (Unavailable("No answer.", 5), 503),
    ],
)
async def test_call_rejected_by_the_gateway_check_never_reaches_the_handler(
    services: SimpleNamespace, error: ContactSyncError, status: int
) -> None:
    async def refuse(_: str) -> None:
        raise error

    services.entra.gateway.require = refuse

    response, body = await answer(raising(Defect("the handler was called")))

    assert (response.status_code, body["detail"]) == (status, ENGLISH.of(error))


async def test_direct_operation_skips_the_gateway_check(services: SimpleNamespace) -> None:
    del services.entra.gateway

    response, _ = await answer(signed_in(replace(OPERATION, direct=True), declared))

    assert response.status_code == 200


def tagged(status: int = 200, at: str = "") -> Function:
    async def read_something(_: Call) -> ApiResponse:
        return ApiResponse(Item(etag='W/"7"', id="x"), status, at=at)

    operation = replace(OPERATION, responses={200: Item, 201: Item, 202: Item})
    return signed_in(operation, read_something)


async def test_version_that_the_caller_has_returns_304_without_a_body() -> None:
    for known, status in (('W/"7"', 304), ('"other", W/"7"', 304), ('W/"8"', 200), ("", 200)):
        request = func.HttpRequest("GET", "/api/x", headers={"If-None-Match": known}, body=b"")
        response = await tagged()(request)

        assert response.status_code == status
        assert response.headers["ETag"] == 'W/"7"'
        assert bool(response.get_body()) == (status == 200)


async def test_begun_work_says_where_and_when_to_look_again() -> None:
    for status, waits in ((201, None), (202, calls.POLLING)):
        response, _ = await answer(tagged(status, "things/x"))

        assert response.headers["Location"] == "/api/v1/things/x"
        assert response.headers.get("Retry-After") == waits
    silent, _ = await answer(tagged(202))
    assert silent.status_code == 500


async def test_request_id_of_the_caller_is_repeated_if_it_is_one() -> None:
    for given, repeated in (("a-1.b_2", "a-1.b_2"), ("x" * 65, None), ("a\r\nb", None)):
        headers = {"client-request-id": given}
        response = await tagged()(func.HttpRequest("GET", "/api/x", headers=headers, body=b""))

        assert response.headers.get("client-request-id") == repeated


async def test_answer_says_how_many_calls_are_left(services: SimpleNamespace) -> None:
    services.tenancy.limiter = Limiter(1000, per_user=10)
    answers = [(await answer(tagged()))[0].headers for _ in range(2)]

    assert [headers["RateLimit-Policy"] for headers in answers] == ['"minute";q=10;w=60'] * 2
    assert [headers["RateLimit"].split(";")[1] for headers in answers] == ["r=9", "r=8"]


async def test_page_has_the_address_of_the_next_one(services: SimpleNamespace) -> None:
    services.settings.portal_origin = "https://contacts.example"

    async def read_something(_: Call) -> ApiResponse:
        return ApiResponse(ItemPage[str](items=["x"], next="to ken"))

    operation = replace(OPERATION, query=Paging)
    _, page = await answer(signed_in(operation, read_something), top="1")

    assert page["nextLink"] == "https://contacts.example/api/x?top=1&next=to+ken"
