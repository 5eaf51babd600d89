"""HTTP: seats, trial and plan."""

from datetime import datetime
from typing import Annotated

import azure.functions as func
from pydantic import Field

from shared.adapters.records import Stored
from shared.domain.models import LicensePlan, Model
from shared.services.licenses import License
from shared.triggers.http import Call, api
from shared.triggers.operations import READERS, WRITERS, Answer
from shared.triggers.views import Tagged

bp = func.Blueprint()


class BookingInput(Model):
    """How many seats shall be booked from now on."""

    booked: Annotated[int, Field(ge=0, le=1_000_000)]


class LicenseView(Tagged):
    """A tenant's seats, plan and trial, which ends (null) as long as no import has started it."""

    id: str
    booked: int
    used: int
    free: int
    plan: LicensePlan
    trial_ends: datetime | None


@api(bp, "GET", "api/licenses", READERS, answers={200: LicenseView})
async def get_licenses(call: Call) -> Answer:
    """Read the tenant's license."""
    return _answer(call, await call.app.licenses.read(call.caller))


@api(
    bp,
    "PUT",
    "api/licenses",
    WRITERS,
    body=BookingInput,
    conditional=True,
    answers={200: LicenseView},
)
async def book_licenses(call: Call) -> Answer:
    """Book or cancel seats."""
    booked = call.input(BookingInput).booked
    return _answer(call, await call.app.licenses.book(call.caller, booked, call.if_match))


def _answer(call: Call, stored: Stored[License]) -> Answer:
    license_ = stored.value
    return Answer(
        LicenseView(
            id=call.caller.tenant,
            etag=stored.etag,
            booked=license_.booked,
            used=license_.used,
            free=license_.free,
            plan=license_.plan,
            trial_ends=license_.trial_ends,
        )
    )
