"""HTTP: what a share offers to the tenants that can import it."""

from datetime import datetime

import azure.functions as func

from shared.domain.model import Model
from shared.web.admission import READERS
from shared.web.calls import Call, api
from shared.web.operations import ApiResponse

bp = func.Blueprint()


class PublisherView(Model):
    """The publisher of a share: its tenant id, its name and a verified domain."""

    tenant: str
    """The publisher's tenant id."""
    name: str
    """The name that it chose."""
    domain: str
    """A verified domain of the publisher."""


class PublicationView(Model):
    """What a share offers: its publisher, its fields, its number of contacts and when it expires.

    `contacts` is the number when the share was last read, or null if it cannot be read now. If
    `waiting`, an import receives nothing until the publisher approves your organization.
    """

    id: str
    """The share id."""
    name: str
    """The share's name."""
    publisher: PublisherView
    """Who publishes the share."""
    own: bool
    """Whether the publisher is your own tenant."""
    fields: list[str]
    """The names of the published fields."""
    contacts: int | None
    """The number of contacts when the share was last read. Null if it cannot be read now."""
    expires: datetime | None
    """When your access ends (UTC). Null: it does not end."""
    waiting: bool
    """Whether an import receives nothing until the publisher approves your organization."""


@api(bp, "GET", "api/v1/publications/{id}", READERS, responses={200: PublicationView})
async def get_publication(call: Call) -> ApiResponse:
    """Get what a share offers. The share id comes from its publisher."""
    found = await call.app.sharing.publications.describe(call.caller, call.id)
    publisher = found.publisher
    return ApiResponse(
        PublicationView(
            id=call.id,
            name=found.share.name,
            publisher=PublisherView(
                tenant=publisher.id, name=publisher.display_name, domain=publisher.domain
            ),
            own=publisher.id == call.caller.tenant,
            fields=list(found.fields),
            contacts=found.contacts,
            expires=found.share.access.expires,
            waiting=found.waiting,
        )
    )
