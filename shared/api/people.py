"""HTTP: one person's contact, for data-protection requests."""

from datetime import datetime

import azure.functions as func

from shared.domain.model import Model
from shared.domain.reasons import Reason
from shared.web.admission import READERS, WRITERS
from shared.web.calls import Call, api
from shared.web.confirmations import ConfirmationView, ConfirmQuery, confirmation
from shared.web.operations import ApiResponse
from shared.web.texts.reasons import remedy_of

bp = func.Blueprint()


class PlaceView(Model):
    """An import that holds the person's contact, and the caller's mailboxes that have it."""

    import_id: str
    """The import's id."""
    mailboxes: list[str]
    """The object ids of the mailboxes that have the contact."""


class PublishingView(Model):
    """A share that publishes the person, and the partners that import it."""

    share_id: str
    """The share's id."""
    partners: list[str]
    """The partners that import the share, by verified domain and what they call themselves."""


class OmittingShareView(Model):
    """A share that does not include a person of its sources, and the reason."""

    share_id: str
    """The share's id."""
    reason: Reason
    """Why the share does not include the person."""
    remedy: str
    """What an admin can do about it."""


class PersonView(Model):
    """Where a person's contact is, and which shares do not include the person (`omitted`).

    `suppressed` is when the person was removed everywhere; `unknown` lists the shares that
    cannot be read at the moment.
    """

    id: str
    """The person's object id or contact key."""
    suppressed: datetime | None
    """Since when the person is removed everywhere (UTC), or null."""
    places: list[PlaceView]
    """The imports that hold the person's contact."""
    shares: list[PublishingView]
    """The shares that publish the person."""
    omitted: list[OmittingShareView]
    """The shares whose sources contain the person but that do not publish the person."""
    unknown: list[str]
    """The ids of shares that cannot be read at the moment."""


class PersonRemovalView(Model):
    """A person removed everywhere: since when, and the runs that remove the contact.

    Partners' imports remove it too, and so do paused imports: `paused` is always empty.
    """

    id: str
    """The person's object id or contact key."""
    suppressed: datetime
    """Since when the person is removed everywhere (UTC)."""
    runs: list[str]
    """The ids of the runs that remove the contact from your mailboxes."""
    paused: list[str]
    """Always empty: paused imports remove the contact too."""


@api(bp, "GET", "api/v1/people/{id}", READERS, responses={200: PersonView})
async def find_person(call: Call) -> ApiResponse:
    """Find a person's contact by object id or contact key."""
    found = await call.app.privacy.people.find(call.caller, call.id)
    return ApiResponse(
        PersonView(
            id=found.person,
            suppressed=found.suppressed_since,
            places=[
                PlaceView(import_id=p.import_id, mailboxes=list(p.mailboxes)) for p in found.places
            ],
            shares=[
                PublishingView(share_id=p.share, partners=list(p.partners))
                for p in found.publications
            ],
            omitted=[
                OmittingShareView(share_id=o.share, reason=o.reason, remedy=remedy_of(o.reason))
                for o in found.omitting
            ],
            unknown=found.unknown,
        )
    )


@api(
    bp,
    "DELETE",
    "api/v1/people/{id}",
    WRITERS,
    query=ConfirmQuery,
    fresh=True,
    leaving=True,
    responses={202: PersonRemovalView, 200: ConfirmationView},
)
async def remove_person(call: Call) -> ApiResponse:
    """Remove a person everywhere. The contact is not published again.

    A program has to confirm it: without `confirm`, its call returns a code and changes nothing.
    """
    if asked := confirmation(call, call.query(ConfirmQuery).confirm, call.id, ""):
        return ApiResponse(asked)
    kept = await call.app.privacy.people.suppress(call.caller, call.id)
    view = PersonRemovalView(id=call.id, suppressed=kept.since, runs=list(kept.runs), paused=[])
    return ApiResponse(view, 202, at=f"people/{call.id}")


@api(bp, "POST", "api/v1/people/{id}/readmit", WRITERS, responses={204: None})
async def readmit_person(call: Call) -> ApiResponse:
    """Allow a removed person again. The next runs add the contact back."""
    await call.app.privacy.people.lift_suppression(call.caller, call.id, call.execution)
    return ApiResponse(status=204)
