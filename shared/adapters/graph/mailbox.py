"""One user's mailbox: our folder, its delta, our marks, and writes of contacts in batches.

Docs: contact, contactfolder, contact-delta, singlevaluelegacyextendedproperty-get, json-batching.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
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
from shared.domain.contacts.known import Change
from shared.domain.contacts.plan import Adopt, Create, Delete, Operation, SetPhoto, Update
from shared.domain.errors import Defect, NeedsAdmin, Refused, Unavailable
from shared.domain.reasons import Reason

_DELTA_PAGE: Final = {"Prefer": "odata.maxpagesize=200"}
_NAMES_TRIED: Final = 5
_WITH_MARK: Final = f"singleValueExtendedProperties($filter=id eq '{MARK}' or id eq '{WRITTEN}')"
_NO_MAILBOX: Final = ("MailboxNotEnabledForRESTAPI", "MailboxNotSupportedForRESTAPI")


class FolderGoneError(Exception):
    """The folder no longer exists."""


class LinkExpiredError(Exception):
    """The delta link has expired, so the whole folder must be read again."""


@dataclass(frozen=True, slots=True)
class Delta:
    """The changes in a folder, and the link for the next delta."""

    changes: tuple[Change, ...]
    link: str


class Mailbox:
    """One mailbox, for one import.

    Every call may raise what `GraphSession.request` raises, and `NeedsAdmin` with its reason if the
    mailbox does not exist or is closed to us. `wrote` says whether a write was sent, `unanswered`
    whether one may still take effect.
    """

    def __init__(self, session: GraphSession, user: str, import_id: str) -> None:
        self._session = session
        self._root = f"/users/{quote(user, safe='')}"
        self._import = import_id
        self._contacts = f"{self._root}/contacts"
        self.wrote = False
        self.unanswered = False

    def in_folder(self, folder: str | None) -> None:
        """Choose the folder to read and write contacts in: ours, or (None) the default one."""
        self._contacts = f"{self._folder(folder)}/contacts" if folder else f"{self._root}/contacts"

    async def find_folder(self) -> str | None:
        """Return the id of this import's own folder, which is found by its mark, not its name."""
        answer = self._checked(
            await self._session.read(
                f"{self._root}/contactFolders",
                query={"$filter": _marked(mark_of(self._import)), "$select": "id"},
            )
        )
        folders = answer.body["value"]
        return str(folders[0]["id"]) if folders else None

    async def folder_named(self, name: str) -> str | None:
        """Return the id of the folder with this name next to the default one, whoever made it."""
        query = {"$select": "id,displayName", "$top": "100"}
        path = f"{self._root}/contactFolders"
        async for page in self._session.pages(path, query=query, check=self._checked):
            for folder in page["value"]:
                if str(folder["displayName"]).casefold() == name.casefold():
                    return str(folder["id"])
        return None

    async def mark_folder(self, folder: str) -> None:
        """Mark an existing folder as this import's own."""
        mark = {"id": MARK, "value": mark_of(self._import)}
        body = {"singleValueExtendedProperties": [mark]}
        answer = await self._write("PATCH", self._folder(folder), body)
        self._checked(answer, folder=True)

    async def create_folder(self, name: str) -> str:
        """Create this import's own folder and return its id.

        If another folder already has the name, ours is called 'name (2)' and so on.
        """
        for number in range(1, _NAMES_TRIED + 1):
            body = {
                "displayName": name if number == 1 else f"{name} ({number})",
                "singleValueExtendedProperties": [{"id": MARK, "value": mark_of(self._import)}],
            }
            answer = await self._write("POST", f"{self._root}/contactFolders", body)
            if answer.status == 409:
                continue
            return str(self._checked(answer).body["id"])
        raise NeedsAdmin(Reason.FOLDER_NAME_TAKEN, "No free name for the contact folder.")

    async def rename_folder(self, folder: str, name: str) -> None:
        """Rename our folder; do nothing if the name is taken."""
        answer = await self._write("PATCH", self._folder(folder), {"displayName": name})
        if answer.status != 409:
            self._checked(answer, folder=True)

    async def default_folder(self) -> str | None:
        """Return the id of the default Contacts folder; None if it has no contacts.

        It has no documented well-known name in v1.0 and is not among contactFolders, so the id is
        read from one of its contacts.
        """
        answer = self._checked(
            await self._session.read(
                f"{self._root}/contacts", query={"$select": "parentFolderId", "$top": "1"}
            )
        )
        contacts = answer.body["value"]
        return str(contacts[0]["parentFolderId"]) if contacts else None

    async def delta(self, folder: str, link: str | None = None) -> Delta:
        """Return the changes in a folder since `link` or, without one, all its contacts.

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
        """Return the marks of those contacts that belong to this import.

        Reads each contact separately, 20 in a batch, because expanding the property is documented
        only for single items.
        """
        found: dict[str, Mark] = {}
        for id_, contact in (await self._with_marks(ids)).items():
            for key in self._keys(contact):
                if key is not None:
                    found[id_] = Mark(key, _mask(contact))
        return found

    async def all_marks(self, ids: Sequence[str]) -> dict[str, str | None]:
        """Return the source keys of the marked contacts, or None for marks of other imports."""
        contacts = await self._with_marks(ids)
        return {id_: key for id_, contact in contacts.items() for key in self._keys(contact)}

    async def names(self, ids: Sequence[str]) -> dict[str, str]:
        """Return the display names of those contacts that exist."""
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
        """Return the ids of the contacts with the marks of these source keys, by key."""
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
        """Send at most 20 operations in one batch and return their responses, in order."""
        items = [self._item(o, category) for o in operations]
        with self._writing():
            return await send_batch(self._session, items, self._checked)

    async def remove_folder(self, folder: str) -> bool:
        """Delete our folder if it is empty, and return whether it is gone."""
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
        answer = await self._write("DELETE", path)
        if answer.status != 404:
            self._checked(answer)
        return True

    async def make_category(self, name: str, color: str) -> str | None:
        """Add a category with its color to the user's list, and return its id.

        None if the user already has a category of that name, which is left unchanged. Raises
        `NeedsAdmin` (access denied) without the permission MailboxSettings.ReadWrite.
        """
        body = {"displayName": name, "color": color}
        answer = await self._write("POST", self._categories, body)
        return None if answer.status == 409 else str(self._checked(answer).body["id"])

    async def remove_category(self, id_: str) -> None:
        """Remove a category that we added from the user's list, if it still exists."""
        answer = await self._write("DELETE", f"{self._categories}/{quote(id_, safe='')}")
        if answer.status not in {403, 404}:
            self._checked(answer)

    async def _write(self, method: str, path: str, body: object = None) -> GraphResponse:
        with self._writing():
            return await self._session.request(method, path, body=body)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Note that something is written, and whether its fate is known afterwards."""
        self.wrote = True
        before = self._session.meter.unanswered
        try:
            yield
        finally:
            if self._session.meter.unanswered > before:
                self.unanswered = True

    @property
    def _categories(self) -> str:
        return f"{self._root}/outlook/masterCategories"

    def _folder(self, folder: str) -> str:
        return f"{self._root}/contactFolders/{quote(folder, safe='')}"

    def _contact(self, contact: str) -> str:
        return f"{self._contacts}/{quote(contact, safe='')}"

    def _keys(self, contact: Mapping[str, Any]) -> list[str | None]:
        """Return the key of a contact's mark (None: another import's), or an empty list."""
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
        """Read a batch; a transient error of one item fails the batch, to be read again later.

        A 400 is a `Defect`, because the request is entirely our own.
        """
        answers = await send_batch(self._session, items, self._checked)
        if malformed := [answer for answer in answers if answer.status == 400]:
            message = f"Microsoft Graph rejected a read as malformed: 400 {malformed[0].code}."
            raise Defect(message)
        if transient := [answer for answer in answers if answer.is_transient]:
            message = "Some reads of a batch in the mailbox failed temporarily."
            raise Unavailable(message, longest_wait(transient))
        return answers

    def _checked(self, answer: GraphResponse, *, folder: bool = False) -> GraphResponse:
        """Return a successful response. A 403 means that only this mailbox is not accessible."""
        if answer.ok:
            return answer
        if mailbox_error := missing_mailbox(answer):
            raise mailbox_error
        if folder and answer.status == 404:
            raise FolderGoneError
        raise Refused(answer.status, answer.code)


async def folder_links(session: GraphSession, links: Mapping[str, str]) -> dict[str, str]:
    """Read at most 20 delta links, one per mailbox, in one batch.

    Return the next links of the folders that have not changed; any other answer is left out.
    """
    items = [BatchItem("GET", session.below(link), headers=_DELTA_PAGE) for link in links.values()]
    found: dict[str, str] = {}
    for mailbox, answer in zip(links, await send_batch(session, items), strict=True):
        body = answer.body if answer.ok and isinstance(answer.body, dict) else {}
        if body.get("value") == [] and "@odata.deltaLink" in body:
            found[mailbox] = str(body["@odata.deltaLink"])
    return found


def _mask(contact: Mapping[str, Any]) -> int:
    """Return the mask of the fields we wrote, as recorded on the contact."""
    for extended in contact.get("singleValueExtendedProperties") or ():
        if extended.get("id", "").lower() == WRITTEN.lower():
            with suppress(ValueError):
                return int(str(extended.get("value")), 16)
    return 0


def _marked(value: str) -> str:
    """Return the filter for items that have our mark with this value."""
    return f"singleValueExtendedProperties/Any(ep: ep/id eq '{MARK}' and ep/value eq '{value}')"


def missing_mailbox(answer: GraphResponse) -> NeedsAdmin | None:
    """Return an error if Graph's response means that the mailbox is missing or not accessible."""
    if answer.code in _NO_MAILBOX or "mailbox is either inactive" in answer.message.lower():
        return NeedsAdmin(Reason.NO_MAILBOX, f"Graph returned {answer.code}.")
    if answer.status == 404 and answer.code in {"ErrorInvalidUser", "Request_ResourceNotFound"}:
        return NeedsAdmin(Reason.USER_NOT_FOUND, f"Graph returned {answer.code}.")
    if answer.status == 403:
        return NeedsAdmin(Reason.ACCESS_DENIED, f"Graph returned 403 {answer.code}.")
    return None
