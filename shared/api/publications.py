"""HTTP: a share as those see it who may import it."""

from datetime import datetime

import azure.functions as func

from shared.domain.model import Model
from shared.web.admission import READERS
from shared.web.calls import Call, api
from shared.web.operations import ApiResponse

bp = func.Blueprint()


class PublisherView(Model):
    """Who publishes a share: the tenant, what it calls itself, and a domain it has proved."""

    tenant: str
    name: str
    domain: str


class PublicationView(Model):
    """What a share offers: who publishes it, which fields, how many contacts, until when.

    `contacts` is as of the last time the share was resolved; null if it cannot be read now.
    """

    id: str
    name: str
    publisher: PublisherView
    own: bool
    fields: list[str]
    contacts: int | None
    expires: datetime | None


@api(bp, "GET", "api/publications/{id}", READERS, answers={200: PublicationView})
async def get_publication(call: Call) -> ApiResponse:
    """Read what a share offers to the caller's tenant, by the id its publisher gave away."""
    found = await call.app.sharing.publications.describe(call.caller, call.id)
    publisher = found.publisher
    return ApiResponse(
        PublicationView(
            id=call.id,
            name=found.share.name,
            publisher=PublisherView(
                tenant=publisher.id, name=publisher.called, domain=publisher.domain
            ),
            own=publisher.id == call.caller.tenant,
            fields=list(found.fields),
            contacts=found.contacts,
            expires=found.share.access.expires,
        )
    )
