"""Bodies, queries and tokens that would be expensive to read are refused before they are read."""

import base64
import time
from typing import Any

import azure.functions as func
import httpx
import pytest

from shared.adapters.entra.access_tokens import AccessTokens
from shared.domain.errors import CallerError, InvalidInput, PayloadTooLarge, Unauthenticated
from shared.domain.sharing.shares import ShareInput
from shared.portal import sessions
from shared.web.operations import Paging
from shared.web.validation import json_object, parameters, validated

_MOST = 0.6
"""Seconds, on a busy machine; reading these bodies took one to two seconds."""


def request(body: bytes = b"", params: dict[str, str] | None = None) -> func.HttpRequest:
    headers = {"Content-Type": "application/json"}
    return func.HttpRequest("POST", "/api/v1/shares", headers=headers, params=params, body=body)


BODIES = {
    "fields": b"{" + b",".join(b'"%05x":1' % n for n in range(19_000)) + b"}",
    "objects": b'{"a":[' + b",".join([b"{}"] * 85_000) + b"]}",
    "numbers": b'{"a":[' + b",".join([b"1e9"] * 60_000) + b"]}",
    "filters": b'{"sources":{"filter":{'
    + b",".join(b'"%05x":[]' % n for n in range(19_000))
    + b"}}}",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_body_with_too_many_values_is_refused_before_it_is_read(body: bytes) -> None:
    began = time.process_time()

    with pytest.raises(PayloadTooLarge, match="body_too_complex"):
        validated(ShareInput, json_object(request(body), "application/json"))

    assert time.process_time() - began < _MOST


@pytest.mark.parametrize(
    "body", [b"[" * 250_000, b'{"a":' * 50_000, b'{"a":' + b"1" * 250_000 + b"}", b'{"a":1e999}']
)
def test_deep_body_and_huge_number_are_refused_at_once(body: bytes) -> None:
    began = time.process_time()

    with pytest.raises(InvalidInput):
        json_object(request(body), "application/json")

    assert time.process_time() - began < _MOST


def test_query_with_too_many_parameters_is_refused() -> None:
    with pytest.raises(InvalidInput, match="query_too_long"):
        parameters(Paging, request(params={str(n): "" for n in range(5_000)}))
    assert parameters(Paging, request(params={"top": "7"})).top == 7


@pytest.mark.parametrize(
    "header",
    ["[" * 10_000, '{"alg":' * 2_000, "x" * 40_000, '{"alg":"RS256","kid":"' + "k" * 9_000],
)
async def test_hostile_token_is_refused_as_invalid(header: str) -> None:
    tokens = AccessTokens(httpx.AsyncClient(transport=_nobody()), "https://entra.example", "id")
    encoded = base64.urlsafe_b64encode(header.encode()).decode().rstrip("=")

    with pytest.raises(Unauthenticated):
        await tokens.caller(f"Bearer {encoded}.e30.e30")


def _nobody() -> httpx.MockTransport:
    def answer(sent: httpx.Request) -> httpx.Response:
        raise AssertionError(sent)

    return httpx.MockTransport(answer)


def test_flood_of_cookies_is_not_read() -> None:
    def named(cookies: str) -> Any:
        return func.HttpRequest("GET", "/", headers={"Cookie": cookies}, body=b"")

    assert sessions.cookie(named("a=b; __Host-session=x"), "session") == "x"
    assert sessions.cookie(named("a=b; " * 5_000 + "__Host-session=x"), "session") == ""


def test_errors_name_their_limit() -> None:
    with pytest.raises(CallerError) as refused:
        json_object(request(BODIES["fields"]), "application/json")
    assert refused.value.values == {"limit": 500}
