"""HTTP: what runs did, mailbox by mailbox."""

from typing import Any

import azure.functions as func

from shared.adapters.records import Stored
from shared.domain.models import Outcome, Result, Run, RunStatus
from shared.triggers.http import PAGED, READERS, WRITERS, Answer, Call, api, omission, shown

bp = func.Blueprint()


@bp.route("api/runs", methods=["GET"])
@api(READERS, *PAGED, "importId", "status")
async def list_runs(call: Call) -> Answer:
    """List the tenant's runs, newest first."""
    size, token = call.paging()
    listing = await call.app.runs.page(
        call.caller,
        size,
        token,
        import_id=call.parameter("importId"),
        status=call.choice(RunStatus, "status"),
    )
    return Answer({"items": [summary(item) for item in listing.items], "next": listing.token})


@bp.route("api/runs/{id}", methods=["GET"])
@api(READERS)
async def get_run(call: Call) -> Answer:
    """Read a run, and who of the share was left out, with the reasons."""
    stored = await call.app.runs.read(call.caller, call.id)
    body = {**summary(stored), "omissions": [omission(o) for o in stored.value.omissions]}
    return Answer(body, headers={"ETag": stored.etag})


@bp.route("api/runs/{id}/results", methods=["GET"])
@api(READERS, *PAGED, "outcome")
async def list_run_results(call: Call) -> Answer:
    """List what a run did in each mailbox."""
    size, token = call.paging()
    outcome = call.choice(Outcome, "outcome")
    found = await call.app.runs.results(call.caller, call.id, size, token, outcome)
    items = [_result(stored, found.addresses) for stored in found.listing.items]
    return Answer({"items": items, "next": found.listing.token})


@bp.route("api/runs/{id}/approve", methods=["POST"])
@api(WRITERS)
async def approve_run(call: Call) -> Answer:
    """Let a held run go on."""
    return Answer(summary(await call.app.decisions.approve(call.caller, call.id)), 202)


@bp.route("api/runs/{id}/discard", methods=["POST"])
@api(WRITERS)
async def discard_run(call: Call) -> Answer:
    """Leave the mailboxes of a held run as they are."""
    return Answer(summary(await call.app.decisions.discard(call.caller, call.id)))


@bp.route("api/runs/{id}/retry", methods=["POST"])
@api(WRITERS)
async def retry_run(call: Call) -> Answer:
    """Run the mailboxes that failed again."""
    stored, new = await call.app.decisions.retry(call.caller, call.id)
    return Answer(summary(stored), 202 if new else 200)


def summary(stored: Stored[Run]) -> dict[str, Any]:
    """A run as lists show it: without the omissions, of which there may be many."""
    body = shown(stored)
    del body["omissions"]
    reason = stored.value.reason
    return {**body, "remedy": reason.remedy if reason else None}


def _result(stored: Stored[Result], addresses: dict[str, str]) -> dict[str, Any]:
    reason = stored.value.reason
    return shown(
        stored,
        id=stored.value.mailbox,
        address=addresses.get(stored.value.mailbox),
        remedy=reason.remedy if reason else None,
        **stored.value.contacts.model_dump(),
    )
