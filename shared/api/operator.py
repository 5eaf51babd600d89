"""HTTP: how the service's staff manage a tenant's licenses and trial. They see no contacts."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal

import azure.functions as func
from pydantic import Field

from shared.api.tenant import ClosingReport, SignOutView
from shared.domain.errors import NotFound
from shared.domain.model import NEVER_GROWS, Model, Moment
from shared.domain.tenancy.sessions import SignOutInput
from shared.domain.tenancy.tenants import LicensePlan, Tenant
from shared.services.licensing.licenses import License
from shared.web.admission import OPERATORS
from shared.web.calls import Call, api
from shared.web.operations import ApiResponse, Paging
from shared.web.views import ItemPage, Tagged

bp = func.Blueprint()


class TermsInput(Model):
    """The license settings that an operator can change. Omitted fields stay unchanged."""

    booked: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    """The number of licenses to book, 0 to 1,000,000. Null leaves it unchanged."""
    plan: Annotated[
        Literal[LicensePlan.STANDARD, LicensePlan.PREMIUM] | None,
        Field(json_schema_extra=NEVER_GROWS),
    ] = None
    """The plan. Null leaves it unchanged."""
    trial_ends: Moment | None = None
    """When the trial ends (UTC). Null leaves it unchanged."""


class CustomerView(Tagged):
    """A tenant as operators see it: its name and licenses."""

    id: str
    """The tenant's id."""
    name: str
    """Its name, else its domain, else its id."""
    domain: str
    """A verified domain of the tenant."""
    region: str
    """Where its data is stored."""
    status: str
    """Whether the tenant is connected."""
    joined: datetime
    """When it joined (UTC)."""
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


class TenantsQuery(Paging):
    """The page and order of all tenants."""

    sort: Annotated[Literal["id"], Field(json_schema_extra=NEVER_GROWS)] = "id"
    """The order: by id. There is no other one."""


class ClosingView(Model):
    """A tenant that left: since when, and the report about what was removed and who asked."""

    tenant: str
    """The tenant's id."""
    left: datetime
    """When it had left (UTC)."""
    report: ClosingReport
    """What was removed, and who asked for it."""


@api(
    bp,
    "GET",
    "api/v1/operator/tenants",
    OPERATORS,
    query=TenantsQuery,
    joined=False,
    responses={200: ItemPage[CustomerView]},
)
async def list_tenants(call: Call) -> ApiResponse:
    """List all tenants with their licenses."""
    query = call.query(TenantsQuery)
    found = await call.app.licensing.licenses.tenants(query.top, query.next)
    items = [_shown(tenant, license_, etag) for tenant, license_, etag in found.items]
    return ApiResponse(ItemPage[CustomerView](items=items, next=found.token))


@api(
    bp,
    "GET",
    "api/v1/operator/tenants/{id}",
    OPERATORS,
    joined=False,
    responses={200: CustomerView},
)
async def get_customer(call: Call) -> ApiResponse:
    """Get a tenant's licenses."""
    return await _answer(call)


@api(
    bp,
    "PATCH",
    "api/v1/operator/tenants/{id}",
    OPERATORS,
    joined=False,
    body=TermsInput,
    conditional=True,
    responses={200: CustomerView},
)
async def change_customer(call: Call) -> ApiResponse:
    """Book licenses for a tenant, set its plan or set the end of its trial."""
    wanted = call.input(TermsInput)
    licenses, if_match = call.app.licensing.licenses, call.if_match
    if wanted.plan is not None or wanted.trial_ends is not None:
        await licenses.set_terms(call.id, call.caller, wanted.plan, wanted.trial_ends, if_match)
        if_match = None
    if wanted.booked is not None:
        await licenses.book_for(call.id, call.caller, wanted.booked, if_match)
    return await _answer(call)


@api(
    bp,
    "POST",
    "api/v1/operator/tenants/{id}/sign-out",
    OPERATORS,
    joined=False,
    body=SignOutInput,
    responses={200: SignOutView},
)
async def sign_out_customer(call: Call) -> ApiResponse:
    """Sign out a person of a tenant, or everyone: sessions and access tokens end at once."""
    person = call.input(SignOutInput).person
    since = await call.app.tenancy.sessions.end(call.id, call.caller, person, call.execution)
    return ApiResponse(SignOutView(since=since, person=person))


@api(
    bp,
    "GET",
    "api/v1/operator/tenants/{id}/closing",
    OPERATORS,
    joined=False,
    responses={200: ClosingView},
)
async def get_closing(call: Call) -> ApiResponse:
    """Get the closing report of a tenant that left: what was removed, and who asked for it."""
    line = await call.app.tenancy.ledger.closing_line(call.id)
    if line is None:
        raise NotFound("unknown_tenant", id=call.id[:64])
    view = ClosingView(tenant=line.subject, left=line.when, report=ClosingReport.of(line))
    return ApiResponse(view)


async def _answer(call: Call) -> ApiResponse:
    tenant = await call.app.tenancy.tenants.read(call.id)
    license_ = await call.app.licensing.licenses.of(call.id)
    return ApiResponse(_shown(tenant.value, license_.value, tenant.etag))


def _shown(tenant: Tenant, license_: License, etag: str) -> CustomerView:
    return CustomerView(
        id=tenant.id,
        etag=etag,
        name=tenant.display_name,
        domain=tenant.domain,
        region=tenant.region,
        status=tenant.status,
        joined=tenant.joined,
        **asdict(license_),
    )
