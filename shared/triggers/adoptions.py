"""HTTP: taking over the contacts that another tool left in a mailbox."""

import azure.functions as func

from shared.domain.models import AdoptionInput
from shared.triggers.http import WRITERS, Answer, Call, api

bp = func.Blueprint()


@bp.route("api/imports/{id}/adoptions", methods=["POST"])
@api(WRITERS)
async def adopt_contacts(call: Call) -> Answer:
    """Preview which contacts of a mailbox's folder are the share's; mark them once confirmed."""
    wanted = call.input(AdoptionInput)
    found = await call.app.adoptions.adopt(call.caller, call.id, wanted)
    adopt = [m for m in found.matches if m.duplicate_of is None]
    duplicates = [m for m in found.matches if m.duplicate_of is not None]
    return Answer(
        {
            "mailbox": wanted.mailbox,
            "folder": wanted.folder,
            "digest": found.digest,
            "adopt": [
                {"contact": m.id, "key": m.key, "displayName": found.names[m.key], "by": m.by}
                for m in adopt
            ],
            "duplicates": [
                {"contact": m.id, "of": m.duplicate_of, "key": m.key, "by": m.by}
                for m in duplicates
            ],
            "left": found.left,
            "adopted": found.adopted,
        }
    )
