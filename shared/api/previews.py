"""HTTP: previews of shares and imports, and explanations of missing contacts."""

from typing import Literal

import azure.functions as func
from pydantic import ConfigDict

from shared.domain.importing.imports import MailboxInput
from shared.domain.importing.runs import ContactCounts
from shared.domain.model import DirectoryId, Model, ObjectId
from shared.domain.reasons import Reason
from shared.services.importing.run_start import OMISSIONS_KEPT
from shared.web.admission import READERS, WRITERS
from shared.web.calls import Call, api
from shared.web.operations import ApiResponse, Query
from shared.web.texts.reasons import remedy_of
from shared.web.views import OmissionView

bp = func.Blueprint()


class ContactView(Model):
    """A contact of a share: its source key, and its fields.

    The fields have the names and forms of a contact in Microsoft Graph, such as `displayName`,
    `emailAddresses` and `businessPhones`. They are free form here, because Graph defines them and
    may add to them.
    """

    model_config = ConfigDict(extra="allow")

    key: str
    """The contact's key in the share."""


class SharePreviewView(Model):
    """The current number of contacts in a share, the first by name, and the first omissions."""

    count: int
    """The number of contacts in the share now."""
    sample: list[ContactView]
    """The first contacts by name."""
    omitted: int
    """The number of people who did not become contacts."""
    omissions: list[OmissionView]
    """The first of these people, each with the reason."""


class ChangeView(Model):
    """A change that the next run makes.

    The name is null if the contact is no longer in the mailbox.
    """

    action: Literal["create", "update", "delete"]
    """What happens to the contact: `create`, `update` or `delete`."""
    key: str
    """The contact's key in the share."""
    display_name: str | None
    """The contact's name, or null if the contact is no longer in the mailbox."""


class ImportPreviewView(Model):
    """What the next run does in a mailbox; `held` is the reason why it would wait for an admin."""

    mailbox: str
    """The object id of the mailbox's user."""
    planned: ContactCounts
    """The number of contacts by what the next run would do."""
    held: Reason | None
    """Why the run would wait for an admin, or null."""
    remedy: str | None
    """What the admin can do then, or null."""
    changes: list[ChangeView]
    """The changes, contact by contact."""


class ExplanationView(Model):
    """Whether a person is published and in a mailbox, and the reason if either is not the case.

    `rejected` is the error code that Exchange returned for the contact. Of a partner's share, only
    the partner knows why a person is not in it: the reason is then `not_in_share`.
    """

    mailbox: str
    """The object id of the mailbox's user."""
    person: str
    """The person's object id or contact key."""
    published: bool
    """Whether the share publishes the person."""
    present: bool
    """Whether the contact is in the mailbox."""
    reason: Reason | None
    """Why either is not the case, or null."""
    remedy: str | None
    """What an admin can do about it, or null."""
    rejected: str | None
    """The error code with which Exchange rejected the contact, or null."""
    last_run: str | None
    """The id of the last run that reached the mailbox, or null."""


class ExplainQuery(Query):
    """The mailbox, and the person by object id or by the key from a preview or a result."""

    mailbox: DirectoryId
    """The object id of the mailbox's user."""
    person: ObjectId
    """The person's object id, or the contact key from a preview or a result."""


@api(
    bp,
    "GET",
    "api/v1/shares/{id}/preview",
    READERS,
    conflicts=True,
    responses={200: SharePreviewView},
)
async def preview_share(call: Call) -> ApiResponse:
    """Preview a share: its number of contacts, the first by name, and who is omitted and why."""
    found = await call.app.insight.previews.share(call.caller, call.id)
    sample = [{"key": contact.key, **contact.fields} for contact in found.sample]
    return ApiResponse(
        SharePreviewView(
            count=found.count,
            sample=[ContactView.model_validate(contact) for contact in sample],
            omitted=len(found.omissions),
            omissions=[OmissionView.of(o) for o in found.omissions[:OMISSIONS_KEPT]],
        )
    )


@api(
    bp,
    "POST",
    "api/v1/imports/{id}/preview",
    WRITERS,
    body=MailboxInput,
    nothing=True,
    conflicts=True,
    responses={200: ImportPreviewView},
)
async def preview_import(call: Call) -> ApiResponse:
    """Preview what the next run does in one mailbox. Changes nothing."""
    mailbox = call.input(MailboxInput).mailbox
    found = await call.app.insight.previews.plan(call.caller, call.id, mailbox)
    changes = [
        {"action": c.action, "key": c.key, "display_name": c.display_name} for c in found.changes
    ]
    return ApiResponse(
        ImportPreviewView(
            mailbox=found.mailbox,
            planned=found.planned,
            held=found.held,
            remedy=remedy_of(found.held) if found.held else None,
            changes=[ChangeView.model_validate(change) for change in changes],
        )
    )


@api(
    bp,
    "GET",
    "api/v1/imports/{id}/explain",
    READERS,
    query=ExplainQuery,
    conflicts=True,
    responses={200: ExplanationView},
)
async def explain_import(call: Call) -> ApiResponse:
    """Explain whether a person is in a mailbox and, if not, why."""
    query = call.query(ExplainQuery)
    found = await call.app.insight.previews.explain(
        call.caller, call.id, query.mailbox, query.person
    )
    return ApiResponse(
        ExplanationView(
            mailbox=found.mailbox,
            person=found.person,
            published=found.published,
            present=found.present,
            reason=found.reason,
            remedy=remedy_of(found.reason) if found.reason else None,
            rejected=found.rejected,
            last_run=found.last_run,
        )
    )
