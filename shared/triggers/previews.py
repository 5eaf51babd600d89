"""HTTP: looking before anything is done."""

import azure.functions as func
from pydantic import TypeAdapter, ValidationError

from shared.domain.errors import FieldError, InvalidInput
from shared.domain.models import MailboxInput, ObjectId
from shared.services.fan_out import OMISSIONS_KEPT
from shared.triggers.http import READERS, WRITERS, Answer, Call, api, omission

bp = func.Blueprint()
_ID: TypeAdapter[str] = TypeAdapter(ObjectId)


@bp.route("api/shares/{id}/preview", methods=["GET"])
@api(READERS)
async def preview_share(call: Call) -> Answer:
    """Count a share's contacts, show the first by name, and say who is left out and why."""
    found = await call.app.previews.share(call.caller, call.id)
    return Answer(
        {
            "count": found.count,
            "sample": [{"key": contact.key, **contact.fields} for contact in found.sample],
            "omitted": len(found.omissions),
            "omissions": [omission(o) for o in found.omissions[:OMISSIONS_KEPT]],
        }
    )


@bp.route("api/imports/{id}/preview", methods=["POST"])
@api(WRITERS)
async def preview_import(call: Call) -> Answer:
    """Plan what the next run would do in one mailbox; nothing is done."""
    mailbox = call.input(MailboxInput).mailbox
    found = await call.app.previews.plan(call.caller, call.id, mailbox)
    return Answer(
        {
            "mailbox": found.mailbox,
            "planned": found.planned.model_dump(),
            "held": found.held,
            "remedy": found.held.remedy if found.held else None,
            "changes": [
                {"action": c.action, "key": c.key, "displayName": c.display_name}
                for c in found.changes
            ],
        }
    )


@bp.route("api/imports/{id}/explain", methods=["GET"])
@api(READERS, "mailbox", "person")
async def explain_import(call: Call) -> Answer:
    """Say whether a person is in a mailbox, and if not, why."""
    mailbox, person = _id(call, "mailbox"), _id(call, "person")
    found = await call.app.previews.explain(call.caller, call.id, mailbox, person)
    return Answer(
        {
            "mailbox": found.mailbox,
            "person": found.person,
            "published": found.published,
            "present": found.present,
            "reason": found.reason,
            "remedy": found.reason.remedy if found.reason else None,
            "rejected": found.rejected,
            "lastRun": found.last_run,
        }
    )


def _id(call: Call, name: str) -> str:
    try:
        return _ID.validate_python(call.parameter(name) or "")
    except ValidationError as error:
        wrong = FieldError(name, "must be the id of an object in the directory")
        raise InvalidInput("The query is not valid.", (wrong,)) from error
