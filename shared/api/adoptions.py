"""HTTP: adopting the contacts that another tool left in a mailbox."""

import azure.functions as func

from shared.domain.contacts.matching import MatchedBy
from shared.domain.importing.imports import AdoptionInput
from shared.domain.model import Model
from shared.web.admission import WRITERS
from shared.web.calls import Call, api
from shared.web.operations import ApiResponse

bp = func.Blueprint()


class AdoptableView(Model):
    """A contact in the folder that matches a person in the share, and how it was matched."""

    contact: str
    key: str
    display_name: str
    by: MatchedBy


class DuplicateView(Model):
    """A second contact for a person who already has the contact `of`."""

    contact: str
    of: str
    key: str
    by: MatchedBy


class AdoptionView(Model):
    """The contacts to adopt. `adopted` is the number adopted, or null in a preview.

    `left` is the number of contacts that match nobody. To adopt exactly these contacts, send
    `digest` back as `confirm`.
    """

    mailbox: str
    folder: str | None
    digest: str
    adopt: list[AdoptableView]
    duplicates: list[DuplicateView]
    left: int
    adopted: int | None


@api(
    bp,
    "POST",
    "api/imports/{id}/adoptions",
    WRITERS,
    body=AdoptionInput,
    conflicts=True,
    responses={200: AdoptionView},
)
async def adopt_contacts(call: Call) -> ApiResponse:
    """Preview which contacts in a folder match the share, or adopt them if `confirm` is sent."""
    wanted = call.input(AdoptionInput)
    found = await call.app.sync.adoptions.adopt(call.caller, call.id, wanted)
    return ApiResponse(
        AdoptionView(
            mailbox=wanted.mailbox,
            folder=wanted.folder,
            digest=found.digest,
            adopt=[
                AdoptableView(contact=m.id, key=m.key, display_name=found.names[m.key], by=m.by)
                for m in found.matches
                if m.duplicate_of is None
            ],
            duplicates=[
                DuplicateView(contact=m.id, of=m.duplicate_of, key=m.key, by=m.by)
                for m in found.matches
                if m.duplicate_of is not None
            ],
            left=found.left,
            adopted=found.adopted,
        )
    )
