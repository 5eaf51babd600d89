"""One user's mailbox: our contacts in it, their marks, the folder's delta, and writes in batches.

Docs: contact, contact-delta, singlevaluelegacyextendedproperty-get, json-batching.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import batched
from typing import Any, Final
from urllib.parse import quote

from shared.adapters.graph.batch import BATCH_SIZE, BatchItem, longest_wait, send_batch
from shared.adapters.graph.mailboxes.answers import (
    FolderGoneError,
    LinkExpiredError,
    Way,
    is_gone,
    missing_mailbox,
)
from shared.adapters.graph.mailboxes.elsewhere import Places, places
from shared.adapters.graph.mailboxes.folders import MailboxFolders, marked, own_folders, root_of
from shared.adapters.graph.transport import LONGEST_WAIT, Chain, GraphResponse, GraphSession
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
from shared.domain.contacts.holdings import USER_FIELDS
from shared.domain.contacts.known import Change
from shared.domain.contacts.plan import Adopt, Create, Delete, Operation, SetPhoto, Update
from shared.domain.contacts.values import Fields, without_null_parts

_DELTA_PAGE: Final = {"Prefer": "odata.maxpagesize=200"}
_LIST_PAGE: Final = "100"
_READ_TRIES: Final = 3
_SELECT: Final = ",".join((*GRAPH_FIELDS, "categories", *USER_FIELDS))
_WITH_MARK: Final = f"singleValueExtendedProperties($filter=id eq '{MARK}' or id eq '{WRITTEN}')"


@dataclass(frozen=True, slots=True)
class Delta:
    """The changes in a folder, and the link for the next delta (None: the folder was listed)."""

    changes: tuple[Change, ...]
    link: str | None


class Mailbox(MailboxFolders):
    """One mailbox, for one import."""

    def __init__(self, session: GraphSession, user: str, import_id: str) -> None:
        super().__init__(session, user, import_id)
        self._contacts = f"{self._root}/contacts"
        self._empty_text = False
        self._refused_nulls: set[str] = set()
        self._deletes_for_good = True
        self._refused_photos: set[str] = set()
        self._url_safe = False

    def in_folder(self, folder: str | None) -> None:
        """Choose the folder to read and write contacts in: ours, or (None) the default one."""
        self._contacts = f"{self._folder(folder)}/contacts" if folder else f"{self._root}/contacts"

    async def delta(self, folder: str, link: str | None = None) -> Delta:
        """Return the changes in a folder since `link` or, without one, all its contacts.

        Raises `LinkExpiredError` if Graph refuses the link, for whatever reason, and
        `FolderGoneError`. If it refuses a delta without a link, as in a full mailbox, the folder is
        listed instead.
        """
        if link is None:
            path = f"{self._folder(folder)}/contacts/delta"
            first = await self._session.read(path, query={"$select": _SELECT}, headers=_DELTA_PAGE)
            return await self._round(folder, first, since=False)
        if not self._session.may_follow(link):
            raise LinkExpiredError
        first = await self._session.read(link, headers=_DELTA_PAGE)
        return await self._round(folder, first, since=True)

    async def look(self, folder: str, link: str, home: str) -> Delta:
        """Return the changes since `link`, as `delta` does, if our folder is in its place.

        One request asks for both, since the delta of a deleted folder shows nothing.
        """
        if not self._session.may_follow(link):
            raise LinkExpiredError
        items = [
            BatchItem("GET", self._session.below(link), headers=_DELTA_PAGE),
            own_folders(self._root, self._import),
        ]
        first, place = await send_batch(self._session, items, self._checked)
        if first.is_transient or place.is_transient:
            await self.require_in_place(folder, home)
            return await self.delta(folder, link)
        await self._require_listed(place, folder, home)
        return await self._round(folder, first, since=True)

    async def reread(
        self, changes: Sequence[Change], ids: Collection[str], folder: str | None
    ) -> tuple[Change, ...]:
        """Return the changes, with those of `ids` as the contacts are now.

        A contact that is not in the folder is gone, also one that Graph now shows under another
        id; one that cannot be read did not change.
        """
        if not ids:
            return tuple(changes)
        unreadable: set[str] = set()
        found = await self._each(tuple(ids), {"$select": f"{_SELECT},parentFolderId"}, unreadable)
        now = {
            id_: contact
            for id_, contact in found.items()
            if contact.get("parentFolderId") in {None, folder} and contact.get("id", id_) == id_
        }
        known = {change.id: change for change in changes}
        known |= {id_: Change(id_, now.get(id_)) for id_ in ids}
        return tuple(change for id_, change in known.items() if id_ not in unreadable)

    async def _round(self, folder: str, answer: GraphResponse, *, since: bool) -> Delta:
        """Follow the pages of a delta from its first response.

        If they lead to no delta link, the folder is read in another way, as if Graph refused.
        """
        changes: dict[str, Change] = {}
        chain = Chain()
        while True:
            if not answer.ok:
                error = missing_mailbox(answer)
                if error is not None and not answer.is_full:
                    raise error
                if since:
                    raise LinkExpiredError
                if is_gone(answer) and not changes:
                    raise FolderGoneError
                return await self._listed(folder)
            changes |= _changes(answer.value)
            if "@odata.deltaLink" in answer.body:
                return Delta(tuple(changes.values()), str(answer.body["@odata.deltaLink"]))
            link = str(answer.body.get("@odata.nextLink"))
            if not (self._session.may_follow(link) and chain.may_follow(link)):
                if since:
                    raise LinkExpiredError
                return await self._listed(folder)
            answer = await self._session.read(chain.follow(link), headers=_DELTA_PAGE)

    async def _listed(self, folder: str) -> Delta:
        """Return all contacts of a folder without its delta."""
        path, query = f"{self._folder(folder)}/contacts", {"$select": _SELECT, "$top": _LIST_PAGE}
        changes: dict[str, Change] = {}
        async for page in self._session.pages(path, query=query, check=self._in_folder):
            changes |= _changes(page["value"])
        return Delta(tuple(changes.values()), None)

    def _in_folder(self, answer: GraphResponse) -> GraphResponse:
        return self._checked(answer, folder=True)

    async def marks(self, ids: Sequence[str]) -> dict[str, Mark]:
        """Return the marks of those contacts that belong to this import.

        Reads each contact separately, 20 in a batch, because expanding the property is documented
        only for single items.
        """
        found: dict[str, Mark] = {}
        # Contacts that cannot be read stay untouched.
        for id_, contact in (await self._with_marks(ids, set())).items():
            for key in self._keys(contact):
                if key is not None:
                    found[id_] = Mark(key, _mask(contact))
        return found

    async def places(self, ids: Sequence[str]) -> Places:
        """Return the folders of those contacts that exist, whichever they are."""
        return (await places(self._session, {self._user: ids}))[self._user]

    async def all_marks(self, ids: Sequence[str]) -> dict[str, str | None]:
        """Return the source keys of the marked contacts, or None for marks of other imports."""
        contacts = await self._with_marks(ids)
        return {id_: key for id_, contact in contacts.items() for key in self._keys(contact)}

    async def names(self, ids: Sequence[str]) -> dict[str, str]:
        """Return the display names of those contacts that exist."""
        contacts = await self._each(ids, {"$select": "id,displayName"})
        return {id_: str(contact.get("displayName") or "") for id_, contact in contacts.items()}

    async def _with_marks(
        self, ids: Sequence[str], unreadable: set[str] | None = None
    ) -> dict[str, Mapping[str, Any]]:
        return await self._each(ids, {"$select": "id", "$expand": _WITH_MARK}, unreadable)

    async def _each(
        self, ids: Sequence[str], query: Mapping[str, str], unreadable: set[str] | None = None
    ) -> dict[str, Mapping[str, Any]]:
        """Read contacts one by one, 20 in a batch; return those that exist.

        A contact that keeps answering 500 is added to `unreadable`; without it, the read fails. If
        all of a batch do, one more read of the mailbox tells whether it is to blame.
        """
        found: dict[str, Mapping[str, Any]] = {}
        for chunk in batched(ids, BATCH_SIZE, strict=False):
            left: Sequence[str] = chunk
            for tries in range(_READ_TRIES):
                items = [BatchItem("GET", self._contact(i), query) for i in left]
                answers = await self._read(items, lenient=unreadable is not None)
                failed = {i: a for i, a in zip(left, answers, strict=True) if a.status == 500}
                for contact, answer in zip(left, answers, strict=True):
                    if contact not in failed and not is_gone(answer):
                        found[contact] = self._checked(answer).body
                left = tuple(failed)
                if not left:
                    break
                if tries == _READ_TRIES - 1 and len(left) == len(chunk) > 1:
                    await self.default_folder()
                await asyncio.sleep(min(LONGEST_WAIT, longest_wait(failed.values())))
            if unreadable is not None:
                unreadable.update(left)
        return found

    async def find(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the ids of the contacts with the marks of these source keys, by key."""
        found: dict[str, str] = {}
        for chunk in batched(keys, BATCH_SIZE, strict=False):
            items = [self._marked_in(self._contacts, key) for key in chunk]
            found |= self._found(chunk, await self._read(items))
        return found

    async def look_first(self, keys: Sequence[str]) -> tuple[str | None, dict[str, str]]:
        """Return this import's own folder, and what `find` returns for the default folder.

        One request asks for both; at most 19 `keys`.
        """
        items = [own_folders(self._root, self._import)]
        items += [self._marked_in(f"{self._root}/contacts", key) for key in keys]
        place, *answers = await self._read(items)
        folders = [self._noted(folder) for folder in self._checked(place).value]
        return next(iter(folders), None), self._found(keys, answers)

    def _marked_in(self, contacts: str, key: str) -> BatchItem:
        query = {"$filter": marked(mark_of(self._import, key)), "$select": "id"}
        return BatchItem("GET", contacts, query)

    def _found(self, keys: Sequence[str], answers: Sequence[GraphResponse]) -> dict[str, str]:
        """Return the first id of each list of contacts, by key."""
        lists = {k: self._checked(a).value for k, a in zip(keys, answers, strict=True)}
        return {key: str(contacts[0]["id"]) for key, contacts in lists.items() if contacts}

    async def apply(
        self, operations: Sequence[Operation], category: str | None
    ) -> list[GraphResponse]:
        """Send at most 20 operations in one batch and return their responses, in order."""
        ways = [self.way(o) for o in operations]
        items = [self._item(*each, category) for each in zip(operations, ways, strict=True)]
        with self._writing():
            answers = await send_batch(self._session, items, self._checked)
        for operation, way, answer in zip(operations, ways, answers, strict=True):
            self._note(operation, way, answer)
        return answers

    def way(self, operation: Operation) -> Way:
        """Return how an operation is sent now, as far as Graph has not refused that way."""
        match operation:
            case Delete() if operation.only_ours and self._deletes_for_good:
                return Way.FOR_GOOD
            case SetPhoto() if not self._url_safe and operation.key not in self._refused_photos:
                return Way.STANDARD
            case _:
                return Way.PLAIN

    def _note(self, operation: Operation, way: Way, answer: GraphResponse) -> None:
        """Note which ways Graph refuses; one that helps once serves the whole mailbox."""
        match operation:
            case Delete():
                if way.is_refused_by(answer):
                    self._deletes_for_good = False
            case SetPhoto():
                if way.is_refused_by(answer):
                    self._refused_photos.add(operation.key)
                elif answer.ok and operation.key in self._refused_photos:
                    self._url_safe = True
            case _ if answer.status == 500:
                self._refused_nulls.add(operation.key)
            case _ if answer.ok and operation.key in self._refused_nulls:
                self._empty_text = True
            case _:
                pass

    def _contact(self, contact: str) -> str:
        return f"{self._contacts}/{quote(contact, safe='')}"

    def _keys(self, contact: Mapping[str, Any]) -> list[str | None]:
        """Return the key of a contact's mark (None: another import's), or an empty list."""
        return [
            key_of_mark(str(extended.get("value") or ""), self._import)
            for extended in contact.get("singleValueExtendedProperties") or ()
            if _is(extended, MARK)
        ]

    def _item(self, operation: Operation, way: Way, category: str | None) -> BatchItem:
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
                return BatchItem("POST", self._contacts, body=self._written(key, body))
            case Update(key):
                body = self._written(key, operation.body)
                return BatchItem("PATCH", self._contact(operation.id), body=body)
            case Delete(_, id_):
                if way is Way.FOR_GOOD:
                    return BatchItem("POST", f"{self._contact(id_)}/permanentDelete")
                return BatchItem("DELETE", self._contact(id_))
            case SetPhoto():
                path = f"{self._contact(operation.id)}/photo/$value"
                plain = way is Way.PLAIN
                return BatchItem("PUT", path, None, operation.image, "image/jpeg", url_safe=plain)
            case Adopt(key, contact_id):
                mark = {"id": MARK, "value": mark_of(self._import, key)}
                body = {"singleValueExtendedProperties": [mark]}
                return BatchItem("PATCH", self._contact(contact_id), body=body)

    def _written(self, key: str, body: Fields) -> Fields:
        """Return a contact's body, without null parts of addresses if Graph answered 500 to them.

        Once a contact was written that way, all of this mailbox are.
        """
        if self._empty_text or key in self._refused_nulls:
            return without_null_parts(body) or body
        return body


async def folder_links(session: GraphSession, links: Mapping[str, str]) -> dict[str, str]:
    """Read at most 20 delta links, one per mailbox, in one batch.

    Return the next links of the folders that have not changed; any other answer is left out.
    """
    links = {mailbox: link for mailbox, link in links.items() if session.may_follow(link)}
    items = [BatchItem("GET", session.below(link), headers=_DELTA_PAGE) for link in links.values()]
    found: dict[str, str] = {}
    if not items:
        return found
    for mailbox, answer in zip(links, await send_batch(session, items), strict=True):
        body = answer.body if answer.ok and isinstance(answer.body, dict) else {}
        if body.get("value") == [] and "@odata.deltaLink" in body:
            found[mailbox] = str(body["@odata.deltaLink"])
    return found


async def folders_in_place(
    session: GraphSession, import_id: str, folders: Mapping[str, tuple[str, str]]
) -> frozenset[str]:
    """Return the mailboxes whose folder, given with the one above it, is where it was.

    At most 20 are asked, in one batch. A mailbox that does not answer, or has another folder of
    this import, is left out.
    """
    items = [own_folders(root_of(user), import_id) for user in folders]
    answers = await send_batch(session, items) if items else []
    return frozenset(
        user
        for (user, place), answer in zip(folders.items(), answers, strict=True)
        if answer.ok and [(f["id"], f.get("parentFolderId")) for f in answer.value] == [place]
    )


def _changes(items: Iterable[Mapping[str, Any]]) -> dict[str, Change]:
    """Return the entries of a page by id; without one, an entry says nothing."""
    return {
        str(item["id"]): Change(str(item["id"]), None if "@removed" in item else item)
        for item in items
        if item.get("id")
    }


def _mask(contact: Mapping[str, Any]) -> int:
    """Return the mask of the fields we wrote, as recorded on the contact."""
    for extended in contact.get("singleValueExtendedProperties") or ():
        if _is(extended, WRITTEN):
            with suppress(ValueError):
                return int(str(extended.get("value")), 16)
    return 0


def _is(extended: Mapping[str, Any], id_: str) -> bool:
    """Return whether an extended property has this id; Graph's ids may be null."""
    return str(extended.get("id") or "").lower() == id_.lower()
