"""HTTP: publishing shares."""

import azure.functions as func

from shared.domain.sharing import Share, ShareInput
from shared.triggers.http import Call, api
from shared.triggers.operations import READERS, WRITERS, Answer, Paging
from shared.triggers.views import Page, Tagged

bp = func.Blueprint()


class ShareView(Tagged, Share):
    """A published set of people and groups."""


@api(bp, "POST", "api/shares", WRITERS, body=ShareInput, idempotent=True, answers={201: ShareView})
async def create_share(call: Call) -> Answer:
    """Publish a share."""
    wanted = call.input(ShareInput)
    stored = await call.app.shares.create(call.caller, wanted, call.idempotency_key)
    return Answer(ShareView.of(stored), 201)


@api(bp, "GET", "api/shares", READERS, query=Paging, answers={200: Page[ShareView]})
async def list_shares(call: Call) -> Answer:
    """List the tenant's shares."""
    query = call.query(Paging)
    found = await call.app.shares.page(call.caller, query.top, query.next)
    return Answer(Page[ShareView](items=list(map(ShareView.of, found.items)), next=found.token))


@api(bp, "GET", "api/shares/{id}", READERS, answers={200: ShareView})
async def get_share(call: Call) -> Answer:
    """Read a share."""
    return Answer(ShareView.of(await call.app.shares.read(call.caller, call.id)))


@api(
    bp,
    "PATCH",
    "api/shares/{id}",
    WRITERS,
    patch=ShareInput,
    conditional=True,
    answers={200: ShareView},
)
async def change_share(call: Call) -> Answer:
    """Change a share."""
    patch = call.patch(ShareInput)
    return Answer(
        ShareView.of(await call.app.shares.change(call.caller, call.id, patch, call.if_match))
    )


@api(bp, "DELETE", "api/shares/{id}", WRITERS, conditional=True, answers={204: None})
async def delete_share(call: Call) -> Answer:
    """Withdraw a share; the next run of each import of it removes its contacts."""
    await call.app.shares.withdraw(call.caller, call.id, call.if_match)
    return Answer(status=204)
