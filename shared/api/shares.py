"""HTTP: publishing shares."""

from datetime import datetime
from typing import Annotated, Literal, Self

import azure.functions as func
from pydantic import Field

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.records import Listing, Stored
from shared.domain.model import NEVER_GROWS, Model, NamePart
from shared.domain.sharing.shares import RotationInput, Share, ShareInput
from shared.services.named_lists import NamedPage
from shared.services.sharing.subscribers import Subscriber, SubscriberState
from shared.web.admission import READERS, WRITERS, holds
from shared.web.calls import Call, api
from shared.web.confirmations import ConfirmationView, ConfirmQuery, confirmation
from shared.web.operations import ApiResponse, NamedQuery, Query
from shared.web.views import ItemPage, Tagged

bp = func.Blueprint()


class ShareView(Tagged, Share):
    """A published set of people and groups.

    `id` never changes. `shareId` is the secret that a partner needs to import the share; only
    admins see it, and a rotation replaces it.
    """

    share_id: str | None  # type: ignore[assignment]  # hidden from readers
    """The secret that partners need to import the share. Null for callers who are no admins."""
    retired: Annotated[list[str], Field(exclude=True)]
    kept: Annotated[list[str], Field(exclude=True)]
    rotated: Annotated[datetime | None, Field(exclude=True)]
    approved: Annotated[list[str], Field(exclude=True)]

    @classmethod
    def seen_by(cls, caller: Caller, stored: Stored[Share]) -> Self:
        """Build the view, without the secret id unless the caller is an admin."""
        secret = stored.value.share_id if holds(caller, WRITERS) else None
        return cls.of(stored, share_id=secret)


class SubscriberView(Model):
    """A tenant that imports a share: since when and into how many mailboxes, not which.

    `state` is `own`, `admitted`, `waiting` (for your approval), `blocked`, or `ended` (the share is
    withdrawn, or no longer admits it). Once it has no access, `remaining` counts the mailboxes that
    may still have contacts, and `unreachable` those of them that cannot be found now. A tenant
    whose contacts are all removed is no longer listed.
    """

    tenant: str
    """The tenant's id."""
    name: str
    """The tenant's name."""
    domain: str
    """A verified domain of the tenant."""
    since: datetime
    """Since when it imports the share (UTC)."""
    imports: int
    """The number of its imports of this share."""
    mailboxes: int
    """The number of its mailboxes that get the contacts."""
    state: SubscriberState
    """Whether the tenant may import the share."""
    remaining: int | None
    """Of a tenant without access: the number of mailboxes that may still have contacts."""
    unreachable: int | None
    """Of these, the number of mailboxes that cannot be found now."""

    @classmethod
    def of(cls, subscriber: Subscriber) -> Self:
        """Build the view of a subscriber."""
        return cls(**{name: getattr(subscriber, name) for name in cls.model_fields})


class SubscribersQuery(Query):
    """The filter and order of the tenants that import a share."""

    name: NamePart | None = None
    """Only tenants whose name or domain contains this text, ignoring case."""
    state: SubscriberState | None = None
    """Only tenants in this state."""
    sort: Annotated[
        Literal["name", "-name", "since", "-since"] | None, Field(json_schema_extra=NEVER_GROWS)
    ] = None
    """The order: by name, or by since when the tenant imports the share; a minus reverses it.
    Without it, tenants are ordered by id."""


@api(
    bp,
    "POST",
    "api/v1/shares",
    WRITERS,
    body=ShareInput,
    responses={201: ShareView},
)
async def create_share(call: Call) -> ApiResponse:
    """Publish a share."""
    wanted = call.input(ShareInput)
    stored = await call.app.sharing.shares.create(call.caller, wanted, call.execution)
    view = ShareView.seen_by(call.caller, stored)
    return ApiResponse(view, 201, at=f"shares/{view.id}")


@api(bp, "GET", "api/v1/shares", READERS, query=NamedQuery, responses={200: ItemPage[ShareView]})
async def list_shares(call: Call) -> ApiResponse:
    """List the tenant's shares."""
    query, shares = call.query(NamedQuery), call.app.sharing.shares
    found: NamedPage[Share] | Listing[Share]
    if query.name is None and query.sort is None:
        found = await shares.page(call.caller, query.top, query.next)
    else:
        sort = query.sort or "name"
        found = await shares.search(call.caller, query.name or "", query.top, query.next, sort)
    return ApiResponse(
        ItemPage[ShareView](
            items=[ShareView.seen_by(call.caller, stored) for stored in found.items],
            next=found.token,
        )
    )


@api(bp, "GET", "api/v1/shares/{id}", READERS, responses={200: ShareView})
async def get_share(call: Call) -> ApiResponse:
    """Get a share."""
    return ApiResponse(
        ShareView.seen_by(call.caller, await call.app.sharing.shares.read(call.caller, call.id))
    )


@api(
    bp,
    "PATCH",
    "api/v1/shares/{id}",
    WRITERS,
    patch=ShareInput,
    conditional=True,
    responses={200: ShareView},
)
async def change_share(call: Call) -> ApiResponse:
    """Change a share."""
    patch = call.patch(ShareInput)
    return ApiResponse(
        ShareView.seen_by(
            call.caller,
            await call.app.sharing.shares.change(call.caller, call.id, patch, call.if_match),
        )
    )


@api(
    bp,
    "DELETE",
    "api/v1/shares/{id}",
    WRITERS,
    query=ConfirmQuery,
    conditional=True,
    fresh=True,
    leaving=True,
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


@api(
    bp,
    "GET",
    "api/v1/shares/{id}/subscribers",
    READERS,
    query=SubscribersQuery,
    responses={200: ItemPage[SubscriberView]},
)
async def list_subscribers(call: Call) -> ApiResponse:
    """List the tenants that import a share, since when and into how many mailboxes.

    The `id` of a withdrawn share lists those that may still have contacts of it.
    """
    query = call.query(SubscribersQuery)
    found = await call.app.sharing.shares.subscribers(call.caller, call.id)
    views = [SubscriberView.of(each) for each in found if query.state in {None, each.state}]
    if query.name is not None:
        wanted = query.name.casefold()
        views = [v for v in views if wanted in f"{v.name}\n{v.domain}".casefold()]
    match query.sort:
        case "name" | "-name":
            views.sort(key=lambda v: v.name.casefold(), reverse=query.sort == "-name")
        case "since" | "-since":
            views.sort(key=lambda v: v.since, reverse=query.sort == "-since")
    return ApiResponse(ItemPage[SubscriberView](items=views, next=None))


@api(
    bp,
    "DELETE",
    "api/v1/shares/{id}/subscribers/{tenant}",
    WRITERS,
    conflicts=True,
    leaving=True,
    responses={204: None},
)
async def block_subscriber(call: Call) -> ApiResponse:
    """Block a tenant from a share, or deny one that waits. Its next run removes the contacts.

    To unblock the tenant, remove it from the share's `blocked` list.
    """
    await call.app.sharing.shares.block(call.caller, call.id, call.segment("tenant"))
    return ApiResponse(status=204)


@api(
    bp,
    "POST",
    "api/v1/shares/{id}/subscribers/{tenant}/approve",
    WRITERS,
    conflicts=True,
    responses={204: None},
)
async def approve_subscriber(call: Call) -> ApiResponse:
    """Approve a tenant that waits to import a share. Its imports start at once."""
    await call.app.sharing.shares.approve(call.caller, call.id, call.segment("tenant"))
    return ApiResponse(status=204)


@api(
    bp,
    "POST",
    "api/v1/shares/{id}/rotate",
    WRITERS,
    body=RotationInput,
    conflicts=True,
    responses={200: ShareView},
)
async def rotate_share(call: Call) -> ApiResponse:
    """Replace the `shareId` of a share; nothing else changes.

    The old one keeps working only for the tenants that keep access.
    """
    keep = call.input(RotationInput).keep
    return ApiResponse(
        ShareView.seen_by(
            call.caller,
            await call.app.sharing.shares.rotate(call.caller, call.id, keep, call.execution),
        )
    )
