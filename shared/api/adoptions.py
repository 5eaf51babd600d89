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
    """The id of the contact in the mailbox."""
    key: str
    """The key of the person in the share."""
    display_name: str
    """The name of the person."""
    by: MatchedBy
    """How the contact was recognized."""


class DuplicateView(Model):
    """A second contact for a person who already has the contact `of`."""

    contact: str
    """The id of the contact in the mailbox."""
    of: str
    """The id of the contact that the person already has."""
    key: str
    """The key of the person in the share."""
    by: MatchedBy
    """How the contact was recognized."""


class AdoptionView(Model):
    """The contacts to adopt. `adopted` is the number adopted, or null in a preview.

    `left` is the number of contacts that match nobody. To adopt exactly these contacts, send
    `digest` back as `confirm`.
    """

    mailbox: str
    """The object id of the mailbox's user."""
    folder: str | None
    """The folder that was searched. Null is the default Contacts folder."""
    digest: str
    """Identifies these contacts. Send it as `confirm` to adopt them."""
    adopt: list[AdoptableView]
    """The contacts to adopt, one for each person."""
    duplicates: list[DuplicateView]
    """Further contacts for people who already have one. They stay as they are."""
    left: int
    """The number of contacts that match nobody. They stay as they are."""
    adopted: int | None
    """The number of contacts adopted, or null in a preview."""


@api(
    bp,
    "POST",
    "api/v1/imports/{id}/adoptions",
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
        ),
        effect=wanted.confirm is not None,
    )
