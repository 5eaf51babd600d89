"""HTTP: the ledger, which is the audit log."""

from datetime import datetime
from typing import Annotated, Any

import azure.functions as func
from pydantic import Field

from shared.domain.model import Model, Moment, ObjectId, RunId
from shared.services.tenancy.ledger import Wanted
from shared.web.admission import READERS
from shared.web.calls import Call, api
from shared.web.operations import ApiResponse, Paging
from shared.web.views import ItemPage

bp = func.Blueprint()


class LedgerQuery(Paging):
    """Which entries: of an action (share.created) or a kind of it (share), an actor, a subject.

    `actor` is an object id; `since` and `until` are times with their zone.
    """

    action: Annotated[str | None, Field(pattern=r"^[a-z]+(\.[a-z-]+)?$")] = None
    actor: ObjectId | None = None
    subject: RunId | None = None
    since: Moment | None = None
    until: Moment | None = None


class LedgerEntryView(Model):
    """One change: who, what, when, from where; `done` is false if it may not have been made.

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


@api(bp, "GET", "api/ledger", READERS, query=LedgerQuery, answers={200: ItemPage[LedgerEntryView]})
async def list_ledger(call: Call) -> ApiResponse:
    """List who changed what, newest first; `action` is one (share.created) or a kind (share)."""
    query = call.query(LedgerQuery)
    wanted = Wanted(query.action, query.actor, query.subject, query.since, query.until)
    listing = await call.app.tenancy.ledger.page(call.caller, query.top, query.next, wanted)
    items = [LedgerEntryView(**item.value.model_dump()) for item in listing.items]
    return ApiResponse(ItemPage[LedgerEntryView](items=items, next=listing.token))
