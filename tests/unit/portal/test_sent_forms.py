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
    parsed,
    require_acceptable,
    token_of,
)

ORIGIN = "https://portal.example"


def request(body: bytes, kind: str = FORM_TYPE, origin: str = ORIGIN) -> func.HttpRequest:
    headers = {"Origin": origin, "Content-Type": kind}
    return func.HttpRequest("POST", f"{ORIGIN}/settings", headers=headers, body=body)


@pytest.mark.parametrize(
    ("sent", "open_form", "refusal"),
    [
        (request(b"a=1&b=2"), False, None),
        (request(b""), True, None),
        (request(b"a=1", f"{FORM_TYPE}; charset=utf-8"), True, None),
        (request(b"a=1", origin="https://evil.example"), False, Forbidden),
        (request(b"a=1", "multipart/form-data; boundary=x"), False, InvalidInput),
        (request(b"a=1", f"{FORM_TYPE}x"), False, InvalidInput),
        (request(b"a=1", "text/plain"), True, InvalidInput),
        (request(b"a" * (MAX_FORM + 1)), False, PayloadTooLarge),
        (request(b"a=&" * MAX_FIELDS), False, PayloadTooLarge),
        (request(b"a" * 20_000), True, PayloadTooLarge),
        (request(b"a=&" * 20), True, PayloadTooLarge),
    ],
)
def test_form_is_refused_by_origin_type_size_and_fields(
    sent: func.HttpRequest,
    open_form: bool,  # noqa: FBT001 - a parameter of the test
    refusal: type[CallerError] | None,
) -> None:
    if refusal is None:
        require_acceptable(sent, ORIGIN, open_form=open_form)
        return
    with pytest.raises(refusal):
        require_acceptable(sent, ORIGIN, open_form=open_form)


@given(st.lists(st.tuples(st.sampled_from(["a", "xtoken", "token", "b"]), st.text(max_size=5))))
async def test_token_is_found_as_the_parser_finds_it(fields: list[tuple[str, str]]) -> None:
    sent = request(urlencode(fields).encode())

    assert token_of(sent) == (await parsed(sent)).get("token", "")
