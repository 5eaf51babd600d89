"""The folders and categories of one user's mailbox, and how its requests are sent.

Docs: contactfolder, user-post-contactfolders, outlookuser-post-mastercategories.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final
from urllib.parse import quote

from shared.adapters.graph.batch import BatchItem, longest_wait, send_batch
from shared.adapters.graph.mailboxes.answers import FolderGoneError, is_gone, missing_mailbox
from shared.adapters.graph.transport import GraphResponse, GraphSession
from shared.domain.contacts.fields import MARK, mark_of
from shared.domain.errors import Defect, NeedsAdmin, Refused, Unavailable
from shared.domain.reasons import Reason

_NAMES_TRIED: Final = 5
_DEEPEST: Final = 8
PLACE: Final = {"$select": "id,parentFolderId"}


class MailboxFolders:
    """One mailbox, for one import: its folders.

    Every call may raise what `GraphSession.request` raises, and `NeedsAdmin` with its reason if the
    mailbox does not exist, is full or is closed to us. `wrote` says whether a write was sent,
    `unanswered` whether one may still take effect. `parents` are the folders above those that were
    found or created. `surplus` are further folders with this import's mark that a check of its
    place found: their user restored them from Deleted Items after we had made another one.
    """

    def __init__(self, session: GraphSession, user: str, import_id: str) -> None:
        self._session = session
        self._user = user
        self._root = root_of(user)
        self._import = import_id
        self.parents: dict[str, str] = {}
        self.surplus: tuple[str, ...] = ()
        self.wrote = False
        self.unanswered = False

    async def find_folder(self) -> str | None:
        """Return the id of this import's own folder, which is found by its mark, not its name."""
        return next(iter(await self.own_folders()), None)

    async def own_folders(self) -> list[str]:
        """Return the ids of all folders with this import's mark; usually there is one."""
        item = own_folders(self._root, self._import)
        answer = self._checked(await self._session.read(item.path, query=item.query))
        return [self._noted(folder) for folder in answer.value]

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
            return self._noted(self._checked(answer).body)
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
        contacts = answer.value
        return str(contacts[0]["parentFolderId"]) if contacts else None

    async def require_in_place(self, folder: str, home: str) -> None:
        """Raise `FolderGoneError` if our folder is not below `home`, nor in another contact folder.

        A folder that the user deletes keeps its id, and moves to Deleted Items with its contacts.
        """
        item = own_folders(self._root, self._import)
        answer = await self._session.read(item.path, query=item.query)
        await self._require_listed(answer, folder, home)

    async def _require_listed(self, answer: GraphResponse, folder: str, home: str) -> None:
        """Require the folder's place, given the list of folders with our mark; note the others."""
        if (error := missing_mailbox(answer)) is not None:
            raise error
        listed = answer.value if answer.ok else ()
        places = {str(found["id"]): str(found.get("parentFolderId")) for found in listed}
        self.surplus = tuple(sorted(places.keys() - {folder}))
        if places.get(folder) != home:
            await self._require_place(
                await self._session.read(self._folder(folder), query=PLACE), home
            )

    async def _require_place(self, answer: GraphResponse, home: str) -> None:
        parent = str(self._checked(answer, folder=True).body.get("parentFolderId") or "")
        if parent and parent != home and not await self._is_contact_folder(parent, home):
            raise FolderGoneError

    async def _is_contact_folder(self, folder: str, home: str) -> bool:
        """Return whether a folder is among the user's contact folders, however deep.

        `home` is where new folders are created: Contacts, or the folder above it.
        """
        if folder == await self._parent(home):
            return True
        path, query = f"{self._root}/contactFolders", {"$select": "id", "$top": "100"}
        pages = self._session.pages(path, query=query, check=self._checked)
        known = {str(found["id"]) async for page in pages for found in page["value"]}
        known.add(await self.default_folder() or "")
        for _ in range(_DEEPEST):
            if folder in known:
                return True
            parent = await self._parent(folder)
            if not parent or parent in {folder, home}:
                return False
            folder = parent
        return False

    async def any_contact_folder(self, folders: Iterable[str]) -> bool:
        """Return whether one of these ids is a contact folder's, and not that of Deleted Items."""
        for folder in folders:
            if folder and await self._parent(folder):
                return True
        return False

    async def _parent(self, folder: str) -> str | None:
        """Return the folder above a folder; None if it is not a contact folder."""
        answer = await self._session.read(self._folder(folder), query=PLACE)
        return str(answer.body.get("parentFolderId") or "") if answer.ok else None

    async def remove_folder(self, folder: str) -> bool:
        """Delete our folder if it is empty, and return whether it is gone.

        Exchange refuses this if Deleted Items holds a folder of the same name. If it also refuses
        to delete ours for good, the empty folder stays.
        """
        path = self._folder(folder)
        inside = [
            BatchItem("GET", f"{path}/contacts", {"$select": "id", "$top": "1"}),
            BatchItem("GET", f"{path}/childFolders", {"$select": "id", "$top": "1"}),
        ]
        answers = await self._read(inside)
        if any(is_gone(answer) for answer in answers):
            return True
        if any(self._checked(answer).value for answer in answers):
            return False
        answer = await self._write("DELETE", path)
        if answer.code == "ErrorCannotDeleteObject":
            answer = await self._write("POST", f"{path}/permanentDelete")
            return answer.ok or is_gone(answer)
        if not is_gone(answer):
            self._checked(answer)
        return True

    async def make_category(self, name: str, color: str) -> str | None:
        """Add a category with its color to the user's list, and return its id.

        None if the user already has a category of that name, which is left unchanged. Raises
        `NeedsAdmin` if Graph refuses, as it does without the permission MailboxSettings.ReadWrite.
        """
        body = {"displayName": name, "color": color}
        answer = await self._write("POST", self._categories, body)
        if answer.ok:
            return str(answer.body["id"])
        # Documents name no status and code for a name that exists.
        if answer.status == 409 or (answer.status != 403 and await self._has_category(name)):
            return None
        return str(self._checked(answer).body["id"])

    async def category_named(self, name: str) -> str | None:
        """Return the id of the category with this name in the user's list."""
        return _id_of(self._checked(await self._session.read(self._categories)), name)

    async def _has_category(self, name: str) -> bool:
        answer = await self._session.read(self._categories)
        return answer.ok and _id_of(answer, name) is not None

    async def remove_category(self, id_: str) -> None:
        """Remove a category that we added from the user's list, if Graph lets us."""
        await self._write("DELETE", f"{self._categories}/{quote(id_, safe='')}")

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

    def _noted(self, folder: dict[str, object]) -> str:
        """Return the id of a folder, and note the folder above it."""
        id_ = str(folder["id"])
        self.parents[id_] = str(folder.get("parentFolderId") or "")
        return id_

    async def _read(
        self, items: Sequence[BatchItem], *, lenient: bool = False
    ) -> list[GraphResponse]:
        """Read a batch; a transient error of one item fails the batch, to be read again later.

        With `lenient`, a 500 does not. A 400 is a `Defect`, because the request is entirely our
        own, unless it is about an id of another mailbox.
        """
        answers = await send_batch(self._session, items, self._checked)
        malformed = [a for a in answers if a.status == 400 and not is_gone(a)]
        for answer in malformed:
            if mailbox_error := missing_mailbox(answer):
                raise mailbox_error
            message = f"Microsoft Graph rejected a read as malformed: 400 {answer.code}."
            raise Defect(message)
        transient = [a for a in answers if a.is_transient and not (lenient and a.status == 500)]
        if transient:
            message = "Some reads of a batch in the mailbox failed temporarily."
            raise Unavailable(message, longest_wait(transient))
        return answers

    def _checked(self, answer: GraphResponse, *, folder: bool = False) -> GraphResponse:
        """Return a successful response. A 403 means that only this mailbox is not accessible."""
        if answer.ok:
            return answer
        if mailbox_error := missing_mailbox(answer):
            raise mailbox_error
        if folder and is_gone(answer):
            raise FolderGoneError
        raise Refused(answer.status, answer.code)


def _id_of(categories: GraphResponse, name: str) -> str | None:
    """Return the id of the category with a name, whatever its case."""
    named = (c for c in categories.value if _same(str(c.get("displayName")), name))
    return next((str(category["id"]) for category in named), None)


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def root_of(user: str) -> str:
    """Return the path of a user's mailbox."""
    return f"/users/{quote(user, safe='')}"


def own_folders(root: str, import_id: str) -> BatchItem:
    """Return the request for the folders of a mailbox that have an import's mark."""
    query = {"$filter": marked(mark_of(import_id)), **PLACE}
    return BatchItem("GET", f"{root}/contactFolders", query)


def marked(value: str) -> str:
    """Return the filter for items that have our mark with this value."""
    return f"singleValueExtendedProperties/Any(ep: ep/id eq '{MARK}' and ep/value eq '{value}')"
