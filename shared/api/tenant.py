"""HTTP: the caller's own tenant: its settings, its consent, its stored data, and leaving."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

import azure.functions as func
from pydantic import Field

from shared.adapters.storage.records import Stored
from shared.adapters.storage.tenant_data import TenantDataRow
from shared.domain.model import Model
from shared.domain.tenancy.departures import Departure
from shared.domain.tenancy.security import SecurityInput
from shared.domain.tenancy.sessions import SignOutInput
from shared.domain.tenancy.tenants import LedgerEntry, Tenant, TenantInput, TenantStatus
from shared.web.admission import READERS, WRITERS, require_fresh
from shared.web.calls import Call, api
from shared.web.operations import ApiResponse, Paging, Query
from shared.web.views import ItemPage, Tagged

bp = func.Blueprint()
REMAINS: Final = (
    "The enterprise application 'Contact Sync' and its consent remain in Entra ID until an admin "
    "deletes them: Entra admin center, Enterprise applications, Contact Sync, Properties, Delete; "
    "or Remove-MgServicePrincipal. If you granted access in Exchange (RBAC for Applications), "
    "also remove its role assignments, management scope and service principal in Exchange."
)


class ClosingReport(Model):
    """What was removed when a tenant left, what remains in which mailboxes, and who asked for it.

    Who asked is kept as long as the audit log.
    """

    joined: datetime
    """When the tenant had joined (UTC)."""
    imports: int
    """The number of imports deleted."""
    mailboxes: int
    """The number of mailboxes cleared."""
    contacts: int
    """The number of contacts removed."""
    shares: int
    """The number of shares withdrawn."""
    trial_started: datetime | None = None
    """When the trial had started (UTC), or null."""
    trial_until: datetime | None = None
    """The end of the trial that an operator had set (UTC), or null."""
    remaining: int
    """The number of contacts that could not be removed."""
    remaining_mailboxes: list[str]
    """The object ids of the mailboxes that still hold them."""
    asked: datetime | None = None
    """When an admin asked to leave (UTC), or null if the consent was gone for too long."""
    actor: str
    """The object id of who asked."""
    actor_name: str
    """The name of who asked."""
    network: str
    """The network of who asked, without the last part of the address."""
    client: str
    """The client id of the application that asked."""
    confirmed_by: str | None = None
    """The object id of the second admin, or null if none was needed."""
    in_entra: str = REMAINS
    """What remains in Entra ID and Exchange, and how to delete it."""

    @classmethod
    def of(cls, line: LedgerEntry) -> Self:
        """Read the report from a closing line."""
        who = {name: getattr(line, name) for name in ("actor", "actor_name", "network", "client")}
        return cls.model_validate({**line.detail, **who}, strict=False)


class DepartureView(Model):
    """The wish to leave: when it was asked, who asked and from where, and when leaving `begins`.

    `awaits_second_admin` is true until another admin has confirmed it, if the settings say so.
    """

    asked: datetime
    """When an admin asked to leave (UTC)."""
    begins: datetime
    """When leaving begins (UTC). Until then it can be taken back."""
    actor: str
    """The object id of who asked."""
    actor_name: str
    """The name of who asked."""
    network: str
    """The network of who asked, without the last part of the address."""
    client: str
    """The client id of the application that asked."""
    awaits_second_admin: bool
    """Whether another admin still has to confirm it."""
    confirmed_by: str | None
    """The object id of the second admin, or null."""


class TenantView(Model):
    """A tenant: its name, its consent, and where its data is stored.

    `since` is when the `status` last changed. The status is `leaving` from the wish to leave on. A
    tenant that left has only a `report`.
    """

    id: str
    """The tenant's id."""
    etag: str | None = None
    """The version of the tenant. Null after it has left."""
    name: str = ""
    """The name that partners see, or empty."""
    domain: str = ""
    """A verified domain of the tenant, or empty."""
    region: str = ""
    """Where its data is stored."""
    status: Literal["connected", "disconnected", "leaving", "left"]
    """`connected`: the consent holds. `disconnected`: it was withdrawn, and imports are
    suspended. `leaving`: an admin asked to leave. `left`: only the report remains."""
    since: datetime | None = None
    """When the status last changed (UTC)."""
    joined: datetime | None = None
    """When the tenant joined (UTC). Null after it has left."""
    permissions: tuple[str, ...] = ()
    """The permissions of Microsoft Graph that were granted."""
    remedy: str | None = None
    """What an admin can do about the status, or null."""
    leaving: DepartureView | None = None
    """The wish to leave, or null."""
    report: ClosingReport | None = None
    """What was removed, once the tenant has left; until then null."""


class LeavingPreviewView(Model):
    """What leaving removes. `confirm` is the code that confirms it."""

    confirm: str
    """The code that confirms exactly this."""
    imports: int
    """The number of imports that would be deleted."""
    mailboxes: int
    """The number of mailboxes that would be cleared."""
    shares: int
    """The number of shares that would be withdrawn."""
    partners: int
    """The number of partners that would lose a share."""
    detail: str
    """What to do next."""


class LeavingQuery(Query):
    """The confirmation: the code from the first call, and the id of the caller's tenant."""

    confirm: Annotated[str | None, Field(max_length=64)] = None
    """The code from the first call."""
    tenant: Annotated[str | None, Field(max_length=36)] = None
    """The id of the caller's tenant."""


class SignOutView(Model):
    """Sessions and access tokens issued before `since` are refused."""

    since: datetime
    """Sessions and access tokens issued before this time are refused (UTC)."""
    person: str | None
    """The object id of the person, or null for everyone."""


class SecurityView(Tagged, SecurityInput):
    """The security settings of the tenant."""


class TenantDataView(Model):
    """One stored row of the tenant."""

    table: str
    """The name of the table."""
    partition: str
    """The first part of the row's key."""
    row: str
    """The second part of the row's key."""
    value: Any
    """The stored value, in the form in which it is stored. Its form is not part of the API and
    may change."""


@api(bp, "GET", "api/v1/tenant", READERS, joined=False, responses={200: TenantView})
async def get_tenant(call: Call) -> ApiResponse:
    """Get the caller's tenant: status, consent and region, or its report after it has left."""
    line = await call.app.tenancy.tenants.report(call.caller)
    if line is not None:
        return ApiResponse(_left(line))
    return _shown(await call.app.tenancy.tenants.known(call.caller))


@api(
    bp,
    "PATCH",
    "api/v1/tenant",
    WRITERS,
    body=TenantInput,
    conditional=True,
    responses={200: TenantView},
)
async def change_tenant(call: Call) -> ApiResponse:
    """Change the name that partners see."""
    name = call.input(TenantInput).name
    return _shown(await call.app.tenancy.tenants.rename(call.caller, name, call.if_match))


@api(bp, "POST", "api/v1/tenant/consent", WRITERS, joined=False, responses={200: TenantView})
async def prove_consent(call: Call) -> ApiResponse:
    """Verify the tenant's consent, and join or reconnect the tenant."""
    return _shown(await call.app.tenancy.tenants.verify_consent(call.caller))


@api(
    bp,
    "DELETE",
    "api/v1/tenant",
    WRITERS,
    leaving=True,
    query=LeavingQuery,
    conflicts=True,
    responses={200: LeavingPreviewView, 202: TenantView},
)
async def leave_service(call: Call) -> ApiResponse:
    """Leave the service. Without `confirm`, returns what would be removed and changes nothing.

    To leave, send the returned `confirm` code and the `tenant` id: the code confirms what is
    removed, the id confirms for which tenant. Nothing is removed before the date in `leaving`, and
    until then `POST /tenant/stay` takes it back. If the security settings ask for a second admin,
    the same call of another admin confirms it.
    """
    query = call.query(LeavingQuery)
    if query.confirm is None or query.tenant is None:
        found = await call.app.privacy.leaving.preview(call.caller)
        detail = (
            "Nothing is removed yet. To leave, repeat the call with confirm and with tenant, the "
            "id of your tenant. You can take that back until leaving begins, but not afterwards."
        )
        view = LeavingPreviewView(
            confirm=found.code,
            imports=found.imports,
            mailboxes=found.mailboxes,
            shares=found.shares,
            partners=found.partners,
            detail=detail,
        )
        return ApiResponse(view)
    require_fresh(call.app, call.caller)
    await call.app.privacy.departures.ask(call.caller, query.confirm, query.tenant)
    return _shown(await call.app.tenancy.tenants.read(call.caller.tenant), 202)


@api(bp, "GET", "api/v1/tenant/security", READERS, responses={200: SecurityView})
async def get_security(call: Call) -> ApiResponse:
    """Get the security settings: applications that may act for people, and who confirms leaving."""
    return _secured(await call.app.tenancy.tenants.read(call.caller.tenant))


@api(
    bp,
    "PATCH",
    "api/v1/tenant/security",
    WRITERS,
    patch=SecurityInput,
    conditional=True,
    fresh=True,
    responses={200: SecurityView},
)
async def change_security(call: Call) -> ApiResponse:
    """Change the security settings. A person needs a new sign-in."""
    patch = call.patch(SecurityInput)
    return _secured(await call.app.tenancy.tenants.secure(call.caller, patch, call.if_match))


@api(
    bp,
    "POST",
    "api/v1/tenant/sign-out",
    WRITERS,
    body=SignOutInput,
    leaving=True,
    responses={200: SignOutView},
)
async def sign_out_people(call: Call) -> ApiResponse:
    """Sign out a person, or everyone: their portal sessions and access tokens end at once."""
    person = call.input(SignOutInput).person
    since = await call.app.tenancy.sessions.end(
        call.caller.tenant, call.caller, person, call.execution
    )
    return ApiResponse(SignOutView(since=since, person=person))


@api(bp, "POST", "api/v1/tenant/stay", WRITERS, leaving=True, responses={200: TenantView})
async def stay_in_service(call: Call) -> ApiResponse:
    """Take back the wish to leave. Returns 409 once leaving has begun."""
    return _shown(await call.app.privacy.departures.stay(call.caller, call.execution))


@api(
    bp,
    "GET",
    "api/v1/tenant/export",
    WRITERS,
    query=Paging,
    responses={200: ItemPage[TenantDataView]},
)
async def export_tenant(call: Call) -> ApiResponse:
    """Export everything that is stored about the tenant, row by row."""
    query = call.query(Paging)
    found = await call.app.privacy.exports.page(call.caller, query.top, query.next)
    items = [_holding(holding) for holding in found.items]
    return ApiResponse(ItemPage[TenantDataView](items=items, next=found.token))


def _holding(holding: TenantDataRow) -> TenantDataView:
    return TenantDataView(
        table=holding.table, partition=holding.partition, row=holding.row, value=holding.value
    )


def _secured(stored: Stored[Tenant]) -> ApiResponse:
    security = stored.value.security
    given = {name: getattr(security, name) for name in SecurityInput.model_fields}
    return ApiResponse(SecurityView(etag=stored.etag, **given))


def _shown(stored: Stored[Tenant], status: int = 200) -> ApiResponse:
    tenant = stored.value
    remedy, leaving = None, tenant.departure
    if tenant.status is TenantStatus.DISCONNECTED:
        remedy = (
            "Consent was withdrawn. Your imports are suspended, and no contacts are removed. Grant "
            "consent again, then call POST /tenant/consent or wait for the daily sync."
        )
    view = TenantView(
        id=tenant.id,
        etag=stored.etag,
        name=tenant.name,
        domain=tenant.domain,
        region=tenant.region,
        status="leaving" if leaving is not None else tenant.status.value,
        since=tenant.since,
        leaving=_departure(leaving) if leaving is not None else None,
        joined=tenant.joined,
        permissions=tuple(tenant.permissions),
        remedy=remedy,
    )
    return ApiResponse(view, status, at="tenant" if status == 202 else "")


def _departure(leaving: Departure) -> DepartureView:
    return DepartureView(
        asked=leaving.asked,
        begins=leaving.due,
        actor=leaving.oid,
        actor_name=leaving.name,
        network=leaving.network,
        client=leaving.client,
        awaits_second_admin=leaving.waits_for_second,
        confirmed_by=leaving.confirmed_by or None,
    )


def _left(entry: LedgerEntry) -> TenantView:
    return TenantView(
        id=entry.subject,
        status="left",
        since=entry.when,
        report=ClosingReport.of(entry),
    )
