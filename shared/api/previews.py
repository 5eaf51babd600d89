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
from shared.web.reason_texts import remedy_of
from shared.web.views import OmissionView

bp = func.Blueprint()


class ContactView(Model):
    """A contact of a share: its source key, and its fields, named as in `contacts`."""

    model_config = ConfigDict(extra="allow")

    key: str


class SharePreviewView(Model):
    """The current number of contacts in a share, the first by name, and the first omissions."""

    count: int
    sample: list[ContactView]
    omitted: int
    omissions: list[OmissionView]


class ChangeView(Model):
    """A change that the next run makes.

    The name is null if the contact is no longer in the mailbox.
    """

    action: Literal["create", "update", "delete"]
    key: str
    display_name: str | None


class ImportPreviewView(Model):
    """What the next run does in a mailbox; `held` is the reason why it would wait for an admin."""

    mailbox: str
    planned: ContactCounts
    held: Reason | None
    remedy: str | None
    changes: list[ChangeView]


class ExplanationView(Model):
    """Whether a person is published and in a mailbox, and the reason if either is not the case.

    `rejected` is the error code that Exchange returned for the contact. Of a partner's share, only
    the partner knows why a person is not in it: the reason is then `not_in_share`.
    """

    mailbox: str
    person: str
    published: bool
    present: bool
    reason: Reason | None
    remedy: str | None
    rejected: str | None
    last_run: str | None


class ExplainQuery(Query):
    """The mailbox, and the person by object id or by the key from a preview or a result."""

    mailbox: DirectoryId
    person: ObjectId


@api(
    bp, "GET", "api/shares/{id}/preview", READERS, conflicts=True, responses={200: SharePreviewView}
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
    "api/imports/{id}/preview",
    WRITERS,
    body=MailboxInput,
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
    "api/imports/{id}/explain",
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
