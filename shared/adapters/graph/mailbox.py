"""One user's mailbox: our folder, its delta, our marks, and writing contacts in batches.

Docs: contact, contactfolder, contact-delta, singlevaluelegacyextendedproperty-get, json-batching.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import batched
from typing import Any, Final
from urllib.parse import quote

from shared.adapters.graph.batch import BATCH_SIZE, BatchItem, longest_wait, send_batch
from shared.adapters.graph.transport import GraphResponse, GraphSession
from shared.domain.contacts.fields import (
    GRAPH_FIELDS,
    MARK,
    WRITTEN,
    Mark,
    graph_body,
    key_of_mark,
    mark_of,
    wrote,
)
from shared.domain.contacts.plan import Adopt, Change, Create, Delete, Operation, SetPhoto, Update
from shared.domain.errors import Defect, NeedsAdmin, Refused, Unavailable
from shared.domain.reasons import Reason

_DELTA_PAGE: Final = {"Prefer": "odata.maxpagesize=200"}
_NAMES_TRIED: Final = 5
_WITH_MARK: Final = f"singleValueExtendedProperties($filter=id eq '{MARK}' or id eq '{WRITTEN}')"
_NO_MAILBOX: Final = ("MailboxNotEnabledForRESTAPI", "MailboxNotSupportedForRESTAPI")


class FolderGoneError(Exception):
    """The folder does not exist any more."""


class LinkExpiredError(Exception):
    """The delta link is too old: the whole folder has to be read again."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What changed in a folder, and the link from which the next delta goes on."""

    changes: tuple[Change, ...]
    link: str


class Mailbox:
    """One mailbox, for one import. Every call may raise what `GraphSession.request` raises.

    A mailbox that is not there, or not open to us, raises `NeedsAdmin` with its reason.
    """

    def __init__(self, session: GraphSession, user: str, import_id: str) -> None:
        self._session = session
        self._root = f"/users/{quote(user, safe='')}"
        self._import = import_id
        self._contacts = f"{self._root}/contacts"

    def in_folder(self, folder: str | None) -> None:
        """Choose where contacts are written and looked up: our folder, or the default one."""
        self._contacts = f"{self._folder(folder)}/contacts" if folder else f"{self._root}/contacts"

    async def find_folder(self) -> str | None:
        """The id of this import's own folder, by its mark, whatever its name is now."""
        answer = self._checked(
            await self._session.read(
                f"{self._root}/contactFolders",
                query={"$filter": _marked(mark_of(self._import)), "$select": "id"},
            )
        )
        folders = answer.body["value"]
        return str(folders[0]["id"]) if folders else None

    async def folder_named(self, name: str) -> str | None:
        """The id of the folder of this name beside the default one, whoever made it."""
        query = {"$select": "id,displayName", "$top": "100"}
        path = f"{self._root}/contactFolders"
        async for page in self._session.pages(path, query=query, check=self._checked):
            for folder in page["value"]:
                if str(folder["displayName"]).casefold() == name.casefold():
                    return str(folder["id"])
        return None

    async def mark_folder(self, folder: str) -> None:
        """Make somebody else's folder this import's own."""
        mark = {"id": MARK, "value": mark_of(self._import)}
        body = {"singleValueExtendedProperties": [mark]}
        answer = await self._session.request("PATCH", self._folder(folder), body=body)
        self._checked(answer, folder=True)

    async def create_folder(self, name: str) -> str:
        """Make this import's own folder and answer its id.

        A folder of that name that is not ours is left alone: ours becomes 'name (2)' and so on.
        """
        for number in range(1, _NAMES_TRIED + 1):
            answer = await self._session.request(
                "POST",
                f"{self._root}/contactFolders",
                body={
                    "displayName": name if number == 1 else f"{name} ({number})",
                    "singleValueExtendedProperties": [{"id": MARK, "value": mark_of(self._import)}],
                },
            )
            if answer.status == 409:
                continue
            return str(self._checked(answer).body["id"])
        raise NeedsAdmin(Reason.FOLDER_NAME_TAKEN, "No free name for the contact folder.")

    async def rename_folder(self, folder: str, name: str) -> None:
        """Give our folder another name; if that name is taken, it keeps its own."""
        answer = await self._session.request(
            "PATCH", self._folder(folder), body={"displayName": name}
        )
        if answer.status != 409:
            self._checked(answer, folder=True)

    async def default_folder(self) -> str | None:
        """The id of the default Contacts folder, or None while it holds no contact.

        It has no documented well-known name in v1.0 and is not among contactFolders, but each
        contact in it names it.
        """
        answer = self._checked(
            await self._session.read(
                f"{self._root}/contacts", query={"$select": "parentFolderId", "$top": "1"}
            )
        )
        contacts = answer.body["value"]
        return str(contacts[0]["parentFolderId"]) if contacts else None

    async def delta(self, folder: str, link: str | None = None) -> Delta:
        """What changed in a folder since `link`, or (without one) all that is in it.

        Raises `FolderGoneError` or `LinkExpiredError` (docs: delta-query-overview; 410, or a 4xx
        with syncStateNotFound).
        """
        query = None if link else {"$select": ",".join((*GRAPH_FIELDS, "categories"))}
        path = link or f"{self._folder(folder)}/contacts/delta"
        changes: dict[str, Change] = {}
        while True:
            answer = await self._session.read(path, query=query, headers=_DELTA_PAGE)
            if answer.status == 410 or "syncstatenotfound" in answer.code.lower():
                raise LinkExpiredError
            body = self._checked(answer, folder=True).body
            for item in body["value"]:
                gone = "@removed" in item
                changes[item["id"]] = Change(item["id"], None if gone else item)
            query = None
            if "@odata.deltaLink" in body:
                return Delta(tuple(changes.values()), str(body["@odata.deltaLink"]))
            path = str(body["@odata.nextLink"])

    async def marks(self, ids: Sequence[str]) -> dict[str, Mark]:
        """The marks of these contacts, of this import only.

        Read one contact each, 20 in a batch: expanding the property is documented for a single
        item only.
        """
        found: dict[str, Mark] = {}
        for id_, contact in (await self._with_marks(ids)).items():
            for key in self._keys(contact):
                if key is not None:
                    found[id_] = Mark(key, _mask(contact))
        return found

    async def all_marks(self, ids: Sequence[str]) -> dict[str, str | None]:
        """Those of the contacts that bear a mark: the source key, None if another import's."""
        contacts = await self._with_marks(ids)
        return {id_: key for id_, contact in contacts.items() for key in self._keys(contact)}

    async def names(self, ids: Sequence[str]) -> dict[str, str]:
        """The display names of those of the contacts that are there."""
        contacts = await self._each(ids, {"$select": "id,displayName"})
        return {id_: str(contact.get("displayName") or "") for id_, contact in contacts.items()}

    async def _with_marks(self, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        return await self._each(ids, {"$select": "id", "$expand": _WITH_MARK})

    async def _each(
        self, ids: Sequence[str], query: Mapping[str, str]
    ) -> dict[str, Mapping[str, Any]]:
        found: dict[str, Mapping[str, Any]] = {}
        for chunk in batched(ids, BATCH_SIZE, strict=False):
            items = [BatchItem("GET", self._contact(i), query) for i in chunk]
            for contact, answer in zip(chunk, await self._read(items), strict=True):
                if answer.status != 404:
                    found[contact] = self._checked(answer).body
        return found

    async def find(self, keys: Sequence[str]) -> dict[str, str]:
        """Ids of the contacts that bear the marks of these source keys, by key."""
        found: dict[str, str] = {}
        for chunk in batched(keys, BATCH_SIZE, strict=False):
            items = [
                BatchItem(
                    "GET",
                    self._contacts,
                    {"$filter": _marked(mark_of(self._import, key)), "$select": "id"},
                )
                for key in chunk
            ]
            for key, answer in zip(chunk, await self._read(items), strict=True):
                for contact in self._checked(answer).body["value"][:1]:
                    found[key] = str(contact["id"])
        return found

    async def apply(
        self, operations: Sequence[Operation], category: str | None
    ) -> list[GraphResponse]:
        """Send at most 20 operations in one batch and answer Graph's word on each, in order."""
        items = [self._item(o, category) for o in operations]
        return await send_batch(self._session, items, self._checked)

    async def remove_folder(self, folder: str) -> bool:
        """Delete our folder if nobody's contact or folder is left in it; say whether it is gone."""
        path = self._folder(folder)
        inside = [
            BatchItem("GET", f"{path}/contacts", {"$select": "id", "$top": "1"}),
            BatchItem("GET", f"{path}/childFolders", {"$select": "id", "$top": "1"}),
        ]
        answers = await self._read(inside)
        if any(answer.status == 404 for answer in answers):
            return True
        if any(self._checked(answer).body["value"] for answer in answers):
            return False
        answer = await self._session.request("DELETE", path)
        if answer.status != 404:
            self._checked(answer)
        return True

    async def make_category(self, name: str, color: str) -> str | None:
        """Put a category with its color into the user's list, and answer its id.

        None if the user has one of that name: it keeps its color. Raises `NeedsAdmin` (access
        denied) without the permission MailboxSettings.ReadWrite.
        """
        answer = await self._session.request(
            "POST", self._categories, body={"displayName": name, "color": color}
        )
        return None if answer.status == 409 else str(self._checked(answer).body["id"])

    async def remove_category(self, id_: str) -> None:
        """Take a category that we made out of the user's list, if it is still there."""
        answer = await self._session.request("DELETE", f"{self._categories}/{quote(id_, safe='')}")
        if answer.status not in {403, 404}:
            self._checked(answer)

    @property
    def _categories(self) -> str:
        return f"{self._root}/outlook/masterCategories"

    def _folder(self, folder: str) -> str:
        return f"{self._root}/contactFolders/{quote(folder, safe='')}"

    def _contact(self, contact: str) -> str:
        return f"{self._contacts}/{quote(contact, safe='')}"

    def _keys(self, contact: Mapping[str, Any]) -> list[str | None]:
        """What a contact's mark says: one key (None: of another import), or nothing."""
        return [
            key_of_mark(str(extended.get("value", "")), self._import)
            for extended in contact.get("singleValueExtendedProperties") or ()
            if extended.get("id", "").lower() == MARK.lower()
        ]

    def _item(self, operation: Operation, category: str | None) -> BatchItem:
        match operation:
            case Create(key, contact):
                body = graph_body(contact)
                body["singleValueExtendedProperties"] = [
                    *body.get("singleValueExtendedProperties", ()),
                    {"id": MARK, "value": mark_of(self._import, key)},
                    wrote(contact.mask),
                ]
                if category:
                    body["categories"] = [category]
                return BatchItem("POST", self._contacts, body=body)
            case Update():
                return BatchItem("PATCH", self._contact(operation.id), body=operation.body)
            case Delete():
                return BatchItem("DELETE", self._contact(operation.id))
            case SetPhoto():
                path = f"{self._contact(operation.id)}/photo/$value"
                return BatchItem("PUT", path, body=operation.image, content_type="image/jpeg")
            case Adopt(key, contact_id):
                mark = {"id": MARK, "value": mark_of(self._import, key)}
                body = {"singleValueExtendedProperties": [mark]}
                return BatchItem("PATCH", self._contact(contact_id), body=body)

    async def _read(self, items: Sequence[BatchItem]) -> list[GraphResponse]:
        """Read a batch; items that fail for now fail all of it, to be read again later.

        What Graph cannot understand (400) is a `Defect`: the request is all our own making.
        """
        answers = await send_batch(self._session, items, self._checked)
        if malformed := [answer for answer in answers if answer.status == 400]:
            message = f"Microsoft Graph does not understand a read: 400 {malformed[0].code}."
            raise Defect(message)
        if passing := [answer for answer in answers if answer.passing]:
            message = "The mailbox did not answer all of a batch."
            raise Unavailable(message, longest_wait(passing))
        return answers

    def _checked(self, answer: GraphResponse, *, folder: bool = False) -> GraphResponse:
        """The answer if it is a success; a 403 closes this mailbox and says nothing of others."""
        if answer.ok:
            return answer
        if mailbox_error := missing_mailbox(answer):
            raise mailbox_error
        if folder and answer.status == 404:
            raise FolderGoneError
        raise Refused(answer.status, answer.code)


def _mask(contact: Mapping[str, Any]) -> int:
    """Which fields we wrote of a contact, by its own account."""
    for extended in contact.get("singleValueExtendedProperties") or ():
        if extended.get("id", "").lower() == WRITTEN.lower():
            with suppress(ValueError):
                return int(str(extended.get("value")), 16)
    return 0


def _marked(value: str) -> str:
    """The filter for what bears our mark with this value."""
    return f"singleValueExtendedProperties/Any(ep: ep/id eq '{MARK}' and ep/value eq '{value}')"


def missing_mailbox(answer: GraphResponse) -> NeedsAdmin | None:
    """The reason if Graph's answer says that there is no mailbox, or none for us."""
    if answer.code in _NO_MAILBOX or "mailbox is either inactive" in answer.message.lower():
        return NeedsAdmin(Reason.NO_MAILBOX, f"Graph answered {answer.code}.")
    if answer.status == 404 and answer.code in {"ErrorInvalidUser", "Request_ResourceNotFound"}:
        return NeedsAdmin(Reason.USER_NOT_FOUND, f"Graph answered {answer.code}.")
    if answer.status == 403:
        return NeedsAdmin(Reason.ACCESS_DENIED, f"Graph answered 403 {answer.code}.")
    return None
