"""Requests for mailboxes: contact folders, contacts, delta, photos and categories.

Docs: contact-delta, delta-query-overview, singlevaluelegacyextendedproperty-get, profilephoto.
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.local.graph.lists import arranged, names_in, page
from tests.local.graph.mailbox import (
    Contact,
    Folder,
    Json,
    Mailbox,
    extended_id,
    extended_of,
    shown_contact,
    shown_id,
)
from tests.local.graph.protocol import Answer, GraphError, Request
from tests.local.graph.sources import sources
from tests.local.graph.strict.queries import mark_of, selected
from tests.local.graph.strict.replies import link as link_to

_EXPAND = re.compile(r"singleValueExtendedProperties\(\$filter=(.*)\)", re.IGNORECASE)
_PROPERTY_ID = re.compile(r"id eq '([^']*)'", re.IGNORECASE)
_COLOR = re.compile(r"none|preset([0-9]|1[0-9]|2[0-4])")
READ = ("Contacts.Read", "Contacts.ReadWrite")
WRITE = ("Contacts.ReadWrite",)
DENIED = "ErrorAccessDenied"
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


class OutlookApi:
    """Answers requests for mailboxes."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._rounds: dict[str, tuple[str, _Round]] = {}

    def expire_delta(self, tenant: str | None) -> None:
        """Make all delta tokens issued so far invalid."""
        self._rounds = {
            token: known
            for token, known in self._rounds.items()
            if tenant is not None and known[0] != tenant
        }

    def list_folders(self, mailbox: Mailbox, request: Request, parent: str | None) -> Answer:
        request.require(DENIED, *READ)
        place = mailbox.root if parent is None else mailbox.folder(parent).core
        folders = mailbox.children(place)
        text = request.query.get("$filter")
        if text and (marked := _mark_filter(text)):
            key, value = marked
            folders = [f for f in folders if f.extended.get(key, "\0").casefold() == value]
            text = None
        whole = [(f, self._whole_folder(f)) for f in folders]
        found = arranged(request, "contactFolder", text, whole)
        return page(self.base, request, found, lambda f: self._folder(f, request))

    def create_folder(self, mailbox: Mailbox, request: Request, parent: str | None) -> Answer:
        request.require(DENIED, *WRITE)
        place = mailbox.root if parent is None else mailbox.folder(parent).core
        folder = mailbox.add_folder(_body(request), place)
        return Answer(201, self._folder(folder, request))

    def get_folder(self, mailbox: Mailbox, request: Request, folder: str) -> Answer:
        request.require(DENIED, *READ)
        found = mailbox.folder(folder)
        shown = self._folder(found, request)
        if ids := _expanded(request):
            shown["singleValueExtendedProperties"] = _shown_extended(found.extended, ids)
        return Answer(200, shown)

    def change_folder(self, mailbox: Mailbox, request: Request, folder: str) -> Answer:
        request.require(DENIED, *WRITE)
        found = mailbox.folder(folder)
        name = _body(request).get("displayName")
        if isinstance(name, str):
            mailbox.rename_folder(found, name)
        found.extended.update(extended_of(_body(request)))
        return Answer(200, self._folder(found, request))

    def delete_folder(self, mailbox: Mailbox, request: Request, folder: str) -> Answer:
        request.require(DENIED, *WRITE)
        mailbox.remove_folder(mailbox.folder(folder))
        return Answer(204)

    def list_contacts(self, mailbox: Mailbox, request: Request, folder: str | None) -> Answer:
        request.require(DENIED, *READ)
        place = mailbox.folder(folder) if folder else mailbox.default
        found = list(place.contacts.values())
        text = request.query.get("$filter")
        if text and (marked := _mark_filter(text)):
            found = [place.contacts[core] for core in place.marks.get(marked, {})]
            text = None
        if text or "$orderby" in request.query:
            names = names_in(request, "contact", text)
            seen = [(c, shown_contact(place, c, names, immutable=request.immutable)) for c in found]
            found = arranged(request, "contact", text, seen)
        return page(self.base, request, found, lambda c: self._contact(place, c, request))

    def create_contact(self, mailbox: Mailbox, request: Request, folder: str | None) -> Answer:
        request.require(DENIED, *WRITE)
        wanted = _body(request).get("parentFolderId") or folder
        place = mailbox.folder(wanted) if wanted else mailbox.default
        contact = mailbox.add_contact(place, _body(request))
        return Answer(201, self._contact(place, contact, request))

    def get_contact(
        self, mailbox: Mailbox, request: Request, folder: str | None, contact: str
    ) -> Answer:
        request.require(DENIED, *READ)
        place, found = mailbox.contact(contact, mailbox.folder(folder) if folder else None)
        shown = self._contact(place, found, request)
        if ids := _expanded(request):
            shown["singleValueExtendedProperties"] = _shown_extended(found.extended, ids)
        return Answer(200, shown)

    def change_contact(
        self, mailbox: Mailbox, request: Request, folder: str | None, contact: str
    ) -> Answer:
        request.require(DENIED, *WRITE)
        place, found = mailbox.contact(contact, mailbox.folder(folder) if folder else None)
        mailbox.change_contact(place, found, _body(request))
        return Answer(200, self._contact(place, found, request))

    def delete_contact(
        self, mailbox: Mailbox, request: Request, folder: str | None, contact: str
    ) -> Answer:
        request.require(DENIED, *WRITE)
        mailbox.remove_contact(
            *mailbox.contact(contact, mailbox.folder(folder) if folder else None)
        )
        return Answer(204)

    def delta(self, mailbox: Mailbox, request: Request, folder: str | None) -> Answer:
        request.require(DENIED, *READ)
        if "$expand" in request.query:
            # As reported: microsoft-graph-docs#2270, #1993.
            raise GraphError(500, "ErrorInternalServerError", "An internal server error occurred.")
        place = mailbox.folder(folder) if folder else mailbox.default
        token = request.query.get("$deltatoken") or request.query.get("$skiptoken")
        round_ = self._round(place, request, token)
        size = request.preferences.get("odata.maxpagesize", "")
        most = min(int(size), _LARGEST_DELTA_PAGE) if size.isdecimal() and int(size) else 10
        part, rest = round_.waiting[:most], round_.waiting[most:]
        value: list[Json] = []
        for core in part:
            contact = place.contacts.get(core)
            if contact is not None:
                value.append(
                    shown_contact(place, contact, round_.select, immutable=request.immutable)
                )
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
            # In a batch it is base64 of either alphabet (docs: json-batching).
            raw = _decoded(raw)
        if not request.headers.get("content-type", "").startswith("image/"):
            raise GraphError(400, "ErrorInvalidImage", "The content type must be an image's.")
        if not isinstance(raw, bytes) or not raw or len(raw) > LARGEST_PHOTO:
            raise GraphError(413, "ErrorInvalidImage", "The photo has no bytes, or over 4 MB.")
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
        return _described(self.get_user_photo(mailbox, request).body)

    def describe_photo(
        self, mailbox: Mailbox, request: Request, folder: str | None, contact: str
    ) -> Answer:
        """Describe a contact's photo."""
        return _described(self.get_photo(mailbox, request, folder, contact).body)

    def get_purpose(self, mailbox: Mailbox, request: Request) -> Answer:
        request.require(DENIED, "MailboxSettings.Read", "MailboxSettings.ReadWrite")
        return Answer(200, {"value": mailbox.purpose})

    def list_categories(self, mailbox: Mailbox, request: Request) -> Answer:
        request.require(DENIED, "MailboxSettings.Read", "MailboxSettings.ReadWrite")
        return Answer(200, {"value": mailbox.categories})

    def create_category(self, mailbox: Mailbox, request: Request) -> Answer:
        request.require(DENIED, "MailboxSettings.ReadWrite")
        body = _body(request)
        name = str(body.get("displayName") or "")
        color = str(body.get("color") or "none").lower()
        if not name or not _COLOR.fullmatch(color):
            raise GraphError(400, "RequestBodyRead", "A displayName and a valid color are needed.")
        if any(c["displayName"].casefold() == name.casefold() for c in mailbox.categories):
            raise GraphError(409, "ErrorCategoryExists", "The category exists already.")
        category = {
            "id": shown_id(sources().token(), immutable=True),
            "displayName": name,
            "color": color,
        }
        mailbox.categories.append(category)
        return Answer(201, category)

    def delete_category(self, mailbox: Mailbox, request: Request, category: str) -> Answer:
        request.require(DENIED, "MailboxSettings.ReadWrite")
        left = [c for c in mailbox.categories if c["id"] != category]
        if len(left) == len(mailbox.categories):
            raise GraphError(404, "ErrorItemNotFound", "The category was not found.")
        mailbox.categories[:] = left
        return Answer(204)

    def _round(self, place: Folder, request: Request, token: str | None) -> _Round:
        if token is None:
            select = _selected(request)
            return _Round(place, select, list(place.contacts), len(place.log), first=True)
        known = self._rounds.get(token)
        if known is None or known[1].folder is not place:
            raise GraphError(410, "SyncStateNotFound", "The sync state generation is not found.")
        round_ = known[1]
        if "$skiptoken" in request.query:
            return round_
        changed = list(dict.fromkeys(place.log[round_.upto :]))
        return _Round(place, round_.select, changed, len(place.log), first=False)

    def _folder(self, folder: Folder, request: Request) -> Json:
        chosen = selected(request.query.get("$select")) if request.method == "GET" else ()
        shown = self._whole_folder(folder)
        return {k: v for k, v in shown.items() if not chosen or k == "id" or k in chosen}

    def _whole_folder(self, folder: Folder) -> Json:
        return {
            "id": shown_id(folder.core, immutable=True),
            "parentFolderId": shown_id(folder.parent, immutable=True),
            "displayName": folder.name,
        }

    def _contact(self, folder: Folder, contact: Contact, request: Request) -> Json:
        select = _selected(request) if request.method == "GET" else None
        return shown_contact(folder, contact, select, immutable=request.immutable)


def _selected(request: Request) -> tuple[str, ...] | None:
    return selected(request.query.get("$select")) or None


def _decoded(text: str) -> bytes:
    """Decode base64 in either alphabet."""
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except ValueError as error:
        raise GraphError(400, "ErrorInvalidImage", "The body is not base64.") from error


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


def _mark_filter(text: str) -> tuple[str, str] | None:
    """Return the id and value of a filter by our mark; None for any other filter."""
    found = mark_of(text)
    return (extended_id(found[0]), found[1].casefold()) if found else None


def _expanded(request: Request) -> list[str]:
    text = request.query.get("$expand")
    if not text:
        return []
    match = _EXPAND.fullmatch(text.strip())
    if match is None:
        raise GraphError(400, "RequestBroker--ParseUri", "The expand clause is not supported.")
    return _PROPERTY_ID.findall(match[1])


def _shown_extended(extended: dict[str, str], ids: list[str]) -> list[Json]:
    wanted = {extended_id(id_) for id_ in ids}
    return [{"id": id_, "value": value} for id_, value in extended.items() if id_ in wanted]


def _body(request: Request) -> dict[str, Any]:
    if not isinstance(request.body, dict):
        raise GraphError(400, "BadRequest", "A JSON object is needed as the body.")
    return request.body
