"""HTTP: publishing shares."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import azure.functions as func
from pydantic import Field

from shared.domain.model import Model, ObjectId
from shared.domain.sharing.shares import Share, ShareInput
from shared.web.calls import Call, api
from shared.web.operations import READERS, WRITERS, Answer, Paging
from shared.web.views import Page, Tagged

bp = func.Blueprint()


class ShareView(Tagged, Share):
    """A published set of people and groups."""


class RotationInput(Model):
    """Which tenants may stay when a share gets a new id; null: all that import it now."""

    keep: Annotated[list[ObjectId], Field(max_length=500)] | None = None


class ConsumerView(Model):
    """A tenant that imports a share: since when, and into how many mailboxes; never whose."""

    tenant: str
    name: str
    domain: str
    since: datetime
    imports: int
    mailboxes: int


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


@api(bp, "GET", "api/shares/{id}/consumers", READERS, answers={200: Page[ConsumerView]})
async def list_consumers(call: Call) -> Answer:
    """List who imports a share: which tenants, since when, into how many mailboxes."""
    found = await call.app.shares.consumers(call.caller, call.id)
    return Answer(
        Page[ConsumerView](
            items=[ConsumerView(**asdict(consumer)) for consumer in found], next=None
        )
    )


@api(
    bp,
    "DELETE",
    "api/shares/{id}/consumers/{tenant}",
    WRITERS,
    conflicts=True,
    answers={204: None},
)
async def block_consumer(call: Call) -> Answer:
    """Shut a tenant out of a share; its next run removes the contacts. `blocked` undoes it."""
    await call.app.shares.block(
        call.caller, call.id, call.segment("tenant", "There is no tenant of this id.")
    )
    return Answer(status=204)


@api(
    bp,
    "POST",
    "api/shares/{id}/rotate",
    WRITERS,
    body=RotationInput,
    conflicts=True,
    answers={200: ShareView},
)
async def rotate_share(call: Call) -> Answer:
    """Give a share a new id; the old one goes on only for those who may stay."""
    keep = call.input(RotationInput).keep
    return Answer(ShareView.of(await call.app.shares.rotate(call.caller, call.id, keep)))
