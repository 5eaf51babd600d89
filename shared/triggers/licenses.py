"""HTTP: seats, trial and plan."""

from typing import Annotated

import azure.functions as func
from pydantic import Field

from shared.adapters.records import Stored
from shared.domain.models import Model
from shared.services.licenses import License
from shared.triggers.http import READERS, WRITERS, Answer, Call, api

bp = func.Blueprint()


class BookingInput(Model):
    """How many seats shall be booked from now on."""

    booked: Annotated[int, Field(ge=0, le=1_000_000)]


@bp.route("api/licenses", methods=["GET"])
@api(READERS)
async def get_licenses(call: Call) -> Answer:
    """Read the tenant's license."""
    return _answer(call, await call.app.licenses.read(call.caller))


@bp.route("api/licenses", methods=["PUT"])
@api(WRITERS)
async def book_licenses(call: Call) -> Answer:
    """Book or cancel seats."""
    booked = call.input(BookingInput).booked
    return _answer(call, await call.app.licenses.book(call.caller, booked, call.if_match))


def _answer(call: Call, stored: Stored[License]) -> Answer:
    license_ = stored.value
    body = {
        "id": call.caller.tenant,
        "etag": stored.etag,
        "booked": license_.booked,
        "used": license_.used,
        "free": license_.free,
        "plan": license_.plan,
        "trialEnds": license_.trial_ends,
    }
    return Answer(body, headers={"ETag": stored.etag})
