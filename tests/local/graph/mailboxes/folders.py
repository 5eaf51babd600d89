"""Requests for contact folders and categories, and what all requests for mailboxes share.

Docs: contactfolder, user-list-contactfolders, outlookuser-post-mastercategories.
"""

import re
from typing import Any

from tests.local.graph.mailboxes.contact_values import Json, extended_id, extended_of
from tests.local.graph.mailboxes.lists import arranged, page
from tests.local.graph.mailboxes.mailbox import Folder, Mailbox, shown_id
from tests.local.graph.protocol import Answer, GraphError, Request
from tests.local.graph.sources import sources
from tests.local.graph.strict.queries import mark_of, selected

_EXPAND = re.compile(r"singleValueExtendedProperties\(\$filter=(.*)\)", re.IGNORECASE)
_PROPERTY_ID = re.compile(r"id eq '([^']*)'", re.IGNORECASE)
_COLOR = re.compile(r"none|preset([0-9]|1[0-9]|2[0-4])")
READ = ("Contacts.Read", "Contacts.ReadWrite")
WRITE = ("Contacts.ReadWrite",)
DENIED = "ErrorAccessDenied"


class FolderApi:
    """Answers requests for the folders and categories of mailboxes."""

    def __init__(self, base: str) -> None:
        self.base = base

    def list_folders(self, mailbox: Mailbox, request: Request, parent: str | None) -> Answer:
        request.require(DENIED, *READ)
        # Docs: the folders in the default one.
        place = mailbox.default.core if parent is None else mailbox.folder(parent).core
        folders = mailbox.children(place)
        text = request.query.get("$filter")
        if text and (marked := mark_filter(text)):
            key, value = marked
            folders = [f for f in folders if f.extended.get(key, "\0").casefold() == value]
            text = None
        whole = [(f, self._whole_folder(f)) for f in folders]
        found = arranged(request, "contactFolder", text, whole)
        return page(self.base, request, found, lambda f: self._folder(f, request))

    def create_folder(self, mailbox: Mailbox, request: Request, parent: str | None) -> Answer:
        request.require(DENIED, *WRITE)
        require_space(request)
        body = body_of(request)
        above = body.get("parentFolderId") or parent
        place = mailbox.default.core if above is None else mailbox.folder(above).core
        folder = mailbox.add_folder(body, place)
        return Answer(201, self._folder(folder, request))

    def get_folder(self, mailbox: Mailbox, request: Request, folder: str) -> Answer:
        request.require(DENIED, *READ)
        found = mailbox.folder(folder)
        shown = self._folder(found, request)
        if ids := expanded(request):
            shown["singleValueExtendedProperties"] = shown_extended(found.extended, ids)
        return Answer(200, shown)

    def change_folder(self, mailbox: Mailbox, request: Request, folder: str) -> Answer:
        request.require(DENIED, *WRITE)
        found = mailbox.folder(folder)
        body = body_of(request)
        if isinstance(above := body.get("parentFolderId"), str):
            mailbox.move_folder(found, above)
        if isinstance(name := body.get("displayName"), str):
            mailbox.rename_folder(found, name)
        found.extended.update(extended_of(body))
        return Answer(200, self._folder(found, request))

    def delete_folder(self, mailbox: Mailbox, request: Request, folder: str) -> Answer:
        request.require(DENIED, *WRITE)
        found = mailbox.folder(folder)
        same = found.name.casefold() in {f.name.casefold() for f in mailbox.bin.values()}
        if same and request.quirk("deletedName") == "refused":
            # As reported: msgraph-sdk-powershell#2743.
            message = "Folder with the same name exists in Deleted Items."
            raise GraphError(403, "ErrorCannotDeleteObject", message)
        if request.quirk("deletedFolder") == "gone":
            mailbox.remove_folder(found)
        elif not same or request.quirk("deletedName") != "ignored":
            mailbox.bin_folder(found)
        return Answer(204)

    def purge_folder(self, mailbox: Mailbox, request: Request, folder: str) -> Answer:
        """Delete a folder for good (docs: contactfolder-permanentdelete)."""
        require_permanent(request)
        mailbox.remove_folder(mailbox.folder(folder))
        return Answer(204)

    def list_categories(self, mailbox: Mailbox, request: Request) -> Answer:
        request.require(DENIED, "MailboxSettings.Read", "MailboxSettings.ReadWrite")
        return Answer(200, {"value": mailbox.categories})

    def create_category(self, mailbox: Mailbox, request: Request) -> Answer:
        request.require(DENIED, "MailboxSettings.ReadWrite")
        body = body_of(request)
        if request.quirk("newCategory") == "refused":
            raise GraphError(400, "ErrorInvalidRequest", "The category cannot be created.")
        name = str(body.get("displayName") or "")
        color = str(body.get("color") or "none").lower()
        if not name or not _COLOR.fullmatch(color):
            raise GraphError(400, "RequestBodyRead", "A displayName and a valid color are needed.")
        if any(c["displayName"].casefold() == name.casefold() for c in mailbox.categories):
            status = int(str(request.quirk("categoryExists")))
            raise GraphError(status, "ErrorInvalidRequest", "The category exists already.")
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


def mark_filter(text: str) -> tuple[str, str] | None:
    """Return the id and value of a filter by our mark; None for any other filter."""
    found = mark_of(text)
    return (extended_id(found[0]), found[1].casefold()) if found else None


def expanded(request: Request) -> list[str]:
    text = request.query.get("$expand")
    if not text:
        return []
    match = _EXPAND.fullmatch(text.strip())
    if match is None:
        raise GraphError(400, "RequestBroker--ParseUri", "The expand clause is not supported.")
    return _PROPERTY_ID.findall(match[1])


def shown_extended(extended: dict[str, str], ids: list[str]) -> list[Json]:
    wanted = {extended_id(id_) for id_ in ids}
    return [{"id": id_, "value": value} for id_, value in extended.items() if id_ in wanted]


def body_of(request: Request) -> dict[str, Any]:
    if not isinstance(request.body, dict):
        raise GraphError(400, "BadRequest", "A JSON object is needed as the body.")
    return request.body


def require_space(request: Request) -> None:
    """Refuse a request that a full mailbox cannot take, its delta too (docs: #5730, #2927)."""
    match request.quirk("fullMailbox"):
        case "quota":
            raise GraphError(403, "ErrorQuotaExceeded", "The mailbox has exceeded its quota.")
        case "storage":
            raise GraphError(507, "QuotaExceededException", "The mailbox has exceeded its quota.")
        case "names":
            # As reported: msgraph-sdk-java#765.
            raise GraphError(403, "ErrorQuotaExceeded", "Cannot get ID from name.")


def require_permanent(request: Request) -> None:
    """Refuse permanentDelete, as clouds without it do."""
    request.require(DENIED, *WRITE)
    if request.quirk("permanentDelete") == "refused":
        raise GraphError(400, "BadRequest", "Resource not found for the segment 'permanentDelete'.")
