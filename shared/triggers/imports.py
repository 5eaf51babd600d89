"""HTTP: imports and their runs."""

import azure.functions as func

from shared.domain.models import ImportInput
from shared.triggers.http import PAGED, READERS, WRITERS, Answer, Call, api, one, page
from shared.triggers.runs import summary

bp = func.Blueprint()


@bp.route("api/imports", methods=["POST"])
@api(WRITERS)
async def create_import(call: Call) -> Answer:
    """Create an import; its first run is queued at once."""
    wanted = call.input(ImportInput)
    made = await call.app.imports.create(call.caller, wanted, call.idempotency_key)
    return one(
        made.stored,
        201,
        firstRun=made.first_run,
        seatsNeeded=made.seats.mailboxes if made.seats else None,
    )


@bp.route("api/imports", methods=["GET"])
@api(READERS, *PAGED)
async def list_imports(call: Call) -> Answer:
    """List the tenant's imports."""
    size, token = call.paging()
    return page(await call.app.imports.page(call.caller, size, token))


@bp.route("api/imports/{id}", methods=["GET"])
@api(READERS)
async def get_import(call: Call) -> Answer:
    """Read an import."""
    return one(await call.app.imports.read(call.caller, call.id))


@bp.route("api/imports/{id}", methods=["PATCH"])
@api(WRITERS)
async def change_import(call: Call) -> Answer:
    """Change an import."""
    patch = call.patch(ImportInput)
    return one(await call.app.imports.change(call.caller, call.id, patch, call.if_match))


@bp.route("api/imports/{id}", methods=["DELETE"])
@api(WRITERS)
async def delete_import(call: Call) -> Answer:
    """Delete an import; a run removes its contacts."""
    run = await call.app.imports.remove(call.caller, call.id, call.if_match)
    return Answer({"removalRun": run}, 202)


@bp.route("api/imports/{id}/runs", methods=["GET"])
@api(READERS, *PAGED)
async def list_import_runs(call: Call) -> Answer:
    """List an import's runs, newest first."""
    size, token = call.paging()
    return page(await call.app.runs.of_import(call.caller, call.id, size, token), summary)


@bp.route("api/imports/{id}/runs", methods=["POST"])
@api(WRITERS)
async def start_import_run(call: Call) -> Answer:
    """Start a run now (premium)."""
    stored, new = await call.app.runs.request(call.caller, call.id)
    return one(stored, 202 if new else 200)
