"""Requests for contacts: lists, writes, delta and photos.

Docs: contact-delta, delta-query-overview, singlevaluelegacyextendedproperty-get, profilephoto.
"""

import base64
import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.local.graph.mailboxes.contact_values import ADDRESSES, EXTENDED, Json
from tests.local.graph.mailboxes.folders import (
    DENIED,
    READ,
    WRITE,
    FolderApi,
    body_of,
    expanded,
    mark_filter,
    require_permanent,
    require_space,
    shown_extended,
)
from tests.local.graph.mailboxes.lists import arranged, names_in, page
from tests.local.graph.mailboxes.mailbox import (
    Contact,
    Folder,
    Mailbox,
    as_written,
    shown_contact,
    shown_id,
)
from tests.local.graph.protocol import Answer, GraphError, Request
from tests.local.graph.sources import sources
from tests.local.graph.strict.queries import selected
from tests.local.graph.strict.replies import link as link_to

_DEAD_LINKS = {
    "SyncStateInvalid": 400,
    "ErrorItemNotFound": 400,
    "ErrorSyncFolderNotFound": 404,
    "ResyncRequired": 410,
    "SyncStateNotFound": 410,
}
LARGEST_PHOTO = 4 * 1024 * 1024
_LARGEST_DELTA_PAGE = 200


@dataclass(slots=True)
class _Round:
    """The progress of a delta round: the contacts still to show, and the last change included."""

    folder: Folder
    select: tuple[str, ...] | None
    waiting: list[str]
    upto: int
    first: bool


class OutlookApi(FolderApi):
    """Answers requests for mailboxes."""

    def __init__(self, base: str) -> None:
        super().__init__(base)
        self._rounds: dict[str, tuple[str, _Round]] = {}

    def expire_delta(self, tenant: str | None) -> None:
        """Make all delta tokens issued so far invalid."""
        self._rounds = {
            token: known
            for token, known in self._rounds.items()
            if tenant is not None and known[0] != tenant
        }

    def list_contacts(self, mailbox: Mailbox, request: Request, folder: str | None) -> Answer:
        request.require(DENIED, *READ)
        place = mailbox.folder(folder) if folder else mailbox.default
        found = list(place.contacts.values())
        text = request.query.get("$filter")
        if text and (marked := mark_filter(text)):
            found = [place.contacts[core] for core in place.marks.get(marked, {})]
            text = None
        if text or "$orderby" in request.query:
            names = names_in(request, "contact", text)
            seen = [(c, shown_contact(place, c, names, immutable=request.immutable)) for c in found]
            found = arranged(request, "contact", text, seen)
        return page(self.base, request, found, lambda c: self._contact(place, c, request))

    def create_contact(self, mailbox: Mailbox, request: Request, folder: str | None) -> Answer:
        request.require(DENIED, *WRITE)
        wanted = body_of(request).get("parentFolderId") or folder
        place = mailbox.folder(wanted) if wanted else mailbox.default
        require_space(request)
        contact = mailbox.add_contact(place, _contact_body(request))
        return Answer(201, self._contact(place, contact, request))

    def get_contact(
        self, mailbox: Mailbox, request: Request, folder: str | None, contact: str
    ) -> Answer:
        request.require(DENIED, *READ)
        place, found = mailbox.contact(contact, mailbox.folder(folder) if folder else None)
        shown = self._contact(place, found, request)
        if ids := expanded(request):
            shown["singleValueExtendedProperties"] = shown_extended(found.extended, ids)
        return Answer(200, shown)

    def change_contact(
        self, mailbox: Mailbox, request: Request, folder: str | None, contact: str
    ) -> Answer:
        request.require(DENIED, *WRITE)
        place, found = mailbox.contact(contact, mailbox.folder(folder) if folder else None)
        require_space(request)
        mailbox.change_contact(place, found, _contact_body(request, found))
        return Answer(200, self._contact(place, found, request))

    def delete_contact(
        self, mailbox: Mailbox, request: Request, folder: str | None, contact: str
    ) -> Answer:
        request.require(DENIED, *WRITE)
        mailbox.bin_contact(*mailbox.contact(contact, mailbox.folder(folder) if folder else None))
        return Answer(204)

    def purge_contact(
        self, mailbox: Mailbox, request: Request, folder: str | None, contact: str
    ) -> Answer:
        """Delete a contact for good (docs: contact-permanentdelete)."""
        require_permanent(request)
        mailbox.remove_contact(
            *mailbox.contact(contact, mailbox.folder(folder) if folder else None)
        )
        return Answer(204)

    def delta(self, mailbox: Mailbox, request: Request, folder: str | None) -> Answer:
        request.require(DENIED, *READ)
        if "$expand" in request.query:
            # As reported: microsoft-graph-docs#2270, #1993.
            raise GraphError(500, "ErrorInternalServerError", "An internal server error occurred.")
        require_space(request)
        place = mailbox.folder(folder) if folder else mailbox.default
        token = request.query.get("$deltatoken") or request.query.get("$skiptoken")
        round_ = self._round(place, request, token)
        size = request.preferences.get("odata.maxpagesize", "")
        most = min(int(size), _LARGEST_DELTA_PAGE) if size.isdecimal() and int(size) else 10
        part, rest = round_.waiting[:most], round_.waiting[most:]
        value: list[Json] = []
        for core in part:
            contact = place.contacts.get(core)
            ghost = core in place.ghosts and not round_.first
            if contact is not None and not ghost:
                select = round_.select
                if not round_.first and request.quirk("deltaItems") == "changedOnly":
                    select = _touched(contact, select)
                value.append(self._contact(place, contact, request, select))
            elif not round_.first:
                gone = shown_id(core, immutable=request.immutable)
                value.append({"@removed": {"reason": "deleted"}, "id": gone})
        body: Json = {}
        following = _Round(place, round_.select, rest, round_.upto, round_.first)
        name = "$skiptoken" if rest else "$deltatoken"
        issued = sources().token()
        self._rounds[issued] = (request.tenant, following)
        link = f"{link_to(self.base, request.path)}?{urlencode({name: issued})}"
        body["@odata.nextLink" if rest else "@odata.deltaLink"] = link
        body["value"] = value
        return Answer(200, body)

    def get_photo(
        self, mailbox: Mailbox, request: Request, folder: str | None, contact: str
    ) -> Answer:
        request.require(DENIED, *READ)
        _, found = mailbox.contact(contact, mailbox.folder(folder) if folder else None)
        if found.photo is None:
            raise GraphError(404, "ErrorItemNotFound", "The photo wasn't found.")
        return Answer(200, found.photo, {"Content-Type": "image/jpeg"})

    def put_photo(
        self, mailbox: Mailbox, request: Request, folder: str | None, contact: str
    ) -> Answer:
        request.require(DENIED, *WRITE)
        place, found = mailbox.contact(contact, mailbox.folder(folder) if folder else None)
        raw = request.body
        if isinstance(raw, str):
            raw = _decoded(raw, url_safe=request.quirk("batchPhotos") == "urlSafe")
        if not request.headers.get("content-type", "").startswith("image/"):
            raise GraphError(400, "ErrorInvalidImage", "The content type must be an image's.")
        if not isinstance(raw, bytes) or not raw or len(raw) > LARGEST_PHOTO:
            raise GraphError(413, "ErrorInvalidImage", "The photo has no bytes, or over 4 MB.")
        require_space(request)
        found.photo = raw
        found.touch()
        place.log.append(found.core)
        return Answer(200)

    def get_user_photo(self, mailbox: Mailbox, request: Request) -> Answer:
        """Return the largest photo of the mailbox's owner (docs: profilephoto-get)."""
        request.require(DENIED, "User.Read.All", "User.ReadWrite.All", "ProfilePhoto.Read.All")
        if mailbox.photo is None:
            raise GraphError(404, "ImageNotFound", "Exception of type 'ImageNotFound' was thrown.")
        return Answer(200, mailbox.photo, {"Content-Type": "image/jpeg"})

    def describe_user_photo(self, mailbox: Mailbox, request: Request) -> Answer:
        """Describe the photo of the mailbox's owner (docs: profilephoto-get)."""
        answer = _described(self.get_user_photo(mailbox, request).body)
        match request.quirk("photoTags"):
            case "missing":
                del answer.body["@odata.mediaEtag"]
            case "changing":
                answer.body["@odata.mediaEtag"] = f'"{sources().token()}"'
        return answer

    def describe_photo(
        self, mailbox: Mailbox, request: Request, folder: str | None, contact: str
    ) -> Answer:
        """Describe a contact's photo."""
        return _described(self.get_photo(mailbox, request, folder, contact).body)

    def get_purpose(self, mailbox: Mailbox, request: Request) -> Answer:
        request.require(DENIED, "MailboxSettings.Read", "MailboxSettings.ReadWrite")
        return Answer(200, {"value": mailbox.purpose})

    def _round(self, place: Folder, request: Request, token: str | None) -> _Round:
        if token is None:
            select = _selected(request)
            return _Round(place, select, list(place.contacts), len(place.log), first=True)
        known = self._rounds.get(token)
        if known is None or known[1].folder is not place:
            code = str(request.quirk("deadLink"))
            raise GraphError(_DEAD_LINKS[code], code, "The sync state generation is not found.")
        round_ = known[1]
        if "$skiptoken" in request.query:
            return round_
        changed = place.since(round_.upto)
        return _Round(place, round_.select, changed, len(place.log), first=False)

    def _contact(
        self,
        folder: Folder,
        contact: Contact,
        request: Request,
        select: tuple[str, ...] | None = None,
    ) -> Json:
        chosen = select or (_selected(request) if request.method == "GET" else None)
        names = request.name_of if request.quirk("mailNames") == "directory" else as_written
        return shown_contact(folder, contact, chosen, immutable=request.immutable, names=names)


def _touched(contact: Contact, select: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """Return the selected properties that the last change set, the id at least."""
    if contact.touched is None or select is None:
        return select
    return tuple(name for name in select if name in contact.touched) or ("id",)


def _selected(request: Request) -> tuple[str, ...] | None:
    return selected(request.query.get("$select")) or None


def _decoded(text: str, *, url_safe: bool) -> bytes:
    """Decode base64 of one alphabet (docs: json-batching)."""
    letters = text.translate(str.maketrans("-_+/", "+/??")) if url_safe else text
    try:
        return base64.b64decode(letters, validate=True)
    except ValueError as error:
        raise GraphError(400, "ErrorInvalidImage", "The body is not base64.") from error


def _tidied(value: Any) -> Any:
    match value:
        case str():
            return "\r\n".join(value.strip().splitlines())
        case list():
            return [_tidied(part) for part in value]
        case dict():
            return {name: _tidied(part) for name, part in value.items()}
        case _:
            return value


def _described(photo: bytes) -> Answer:
    """Describe a photo; the simulator does not know its size. The etag changes with its bytes."""
    etag = base64.b64encode(hashlib.sha256(photo).digest()[:18]).decode()
    body = {
        "@odata.mediaContentType": "image/jpeg",
        "@odata.mediaEtag": f'"{etag}"',
        "id": "default",
        "height": 1,
        "width": 1,
    }
    return Answer(200, body)


def _contact_body(request: Request, before: Contact | None = None) -> dict[str, Any]:
    """Return the body of a contact's POST or PATCH, with the addresses as Exchange takes them."""
    body = body_of(request)
    if request.quirk("texts") == "tidied":
        body = {name: value if name == EXTENDED else _tidied(value) for name, value in body.items()}
    given = {name: body[name] for name in ADDRESSES if name in body}
    refused, merged = request.quirk("nullAddress"), request.quirk("partialAddress") == "merged"
    for address in given.values():
        parts = address.values() if isinstance(address, dict) else ()
        null = address is None or (refused == "partsRefused" and None in parts)
        if null and refused != "cleared":
            # As reported: msgraph-sdk-dotnet#2368.
            raise GraphError(500, "ErrorInternalServerError", "An internal server error occurred.")
    if before is None or not merged:
        return body
    kept = {name: before.values.get(name) or {} for name, address in given.items() if address}
    return body | {name: {**parts, **given[name]} for name, parts in kept.items()}
