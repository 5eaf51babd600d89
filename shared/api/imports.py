"""HTTP: imports and their runs."""

from dataclasses import asdict
from datetime import datetime
from functools import partial
from typing import Annotated, Literal

import azure.functions as func
from pydantic import Field

from shared.adapters.storage.records import Listing, Stored, gather_limited
from shared.api.runs import ImportRunsQuery, RunSummary, RunView
from shared.domain.importing.imports import Import, ImportInput, Targets
from shared.domain.model import NEVER_GROWS, Model
from shared.domain.reasons import Reason
from shared.domain.tenancy.licensing import Trial
from shared.services.named_lists import NamedPage
from shared.web.admission import READERS, WRITERS, holds
from shared.web.calls import Call, api
from shared.web.confirmations import ConfirmationView, ConfirmQuery, confirmation
from shared.web.operations import ApiResponse, NamedQuery
from shared.web.views import ItemPage, Tagged

bp = func.Blueprint()


class ImportView(Tagged, Import):
    """An import: one share, its target mailboxes and the destination of its contacts.

    `shareId` is the `id` of an own share; the secret id of a partner's share is shown to admins
    only. `suspended` is the reason why an active import does not run at the moment. `lastRun` is
    its last run that ended, `heldRun` the run that waits for a decision.
    """

    share_id: str | None  # type: ignore[assignment]  # hidden from readers
    """The `id` of an own share, or the secret id of a partner's share, which only admins see."""
    last_run: str | None
    """The id of the last run that ended, or null."""
    held_run: str | None
    """The id of the run that waits for a decision, or null."""
    own_share: Annotated[bool, Field(exclude=True)] = False
    removing: Annotated[bool, Field(exclude=True)] = False
    suspended: Reason | None
    """Why an active import does not run at the moment, or null."""


class ImportsQuery(NamedQuery):
    """The filter and order of the tenant's imports."""

    state: Annotated[Literal["active", "paused"] | None, Field(json_schema_extra=NEVER_GROWS)] = (
        None
    )
    """Only imports that are active, or paused."""


class EstimateInput(Model):
    """The target mailboxes of an import that is not created yet."""

    targets: Targets
    """The mailboxes that would get the contacts."""


class EstimateView(Model):
    """The licenses that an import needs: `needed` new ones, of which `missing` are not booked.

    `mailboxes` counts the targets, except those known to have no mailbox.
    `trial` is `ahead` (the first import starts it), `running` (until `trialEnds`) or `over`. Until
    it is over, every mailbox is synced; `missing` counts those that will have no license
    afterwards.
    """

    mailboxes: int
    """The number of target mailboxes, except those known to have no mailbox."""
    needed: int
    """The number of new licenses that they need."""
    free: int
    """The number of booked licenses that no mailbox has."""
    missing: int
    """The number of licenses that are not booked."""
    trial: Trial
    """`ahead`: the first import starts the trial. `running`: every mailbox is synced until it
    ends. `over`: a mailbox needs a license."""
    trial_ends: datetime | None
    """When the trial ends (UTC). Null before it starts."""


class CreatedImportView(ImportView):
    """A new import, its first run (null if it was created paused), and the licenses it needs.

    The license figures are null if they are not known yet.
    """

    first_run: str | None
    """The id of the first run. Null for an import that was created paused."""
    licenses_needed: int | None
    """The number of mailboxes that need a license. Null if it is not known yet."""
    licenses: EstimateView | None
    """The licenses that the import needs. Null if they are not known yet."""


class ImportRemovalView(Model):
    """The run that removes a deleted import's contacts."""

    removal_run: str
    """The id of the run that removes the contacts. They are gone when it has ended; the import
    is at once."""


@api(
    bp,
    "POST",
    "api/v1/imports",
    WRITERS,
    body=ImportInput,
    responses={201: CreatedImportView},
)
async def create_import(call: Call) -> ApiResponse:
    """Create an import. Its first run is queued at once, or when a paused import becomes active."""
    wanted = call.input(ImportInput)
    made = await call.app.importing.imports.create(call.caller, wanted, call.execution)
    seats = EstimateView(**asdict(made.seats)) if made.seats is not None else None
    view = CreatedImportView.of(
        made.stored,
        first_run=made.first_run,
        licenses_needed=seats.mailboxes if seats is not None else None,
        licenses=seats,
        suspended=await _suspended(call, made.stored.value, began=False),
        last_run=None,
        held_run=None,
        share_id=made.stored.value.share_id,
    )
    return ApiResponse(view, 201, at=f"imports/{view.id}")


@api(
    bp,
    "POST",
    "api/v1/imports/estimate",
    READERS,
    body=EstimateInput,
    nothing=True,
    responses={200: EstimateView},
)
async def estimate_import(call: Call) -> ApiResponse:
    """Estimate how many licenses an import with these targets needs. Creates nothing."""
    targets = call.input(EstimateInput).targets
    return ApiResponse(
        EstimateView(**asdict(await call.app.importing.imports.outlook(call.caller, targets)))
    )


@api(
    bp, "GET", "api/v1/imports", READERS, query=ImportsQuery, responses={200: ItemPage[ImportView]}
)
async def list_imports(call: Call) -> ApiResponse:
    """List the tenant's imports."""
    query, imports = call.query(ImportsQuery), call.app.importing.imports
    found: NamedPage[Import] | Listing[Import]
    if query.name is None and query.sort is None and query.state is None:
        found = await imports.page(call.caller, query.top, query.next)
    else:
        found = await imports.search(
            call.caller,
            query.name or "",
            query.top,
            query.next,
            query.sort or "name",
            active=None if query.state is None else query.state == "active",
        )
    return ApiResponse(
        ItemPage[ImportView](
            items=await gather_limited(partial(_shown, call), found.items), next=found.token
        )
    )


@api(bp, "GET", "api/v1/imports/{id}", READERS, responses={200: ImportView})
async def get_import(call: Call) -> ApiResponse:
    """Get an import."""
    stored = await call.app.importing.imports.read(call.caller, call.id)
    return ApiResponse(await _shown(call, stored))


@api(
    bp,
    "PATCH",
    "api/v1/imports/{id}",
    WRITERS,
    patch=ImportInput,
    conditional=True,
    responses={200: ImportView},
)
async def change_import(call: Call) -> ApiResponse:
    """Change an import. The change applies from the next run; the share cannot be changed."""
    patch = call.patch(ImportInput)
    stored = await call.app.importing.imports.change(call.caller, call.id, patch, call.if_match)
    return ApiResponse(await _shown(call, stored))


@api(
    bp,
    "DELETE",
    "api/v1/imports/{id}",
    WRITERS,
    query=ConfirmQuery,
    conditional=True,
    fresh=True,
    responses={202: ImportRemovalView, 200: ConfirmationView},
)
async def delete_import(call: Call) -> ApiResponse:
    """Delete an import. A run removes its contacts from the mailboxes.

    A program has to confirm it: without `confirm`, its call returns a code and changes nothing.
    """
    confirm = call.query(ConfirmQuery).confirm
    if confirm is not None or call.caller.program:
        stored = await call.app.importing.imports.read(call.caller, call.id)
        mailboxes, _ = await call.app.insight.finding.filled(call.caller, call.id)
        if asked := confirmation(call, confirm, call.id, stored.etag, mailboxes):
            return ApiResponse(asked)
    run = await call.app.importing.imports.remove(call.caller, call.id, call.if_match)
    return ApiResponse(ImportRemovalView(removal_run=run), 202, at=f"runs/{run}")


@api(
    bp,
    "GET",
    "api/v1/imports/{id}/runs",
    READERS,
    query=ImportRunsQuery,
    responses={200: ItemPage[RunSummary]},
)
async def list_import_runs(call: Call) -> ApiResponse:
    """List an import's runs, newest first."""
    query = call.query(ImportRunsQuery)
    found = await call.app.importing.runs.of_import(
        call.caller,
        call.id,
        query.top,
        query.next,
        query.status,
        query.since,
        query.until,
    )
    return ApiResponse(
        ItemPage[RunSummary](items=list(map(RunSummary.of, found.items)), next=found.token)
    )


@api(bp, "POST", "api/v1/imports/{id}/runs", WRITERS, responses={202: RunView, 200: RunView})
async def start_import_run(call: Call) -> ApiResponse:
    """Start a run now (trial and premium).

    Returns 202 and a new run, which waits for one in progress, or 200 and the run that it joins.
    """
    stored, new = await call.app.importing.runs.request(call.caller, call.id, call.execution)
    return ApiResponse(RunView.of(stored), 202 if new else 200, at=f"runs/{stored.value.id}")


async def _shown(call: Call, stored: Stored[Import]) -> ImportView:
    runs = await call.app.importing.imports.runs(call.caller, stored.value.id)
    shown = stored.value.own_share or holds(call.caller, WRITERS)
    return ImportView.of(
        stored,
        share_id=stored.value.share_id if shown else None,
        suspended=await _suspended(call, stored.value, began=runs.contacts is not None),
        last_run=runs.last_run,
        held_run=runs.held_run,
    )


async def _suspended(call: Call, import_: Import, *, began: bool) -> Reason | None:
    if call.tenant is not None and call.tenant.suspended is not None:
        return call.tenant.suspended
    if began or not import_.active:
        return None
    waits = await call.app.importing.imports.waits_for_approval(call.caller, import_)
    return Reason.PUBLISHER_APPROVAL_PENDING if waits else None
