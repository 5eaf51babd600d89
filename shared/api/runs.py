"""HTTP: runs, their results per mailbox, and the approval of held runs."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

import azure.functions as func
from pydantic import Field

from shared.adapters.storage.records import Stored
from shared.domain.importing.runs import ContactCounts, Omission, Outcome, Result, Run, RunStatus
from shared.domain.model import NEVER_GROWS, Moment, NamePart, RunId
from shared.web.admission import READERS, WRITERS
from shared.web.calls import Call, api
from shared.web.confirmations import ConfirmationView, ConfirmQuery, confirmation
from shared.web.operations import ApiResponse, LongPaging, Paging
from shared.web.texts.reasons import remedy_of
from shared.web.views import ItemPage, OmissionView, Tagged

bp = func.Blueprint()


class RunSummary(Tagged, Run):
    """A run as lists show it, without its omissions."""

    fingerprint: Annotated[str | None, Field(exclude=True)] = None
    number: Annotated[int, Field(exclude=True)] = 0
    approved_number: Annotated[int, Field(exclude=True)] = 0
    snapshot: Annotated[str | None, Field(exclude=True)] = None
    work: Annotated[str | None, Field(exclude=True)] = None
    omissions: Annotated[list[Omission], Field(exclude=True)]
    remedy: str | None
    """What an admin can do about the reason, or null."""

    @classmethod
    def of(cls, stored: Stored[Run], **more: Any) -> Self:
        """Add the remedy for the run's reason."""
        reason = stored.value.reason
        return super().of(stored, remedy=remedy_of(reason) if reason else None, **more)


class RunView(RunSummary):
    """One execution of an import, with the people that the tenant's own share does not hold.

    `stalledSince` is when a run that is queued or running last made progress, if that is more than
    an hour ago: restart or stop it.
    """

    stalled_since: datetime | None = None
    """Since when a run that has not ended made no progress (UTC), if that is more than an hour.
    Restart or stop it. Otherwise null."""
    omissions: list[OmissionView]  # type: ignore[assignment]  # shown with their remedies
    """The people who did not become contacts, each with the reason; rare reasons first, cut
    after some hundred. Always empty for a partner's share."""

    @classmethod
    def of(cls, stored: Stored[Run], **more: Any) -> Self:
        """Add the remedies for the omissions."""
        return super().of(
            stored, omissions=list(map(OmissionView.of, stored.value.omissions)), **more
        )


class ResultView(Tagged, Result, ContactCounts):
    """What a run did in one mailbox; `id` is the mailbox's id.

    `address` is its current mail address in the directory. The counts are those of `contacts`.
    """

    id: str
    """The object id of the mailbox's user."""
    number: Annotated[int, Field(exclude=True)] = 0
    address: str | None
    """The mailbox's current mail address, or null if it has none."""
    remedy: str | None
    """What an admin can do about the reason, or null."""


class ImportRunsQuery(Paging):
    """Filter runs by status and time."""

    status: RunStatus | None = None
    """Only runs with this status."""
    since: Moment | None = None
    """Only runs that were asked for or due from this time on, with a time zone."""
    until: Moment | None = None
    """Only runs that were asked for or due before this time, with a time zone."""
    sort: Annotated[Literal["-queued"], Field(json_schema_extra=NEVER_GROWS)] = "-queued"
    """The order: newest first. There is no other one."""


class RunsQuery(ImportRunsQuery):
    """Filter runs by import or status."""

    import_id: RunId | None = None
    """Only runs of this import."""


class ResultsQuery(LongPaging):
    """Filter results by outcome, or by name or address of the mailbox."""

    outcome: Outcome | None = None
    """Only mailboxes with this outcome."""
    name: NamePart | None = None
    """Only mailboxes whose name or address matches this text: at most 999 of them."""
    sort: Annotated[Literal["id"], Field(json_schema_extra=NEVER_GROWS)] = "id"
    """The order: by the id of the mailbox. There is no other one."""


@api(bp, "GET", "api/v1/runs", READERS, query=RunsQuery, responses={200: ItemPage[RunSummary]})
async def list_runs(call: Call) -> ApiResponse:
    """List the tenant's runs, newest first."""
    query = call.query(RunsQuery)
    found = await call.app.importing.runs.page(
        call.caller,
        query.top,
        query.next,
        query.import_id,
        query.status,
        query.since,
        query.until,
    )
    return ApiResponse(
        ItemPage[RunSummary](items=list(map(RunSummary.of, found.items)), next=found.token)
    )


@api(bp, "GET", "api/v1/runs/{id}", READERS, responses={200: RunView})
async def get_run(call: Call) -> ApiResponse:
    """Get a run; of an own share also with its omissions and their reasons."""
    stored = await call.app.importing.runs.read(call.caller, call.id)
    stalled = await call.app.importing.runs.stalled_since(call.caller, stored.value)
    return ApiResponse(RunView.of(stored, stalled_since=stalled))


@api(
    bp,
    "GET",
    "api/v1/runs/{id}/results",
    READERS,
    query=ResultsQuery,
    responses={200: ItemPage[ResultView]},
)
async def list_run_results(call: Call) -> ApiResponse:
    """List the results of a run, one for each mailbox."""
    query = call.query(ResultsQuery)
    if query.name is None:
        found = await call.app.importing.runs.results(
            call.caller, call.id, query.top, query.next, query.outcome
        )
    else:
        found = await call.app.insight.finding.results(
            call.caller, call.id, query.name, query.outcome, query.top, query.next
        )
    items = [_result(stored, found.addresses) for stored in found.listing.items]
    return ApiResponse(ItemPage[ResultView](items=items, next=found.listing.token))


@api(
    bp,
    "POST",
    "api/v1/runs/{id}/approve",
    WRITERS,
    query=ConfirmQuery,
    conflicts=True,
    fresh=True,
    responses={202: RunSummary, 200: ConfirmationView},
)
async def approve_run(call: Call) -> ApiResponse:
    """Approve a held run. It then applies exactly the changes that were shown.

    A program has to confirm it: without `confirm`, its call returns a code and changes nothing.
    """
    confirm = call.query(ConfirmQuery).confirm
    confirmed = call.execution.noted is not None
    if not confirmed and (confirm is not None or call.caller.program):
        run = (await call.app.importing.runs.read(call.caller, call.id)).value
        shown = f"{run.number} {run.status} {run.contacts}"
        if asked := confirmation(call, confirm, call.id, shown, run.mailboxes.held):
            return ApiResponse(asked, effect=False)
    approved = await call.app.importing.decisions.approve(call.caller, call.id, call.execution)
    return _begun(approved)


@api(bp, "POST", "api/v1/runs/{id}/stop", WRITERS, responses={202: RunSummary})
async def stop_run(call: Call) -> ApiResponse:
    """Stop a run that is queued or running. Mailboxes that it is syncing finish their batch."""
    return _begun(await call.app.importing.runs.stop(call.caller, call.id))


@api(bp, "POST", "api/v1/runs/{id}/restart", WRITERS, responses={202: RunSummary})
async def restart_run(call: Call) -> ApiResponse:
    """Restart a run that stands still: its messages are sent again. Completed mailboxes stay so."""
    return _begun(await call.app.importing.runs.restart(call.caller, call.id))


@api(bp, "POST", "api/v1/runs/{id}/discard", WRITERS, conflicts=True, responses={200: RunSummary})
async def discard_run(call: Call) -> ApiResponse:
    """Discard a held run. Its mailboxes stay as they are."""
    return ApiResponse(
        RunSummary.of(
            await call.app.importing.decisions.discard(call.caller, call.id, call.execution)
        )
    )


@api(
    bp,
    "POST",
    "api/v1/runs/{id}/retry",
    WRITERS,
    conflicts=True,
    responses={202: RunSummary, 200: RunSummary},
)
async def retry_run(call: Call) -> ApiResponse:
    """Retry the mailboxes that failed. Returns 200 and the existing retry if there is one."""
    stored, new = await call.app.importing.decisions.retry(call.caller, call.id)
    return _begun(stored, 202 if new else 200)


def _begun(stored: Stored[Run], status: int = 202) -> ApiResponse:
    return ApiResponse(RunSummary.of(stored), status, at=f"runs/{stored.value.id}")


def _result(stored: Stored[Result], addresses: dict[str, str]) -> ResultView:
    result = stored.value
    return ResultView.of(
        stored,
        id=result.mailbox,
        address=addresses.get(result.mailbox),
        remedy=remedy_of(result.reason) if result.reason else None,
        **result.contacts.model_dump(),
    )
