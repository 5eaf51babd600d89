"""HTTP: seats, trial and plan."""

from dataclasses import asdict
from datetime import datetime

import azure.functions as func

from shared.adapters.storage.records import Stored
from shared.domain.model import Model
from shared.domain.tenancy.tenants import BookingInput, LicensePlan
from shared.services.licensing.licenses import License
from shared.web.admission import READERS, WRITERS
from shared.web.calls import Call, api
from shared.web.operations import ApiResponse, Paging
from shared.web.views import ItemPage, Tagged

bp = func.Blueprint()


class LicenseView(Tagged):
    """A tenant's seats, plan and trial, which ends (null) as long as no import has started it."""

    id: str
    booked: int
    used: int
    waiting: int
    free: int
    plan: LicensePlan
    trial_ends: datetime | None


class SeatView(Model):
    """Who holds a seat, or waits for one (`waiting`: since when), and for which imports."""

    mailbox: str
    since: datetime
    waiting: datetime | None
    imports: list[str]


class EffectView(Model):
    """What booking so many seats would change; nothing is booked.

    `removal` is when the contacts of those who lose their seat would go. `missing` is how many of
    the mailboxes wanted now would have no seat once the trial is over.
    """

    booked: int
    used: int
    free: int
    gaining: list[str]
    losing: list[str]
    removal: datetime | None
    missing: int
    trial_ends: datetime | None


@api(bp, "GET", "api/licenses", READERS, answers={200: LicenseView})
async def get_licenses(call: Call) -> ApiResponse:
    """Read the tenant's license."""
    return _answer(call, await call.app.licensing.licenses.read(call.caller))


@api(
    bp,
    "PUT",
    "api/licenses",
    WRITERS,
    body=BookingInput,
    conditional=True,
    answers={200: LicenseView},
)
async def book_licenses(call: Call) -> ApiResponse:
    """Book or cancel seats; who gets or loses one is settled at once."""
    booked = call.input(BookingInput).booked
    return _answer(call, await call.app.licensing.licenses.book(call.caller, booked, call.if_match))


@api(bp, "POST", "api/licenses/effect", READERS, body=BookingInput, answers={200: EffectView})
async def preview_booking(call: Call) -> ApiResponse:
    """Say what booking so many seats would change."""
    booked = call.input(BookingInput).booked
    found = await call.app.licensing.licenses.effect(call.caller, booked)
    return ApiResponse(
        EffectView(
            booked=booked,
            used=found.license.used,
            free=found.license.free,
            gaining=list(found.gaining),
            losing=list(found.losing),
            removal=found.removal,
            missing=found.missing,
            trial_ends=found.license.trial_ends,
        )
    )


@api(bp, "GET", "api/licenses/seats", READERS, query=Paging, answers={200: ItemPage[SeatView]})
async def list_seats(call: Call) -> ApiResponse:
    """List who holds which seat, and who waits for one, by mailbox."""
    query = call.query(Paging)
    found = await call.app.licensing.licenses.seats(call.caller, query.top, query.next)
    items = [SeatView(**item.value.model_dump()) for item in found.items]
    return ApiResponse(ItemPage[SeatView](items=items, next=found.token))


def _answer(call: Call, stored: Stored[License]) -> ApiResponse:
    return ApiResponse(LicenseView(id=call.caller.tenant, etag=stored.etag, **asdict(stored.value)))
