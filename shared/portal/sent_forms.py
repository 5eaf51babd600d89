"""What a browser sent with a form, checked before anything is parsed.

Where it comes from, its type, its size and its number of fields are read from the headers and the
raw bytes. A form of somebody who is not signed in is parsed only if its token shows that the portal
made it for a person, within the last day. So a stranger's form costs next to nothing.
Docs: Fetch (Origin header); URL Standard (application/x-www-form-urlencoded).
"""

import asyncio
from typing import Any, Final, Literal
from urllib.parse import unquote_plus

import azure.functions as func

from shared.adapters.sealing import LONGEST
from shared.domain.errors import Forbidden, InvalidInput, PayloadTooLarge

MAX_FORM: Final = 1024 * 1024
_MAX_OPEN_FORM: Final = 16 * 1024
MAX_FIELDS: Final = 12_000
"""The largest form is that of a share: 5,000 people, 5,000 left out, 500 manual contacts."""
_MAX_OPEN_FIELDS: Final = 20
_FEW: Final = 500
FORM_TYPE: Final = "application/x-www-form-urlencoded"
_TOKEN: Final = b"token="

type FormKind = Literal["own", "open", "foreign"]
"""Who may send a form: `own`: the person who was shown it by a page of ours; `open`: anybody, from
a page of ours; `foreign`: anybody, from any site, as Entra ID's page does."""


def require_acceptable(req: func.HttpRequest, origin: str, kind: FormKind) -> None:
    """Raise an error unless a form comes from where its kind may, and is small enough to be parsed.

    All but our `own` forms have few fields. Browsers send the origin with each POST.
    """
    body = req.get_body()
    if kind != "foreign" and req.headers.get("Origin") != origin:
        raise Forbidden("form_not_ours")
    sent_type = str(req.headers.get("Content-Type", "")).partition(";")[0].strip().lower()
    if body and sent_type != FORM_TYPE:
        raise InvalidInput("form_type_wrong", type=FORM_TYPE)
    size, fields = (MAX_FORM, MAX_FIELDS) if kind == "own" else (_MAX_OPEN_FORM, _MAX_OPEN_FIELDS)
    if len(body) > size:
        raise PayloadTooLarge("form_too_large", limit=size // 1024)
    if body.count(b"&") >= fields:
        raise PayloadTooLarge("form_too_many_fields", limit=fields)


def token_of(req: func.HttpRequest) -> str:
    """Return the form's token without parsing the form; '' if it has none."""
    body = req.get_body()
    start = 0 if body.startswith(_TOKEN) else body.find(b"&" + _TOKEN) + 1
    if not start and not body.startswith(_TOKEN):
        return ""
    begin = start + len(_TOKEN)
    end = body.find(b"&", begin)
    raw = body[begin : end if end >= 0 else None]
    return unquote_plus(raw.decode("latin-1")) if len(raw) <= 3 * LONGEST else ""


async def parsed(req: func.HttpRequest) -> Any:
    """Return the fields of an accepted form; a large one is parsed in a thread."""
    if req.get_body().count(b"&") < _FEW:
        return req.form
    return await asyncio.to_thread(lambda: req.form)
