"""Forms are checked before anything of them is parsed."""

from urllib.parse import urlencode

import azure.functions as func
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.errors import CallerError, Forbidden, InvalidInput, PayloadTooLarge
from shared.portal.sent_forms import (
    FORM_TYPE,
    MAX_FIELDS,
    MAX_FORM,
    FormKind,
    parsed,
    require_acceptable,
    token_of,
)

ORIGIN = "https://portal.example"


def request(body: bytes, kind: str = FORM_TYPE, origin: str = ORIGIN) -> func.HttpRequest:
    headers = {"Origin": origin, "Content-Type": kind}
    return func.HttpRequest("POST", f"{ORIGIN}/settings", headers=headers, body=body)


@pytest.mark.parametrize(
    ("sent", "kind", "refusal"),
    [
        (request(b"a=1&b=2"), "own", None),
        (request(b""), "open", None),
        (request(b"a=1", f"{FORM_TYPE}; charset=utf-8"), "open", None),
        (request(b"a=1", origin="https://evil.example"), "own", Forbidden),
        (request(b"a=1", origin="https://evil.example"), "open", Forbidden),
        (request(b"a=1", origin="null"), "foreign", None),
        (request(b"a=1", "multipart/form-data; boundary=x"), "own", InvalidInput),
        (request(b"a=1", f"{FORM_TYPE}x"), "own", InvalidInput),
        (request(b"a=1", "text/plain"), "open", InvalidInput),
        (request(b"a=1", "text/plain"), "foreign", InvalidInput),
        (request(b"a" * (MAX_FORM + 1)), "own", PayloadTooLarge),
        (request(b"a=&" * MAX_FIELDS), "own", PayloadTooLarge),
        (request(b"a" * 20_000), "open", PayloadTooLarge),
        (request(b"a" * 20_000), "foreign", PayloadTooLarge),
        (request(b"a=&" * 20), "open", PayloadTooLarge),
        (request(b"a=&" * 20), "foreign", PayloadTooLarge),
    ],
)
def test_form_is_refused_by_origin_type_size_and_fields(
    sent: func.HttpRequest,
    kind: FormKind,
    refusal: type[CallerError] | None,
) -> None:
    if refusal is None:
        require_acceptable(sent, ORIGIN, kind)
        return
    with pytest.raises(refusal):
        require_acceptable(sent, ORIGIN, kind)


@given(st.lists(st.tuples(st.sampled_from(["a", "xtoken", "token", "b"]), st.text(max_size=5))))
async def test_token_is_found_as_the_parser_finds_it(fields: list[tuple[str, str]]) -> None:
    sent = request(urlencode(fields).encode())

    assert token_of(sent) == (await parsed(sent)).get("token", "")
