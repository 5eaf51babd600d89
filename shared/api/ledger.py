"""HTTP: the ledger, the audit log of a tenant."""

from datetime import datetime
from typing import Annotated, Any, Literal

import azure.functions as func
from pydantic import Field

from shared.domain.errors import FieldError, InvalidInput
from shared.domain.model import NEVER_GROWS, Model, Moment, ObjectId, RunId
from shared.domain.tenancy.tenants import LedgerEntry
from shared.services.tenancy.ledger import LedgerFilter
from shared.web.admission import AUDITORS
from shared.web.calls import Call, api
from shared.web.operations import ApiResponse, LongPaging
from shared.web.views import ItemPage

bp = func.Blueprint()


class LedgerQuery(LongPaging):
    """Filter entries by action (share.created) or kind of action (share), actor and subject.

    `actor` is an object id; `since` and `until` are times with a time zone.
    """

    order: Annotated[
        Literal["newest", "oldest"],
        Field(description="Oldest first is for programs that poll.", json_schema_extra=NEVER_GROWS),
    ] = "newest"
    after: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=400,
            description="`next` of the last answer; only with `order=oldest`.",
        ),
    ] = None
    sort: Annotated[Literal["when", "-when"] | None, Field(json_schema_extra=NEVER_GROWS)] = None
    """The order: newest first (`-when`), or oldest first (`when`, the same as `order=oldest`)."""
    action: Annotated[str | None, Field(max_length=64, pattern=r"^[a-z]+(\.[a-z_]+)?$")] = None
    """Only entries with this action (`share.created`) or this kind of action (`share`)."""
    actor: ObjectId | None = None
    """Only entries of this person or program, by object id."""
    subject: RunId | None = None
    """Only entries about the object with this id."""
    since: Moment | None = None
    """Only entries from this time on, with a time zone."""
    until: Moment | None = None
    """Only entries before this time, with a time zone."""

    @property
    def cursor(self) -> str:
        """The name of the parameter that takes `next`."""
        return "after" if self.oldest_first else "next"

    @property
    def oldest_first(self) -> bool:
        """Whether the oldest entries come first; `sort` counts more than `order`."""
        return self.sort == "when" if self.sort is not None else self.order == "oldest"


class LedgerEntryView(Model):
    """One change: who made it, what it was, when and from where.

    The `id` never changes. `done` is false if the change may have failed.

    `network` is the caller's address without its last part (IPv4 /24, IPv6 /48), `client` the id of
    the application that called the API. An operator's change has the `origin` operator and the
    operator's `actorTenant`.
    """

    id: str
    """The entry's id. It never changes."""
    when: datetime
    """When it happened (UTC)."""
    actor: str
    """The object id of the person or program, or the name of a part of the service."""
    actor_name: str
    """The person's name at that time, or empty."""
    origin: str
    """Where the call came from: `api`, `portal`, `operator`, or empty for the service itself."""
    network: str
    """The caller's network: the address without its last part (IPv4 /24, IPv6 /48), or empty."""
    client: str
    """The client id of the application that called, or empty."""
    actor_tenant: str
    """The operator's own tenant, or empty."""
    action: str
    """What was done, as an object and a verb, such as `share.created`. New actions may be added."""
    subject: str
    """The id of the object."""
    done: bool
    """False if the change may have failed."""
    detail: dict[str, Any]
    """What changed, in free form: the names depend on the action, and further actions may come.
    Show it to people; do not build on its names. Values are ids, numbers and texts."""


@api(
    bp,
    "GET",
    "api/v1/ledger",
    AUDITORS,
    query=LedgerQuery,
    responses={200: ItemPage[LedgerEntryView]},
)
async def list_ledger(call: Call) -> ApiResponse:
    """List changes, newest first. `action` filters by action (share.created) or by kind (share).

    To copy the ledger into another system, ask for `order=oldest`, keep `next`, and send it as
    `after` next time. `next` is then never null: it stays the same while there is nothing new, and
    no entry is left out, whichever instance wrote it and whatever its clock said. An entry appears
    once its change has ended; read again what you could not store, and compare by `id`. A filter
    may leave a page empty although `next` has moved on. Answers 400 with the code `cursor_too_old`
    if entries after the cursor are erased: read again without it.
    """
    query = call.query(LedgerQuery)
    ledger = call.app.tenancy.ledger
    wanted = LedgerFilter(query.action, query.actor, query.subject, query.since, query.until)
    if query.oldest_first:
        if query.next is not None:
            raise InvalidInput.of(FieldError("next", "unexpected"))
        listing = await ledger.after(call.caller, query.top, query.after, wanted)
    else:
        if query.after is not None:
            raise InvalidInput.of(FieldError("after", "unexpected"))
        listing = await ledger.page(call.caller, query.top, query.next, wanted)
    items = [_view(item.value) for item in listing.items]
    return ApiResponse(ItemPage[LedgerEntryView](items=items, next=listing.token))


def _view(entry: LedgerEntry) -> LedgerEntryView:
    return LedgerEntryView(**entry.model_dump(include=set(LedgerEntryView.model_fields)))
