"""HTTP: licenses, trial and plan."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal

import azure.functions as func
from pydantic import Field

from shared.adapters.storage.records import Stored
from shared.domain.errors import Conflict
from shared.domain.model import NEVER_GROWS, Model, NamePart
from shared.domain.tenancy.tenants import BookingInput, LicensePlan
from shared.services.licensing.licenses import License
from shared.web.admission import READERS, WRITERS, require_fresh
from shared.web.calls import Call, api
from shared.web.confirmations import ConfirmQuery, code_of, require_code
from shared.web.operations import ApiResponse, LongPaging
from shared.web.views import ItemPage, Tagged

bp = func.Blueprint()


class LicenseView(Tagged):
    """A tenant's licenses, plan and trial; the trial's end is null until an import starts it."""

    id: str
    """The tenant's id."""
    booked: int
    """The number of licenses booked."""
    used: int
    """The number of licenses that mailboxes have."""
    waiting: int
    """The number of mailboxes that wait for a license."""
    free: int
    """The number of booked licenses that no mailbox has."""
    plan: LicensePlan
    """The plan that applies now."""
    trial_ends: datetime | None
    """When the trial ends (UTC). Null until the first import starts it."""


class SeatView(Model):
    """A mailbox that has a license, or waits for one since `waiting`, and its imports."""

    mailbox: str
    """The object id of the mailbox's user."""
    since: datetime
    """Since when an import has needed the license (UTC)."""
    waiting: datetime | None
    """Since when the mailbox waits for a license (UTC). Null if it has one."""
    imports: list[str]
    """The ids of the imports that sync the mailbox."""


class SeatsQuery(LongPaging):
    """The filter of the mailboxes that have a license or wait for one."""

    name: NamePart | None = None
    """Only mailboxes whose name or address matches this text: at most 999 of them."""
    state: Annotated[
        Literal["assigned", "waiting"] | None, Field(json_schema_extra=NEVER_GROWS)
    ] = None
    """Only mailboxes that have a license, or that wait for one. It is applied to each page."""
    sort: Annotated[Literal["mailbox"], Field(json_schema_extra=NEVER_GROWS)] = "mailbox"
    """The order: by the id of the mailbox. There is no other one."""


class EffectView(Model):
    """What booking this number of licenses would change. Nothing is booked.

    `removal` is when contacts are removed from mailboxes that lose their license. `missing` is the
    number of current target mailboxes without a license once the trial is over. `confirm` is the
    code with which a program cancels licenses.
    """

    confirm: str
    """The code with which a program confirms that it cancels licenses."""
    booked: int
    """The number of licenses as it would be."""
    used: int
    """The number of licenses that mailboxes would have."""
    free: int
    """The number of licenses that would be free."""
    gaining: list[str]
    """The object ids of mailboxes that would get a license."""
    losing: list[str]
    """The object ids of mailboxes that would lose theirs."""
    removal: datetime | None
    """When contacts are removed from mailboxes that lose their license (UTC). Null if none does."""
    missing: int
    """The number of target mailboxes that would have no license once the trial is over."""
    trial_ends: datetime | None
    """When the trial ends (UTC). Null before it starts."""


@api(bp, "GET", "api/v1/licenses", READERS, responses={200: LicenseView})
async def get_licenses(call: Call) -> ApiResponse:
    """Get the tenant's licenses, plan and trial."""
    return _answer(call, await call.app.licensing.licenses.read(call.caller))


@api(
    bp,
    "PUT",
    "api/v1/licenses",
    WRITERS,
    query=ConfirmQuery,
    body=BookingInput,
    conditional=True,
    conflicts=True,
    responses={200: LicenseView},
)
async def book_licenses(call: Call) -> ApiResponse:
    """Book or cancel licenses. They are assigned to mailboxes, or taken from them, at once.

    To cancel some, a person needs a new sign-in, and a program the `confirm` code of the preview.
    """
    booked = call.input(BookingInput).booked
    before = await call.app.licensing.licenses.read(call.caller)
    if booked < before.value.booked:
        require_fresh(call.app, call.caller)
        confirm = call.query(ConfirmQuery).confirm
        if confirm is not None:
            require_code(confirm, _code(call, booked, before))
        elif call.caller.program:
            raise Conflict("confirmation_needed")
    return _answer(call, await call.app.licensing.licenses.book(call.caller, booked, call.if_match))


@api(
    bp,
    "POST",
    "api/v1/licenses/effect",
    READERS,
    body=BookingInput,
    nothing=True,
    responses={200: EffectView},
)
async def preview_booking(call: Call) -> ApiResponse:
    """Preview what booking this number of licenses changes. Books nothing."""
    booked = call.input(BookingInput).booked
    found = await call.app.licensing.licenses.effect(call.caller, booked)
    return ApiResponse(
        EffectView(
            confirm=_code(call, booked, await call.app.licensing.licenses.read(call.caller)),
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


@api(
    bp,
    "GET",
    "api/v1/licenses/assignments",
    READERS,
    query=SeatsQuery,
    responses={200: ItemPage[SeatView]},
)
async def list_license_assignments(call: Call) -> ApiResponse:
    """List the mailboxes that have a license or wait for one, ordered by mailbox."""
    query = call.query(SeatsQuery)
    if query.name is None:
        found = await call.app.licensing.licenses.seats(call.caller, query.top, query.next)
    else:
        matches = await call.app.insight.finding.seats(
            call.caller, query.name, query.top, query.next
        )
        found = matches.listing
    seats = [stored.value for stored in found.items]
    if query.state is not None:
        seats = [seat for seat in seats if (seat.waiting is None) == (query.state == "assigned")]
    items = [SeatView(**seat.model_dump()) for seat in seats]
    return ApiResponse(ItemPage[SeatView](items=items, next=found.token))


def _code(call: Call, booked: int, before: Stored[License]) -> str:
    """Return the code that confirms a booking in place of the present one."""
    return code_of(call, "licenses", booked, before.value.booked)


def _answer(call: Call, stored: Stored[License]) -> ApiResponse:
    return ApiResponse(LicenseView(id=call.caller.tenant, etag=stored.etag, **asdict(stored.value)))
