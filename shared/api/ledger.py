"""HTTP: the ledger, the audit log of a tenant."""

from datetime import datetime
from typing import Annotated, Any

import azure.functions as func
from pydantic import Field

from shared.domain.model import Model, Moment, ObjectId, RunId
from shared.services.tenancy.ledger import LedgerFilter
from shared.web.admission import READERS
from shared.web.calls import Call, api
from shared.web.operations import ApiResponse, Paging
from shared.web.views import ItemPage

bp = func.Blueprint()


class LedgerQuery(Paging):
    """Filter entries by action (share.created) or kind of action (share), actor and subject.

    `actor` is an object id; `since` and `until` are times with a time zone.
    """

    action: Annotated[str | None, Field(pattern=r"^[a-z]+(\.[a-z-]+)?$")] = None
    actor: ObjectId | None = None
    subject: RunId | None = None
    since: Moment | None = None
    until: Moment | None = None


class LedgerEntryView(Model):
    """One change: who made it, what it was, when and from where.

    `done` is false if it may have failed.

    `network` is the caller's address without its last part (IPv4 /24, IPv6 /48).
    """

    when: datetime
    actor: str
    actor_name: str
    origin: str
    network: str
    action: str
    subject: str
    done: bool
    detail: dict[str, Any]


@api(
    bp, "GET", "api/ledger", READERS, query=LedgerQuery, responses={200: ItemPage[LedgerEntryView]}
)
async def list_ledger(call: Call) -> ApiResponse:
    """List changes, newest first. `action` filters by action (share.created) or by kind (share)."""
    query = call.query(LedgerQuery)
    wanted = LedgerFilter(query.action, query.actor, query.subject, query.since, query.until)
    listing = await call.app.tenancy.ledger.page(call.caller, query.top, query.next, wanted)
    items = [LedgerEntryView(**item.value.model_dump()) for item in listing.items]
    return ApiResponse(ItemPage[LedgerEntryView](items=items, next=listing.token))
