"""HTTP: the caller's own tenant: its settings, its consent, its stored data, and leaving."""

from datetime import datetime
from typing import Any, Final, Literal

import azure.functions as func

from shared.adapters.storage.records import Stored
from shared.adapters.storage.tenant_data import TenantDataRow
from shared.domain.model import Model
from shared.domain.tenancy.tenants import LedgerEntry, Tenant, TenantInput, TenantStatus
from shared.web.admission import READERS, WRITERS
from shared.web.calls import Call, api
from shared.web.operations import ApiResponse, Paging, Query
from shared.web.views import ItemPage

bp = func.Blueprint()
REMAINS: Final = (
    "The enterprise application 'Contact Sync' and its consent remain in Entra ID until an admin "
    "deletes them: Entra admin center, Enterprise applications, Contact Sync, Properties, Delete; "
    "or Remove-MgServicePrincipal. If you granted access in Exchange (RBAC for Applications), "
    "also remove its role assignments, management scope and service principal in Exchange."
)


class ClosingReport(Model):
    """What was removed when a tenant left, and what remains in which mailboxes."""

    joined: datetime
    imports: int
    mailboxes: int
    contacts: int
    shares: int
    remaining: int
    remaining_mailboxes: list[str]
    in_entra: str = REMAINS


class TenantView(Model):
    """A tenant: its name, its consent, and where its data is stored.

    `since` is when the `status` last changed. A tenant that left has only a `report`.
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
    removed, the id confirms for which tenant.
    """
    query = call.query(LeavingQuery)
    if query.confirm is None or query.tenant is None:
        found = await call.app.privacy.leaving.preview(call.caller)
        detail = (
            "Nothing is removed yet. To leave, repeat the call with confirm and with tenant, the "
            "id of your tenant. This cannot be undone."
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
    await call.app.privacy.leaving.leave(call.caller, query.confirm, query.tenant)
    return _shown(await call.app.tenancy.tenants.read(call.caller.tenant), 202)


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


def _shown(stored: Stored[Tenant], status: int = 200) -> ApiResponse:
    tenant = stored.value
    remedy = None
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
        status=tenant.status.value,
        since=tenant.since,
        joined=tenant.joined,
        permissions=tuple(tenant.permissions),
        remedy=remedy,
    )
    return ApiResponse(view, status)


def _left(entry: LedgerEntry) -> TenantView:
    return TenantView(
        id=entry.subject,
        status="left",
        since=entry.when,
        report=ClosingReport.model_validate(entry.detail, strict=False),
    )
