"""HTTP: publishing shares."""

from dataclasses import asdict
from datetime import datetime

import azure.functions as func

from shared.domain.model import Model
from shared.domain.sharing.shares import RotationInput, Share, ShareInput
from shared.web.admission import READERS, WRITERS
from shared.web.calls import Call, api
from shared.web.confirmations import ConfirmationView, ConfirmQuery, confirmation
from shared.web.operations import ApiResponse, Paging
from shared.web.views import ItemPage, Tagged

bp = func.Blueprint()


class ShareView(Tagged, Share):
    """A published set of people and groups."""


class SubscriberView(Model):
    """A tenant that imports a share: since when and into how many mailboxes, not which."""

    tenant: str
    name: str
    domain: str
    since: datetime
    imports: int
    mailboxes: int


@api(
    bp, "POST", "api/shares", WRITERS, body=ShareInput, idempotent=True, responses={201: ShareView}
)
async def create_share(call: Call) -> ApiResponse:
    """Publish a share."""
    wanted = call.input(ShareInput)
    stored = await call.app.sharing.shares.create(call.caller, wanted, call.idempotency_key)
    return ApiResponse(ShareView.of(stored), 201)


@api(bp, "GET", "api/shares", READERS, query=Paging, responses={200: ItemPage[ShareView]})
async def list_shares(call: Call) -> ApiResponse:
    """List the tenant's shares."""
    query = call.query(Paging)
    found = await call.app.sharing.shares.page(call.caller, query.top, query.next)
    return ApiResponse(
        ItemPage[ShareView](items=list(map(ShareView.of, found.items)), next=found.token)
    )


@api(bp, "GET", "api/shares/{id}", READERS, responses={200: ShareView})
async def get_share(call: Call) -> ApiResponse:
    """Get a share."""
    return ApiResponse(ShareView.of(await call.app.sharing.shares.read(call.caller, call.id)))


@api(
    bp,
    "PATCH",
    "api/shares/{id}",
    WRITERS,
    patch=ShareInput,
    conditional=True,
    responses={200: ShareView},
)
async def change_share(call: Call) -> ApiResponse:
    """Change a share."""
    patch = call.patch(ShareInput)
    return ApiResponse(
        ShareView.of(
            await call.app.sharing.shares.change(call.caller, call.id, patch, call.if_match)
        )
    )


@api(
    bp,
    "DELETE",
    "api/shares/{id}",
    WRITERS,
    query=ConfirmQuery,
    conditional=True,
    fresh=True,
    responses={204: None, 200: ConfirmationView},
)
async def delete_share(call: Call) -> ApiResponse:
    """Withdraw a share. The next run of each of its imports removes the contacts.

    A program has to confirm it: without `confirm`, its call returns a code and changes nothing.
    """
    confirm = call.query(ConfirmQuery).confirm
    if confirm is not None or call.caller.program:
        stored = await call.app.sharing.shares.read(call.caller, call.id)
        partners = await call.app.sharing.shares.subscribers(call.caller, call.id)
        mailboxes = sum(partner.mailboxes for partner in partners)
        if asked := confirmation(call, confirm, call.id, stored.etag, mailboxes):
            return ApiResponse(asked)
    await call.app.sharing.shares.withdraw(call.caller, call.id, call.if_match)
    return ApiResponse(status=204)


@api(bp, "GET", "api/shares/{id}/consumers", READERS, responses={200: ItemPage[SubscriberView]})
async def list_consumers(call: Call) -> ApiResponse:
    """List the tenants that import a share, since when and into how many mailboxes."""
    found = await call.app.sharing.shares.subscribers(call.caller, call.id)
    return ApiResponse(
        ItemPage[SubscriberView](
            items=[SubscriberView(**asdict(subscriber)) for subscriber in found], next=None
        )
    )


@api(
    bp,
    "DELETE",
    "api/shares/{id}/consumers/{tenant}",
    WRITERS,
    conflicts=True,
    responses={204: None},
)
async def block_consumer(call: Call) -> ApiResponse:
    """Block a tenant from a share. Its next run removes the contacts.

    To unblock the tenant, remove it from the share's `blocked` list.
    """
    await call.app.sharing.shares.block(call.caller, call.id, call.segment("tenant"))
    return ApiResponse(status=204)


@api(
    bp,
    "POST",
    "api/shares/{id}/rotate",
    WRITERS,
    body=RotationInput,
    conflicts=True,
    responses={200: ShareView},
)
async def rotate_share(call: Call) -> ApiResponse:
    """Replace a share id. The old id keeps working only for the tenants that keep access."""
    keep = call.input(RotationInput).keep
    return ApiResponse(
        ShareView.of(await call.app.sharing.shares.rotate(call.caller, call.id, keep))
    )
