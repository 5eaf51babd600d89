"""HTTP: publishing shares."""

import azure.functions as func

from shared.domain.sharing import ShareInput
from shared.triggers.http import PAGED, READERS, WRITERS, Answer, Call, api, one, page

bp = func.Blueprint()


@bp.route("api/shares", methods=["POST"])
@api(WRITERS)
async def create_share(call: Call) -> Answer:
    """Publish a share."""
    wanted = call.input(ShareInput)
    return one(await call.app.shares.create(call.caller, wanted, call.idempotency_key), 201)


@bp.route("api/shares", methods=["GET"])
@api(READERS, *PAGED)
async def list_shares(call: Call) -> Answer:
    """List the tenant's shares."""
    size, token = call.paging()
    return page(await call.app.shares.page(call.caller, size, token))


@bp.route("api/shares/{id}", methods=["GET"])
@api(READERS)
async def get_share(call: Call) -> Answer:
    """Read a share."""
    return one(await call.app.shares.read(call.caller, call.id))


@bp.route("api/shares/{id}", methods=["PATCH"])
@api(WRITERS)
async def change_share(call: Call) -> Answer:
    """Change a share."""
    patch = call.patch(ShareInput)
    return one(await call.app.shares.change(call.caller, call.id, patch, call.if_match))


@bp.route("api/shares/{id}", methods=["DELETE"])
@api(WRITERS)
async def delete_share(call: Call) -> Answer:
    """Withdraw a share."""
    await call.app.shares.withdraw(call.caller, call.id, call.if_match)
    return Answer(status=204)
