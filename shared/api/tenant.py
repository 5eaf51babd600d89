"""HTTP: the caller's own tenant: its settings, its consent, its stored data, and leaving."""

from datetime import datetime
from typing import Any, Final, Literal, Self

import azure.functions as func

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
    imports: int
    mailboxes: int
    contacts: int
    shares: int
    trial_started: datetime | None = None
    trial_until: datetime | None = None
    remaining: int
    remaining_mailboxes: list[str]
    asked: datetime | None = None
    actor: str
    actor_name: str
    network: str
    client: str
    confirmed_by: str | None = None
    in_entra: str = REMAINS

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
    begins: datetime
    actor: str
    actor_name: str
    network: str
    client: str
    awaits_second_admin: bool
    confirmed_by: str | None


class TenantView(Model):
    """A tenant: its name, its consent, and where its data is stored.

    `since` is when the `status` last changed. The status is `leaving` from the wish to leave on. A
    tenant that left has only a `report`.
    """

    id: str
    etag: str | None = None
    name: str = ""
    domain: str = ""
    region: str = ""
    status: Literal["connected", "disconnected", "leaving", "left"]
    since: datetime | None = None
    joined: datetime | None = None
    permissions: tuple[str, ...] = ()
    remedy: str | None = None
    leaving: DepartureView | None = None
    report: ClosingReport | None = None


class LeavingPreviewView(Model):
    """What leaving removes. `confirm` is the code that confirms it."""

    confirm: str
    imports: int
    mailboxes: int
    shares: int
    partners: int
    detail: str


class LeavingQuery(Query):
    """The confirmation: the code from the first call, and the id of the caller's tenant."""

    confirm: str | None = None
    tenant: str | None = None


class SignOutView(Model):
    """Sessions and access tokens issued before `since` are refused."""

    since: datetime
    person: str | None


class SecurityView(Tagged, SecurityInput):
    """The security settings of the tenant."""


class TenantDataView(Model):
    """One stored row of the tenant."""

    table: str
    partition: str
    row: str
    value: Any


@api(bp, "GET", "api/tenant", READERS, joined=False, responses={200: TenantView})
async def get_tenant(call: Call) -> ApiResponse:
    """Get the caller's tenant: status, consent and region, or its report after it has left."""
    line = await call.app.tenancy.tenants.report(call.caller)
    if line is not None:
        return ApiResponse(_left(line))
    return _shown(await call.app.tenancy.tenants.known(call.caller))


@api(
    bp,
    "PATCH",
    "api/tenant",
    WRITERS,
    body=TenantInput,
    conditional=True,
    responses={200: TenantView},
)
async def change_tenant(call: Call) -> ApiResponse:
    """Change the name that partners see."""
    name = call.input(TenantInput).name
    return _shown(await call.app.tenancy.tenants.rename(call.caller, name, call.if_match))


@api(bp, "POST", "api/tenant/consent", WRITERS, joined=False, responses={200: TenantView})
async def prove_consent(call: Call) -> ApiResponse:
    """Verify the tenant's consent, and join or reconnect the tenant."""
    return _shown(await call.app.tenancy.tenants.verify_consent(call.caller))


@api(
    bp,
    "DELETE",
    "api/tenant",
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


@api(bp, "GET", "api/tenant/security", READERS, responses={200: SecurityView})
async def get_security(call: Call) -> ApiResponse:
    """Get the security settings: applications that may act for people, and who confirms leaving."""
    return _secured(await call.app.tenancy.tenants.read(call.caller.tenant))


@api(
    bp,
    "PATCH",
    "api/tenant/security",
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
    "api/tenant/sign-out",
    WRITERS,
    body=SignOutInput,
    leaving=True,
    responses={200: SignOutView},
)
async def sign_out_people(call: Call) -> ApiResponse:
    """Sign out a person, or everyone: their portal sessions and access tokens end at once."""
    person = call.input(SignOutInput).person
    since = await call.app.tenancy.sessions.end(call.caller.tenant, call.caller, person)
    return ApiResponse(SignOutView(since=since, person=person))


@api(bp, "POST", "api/tenant/stay", WRITERS, leaving=True, responses={200: TenantView})
async def stay_in_service(call: Call) -> ApiResponse:
    """Take back the wish to leave. Returns 409 once leaving has begun."""
    return _shown(await call.app.privacy.departures.stay(call.caller))


@api(
    bp, "GET", "api/tenant/export", WRITERS, query=Paging, responses={200: ItemPage[TenantDataView]}
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
    return ApiResponse(view, status)


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
