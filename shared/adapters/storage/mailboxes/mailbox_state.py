"""The state of our contacts in one mailbox: ids and hashes, never the content of a contact.

An idle mailbox needs only its small head row; the heads of an import share a partition, so that
neighbours are read with one query. The latest delta links of idle neighbours are in `chunk_links`,
the list of contacts is in `mailbox_contacts`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from shared.adapters.storage.mailboxes.chunk_links import (
    FolderLink,
    is_links_row,
    links_row,
    mark_of_link,
    packed_links,
    unpacked_links,
)
from shared.adapters.storage.mailboxes.mailbox_contacts import (
    VERSION,
    ContactRows,
    ListPlace,
    MailboxContacts,
)
from shared.adapters.storage.mailboxes.read_marks import ReadMarks
from shared.adapters.storage.records import Records, Stored
from shared.adapters.storage.tables.client import Row, Tables
from shared.adapters.storage.tables.names import Table
from shared.domain.contacts.known import KnownContacts
from shared.domain.errors import Busy, Conflict, PreconditionFailed
from shared.domain.importing.runs import ContactCounts, Result
from shared.domain.model import Model
from shared.domain.reasons import Reason

_TABLE: Final = Table.MAILBOX_HEADS
_COUNT: Final = "contacts"
_UNREACHABLE: Final = "unreachable"
"""The columns of a head, beside the JSON."""
_HEADS: Final = f"PartitionKey eq @import and {_COUNT} ge 0"
"""The query of an import's heads, without the rows of their links."""


class HeldPlan(Model):
    """Changes about which a run asked an admin, under its `number` then: `HeldPlans` has them."""

    run: str
    number: int
    digest: str


class Partial(Model):
    """What earlier attempts of a run did in a mailbox before their message was put back."""

    run: str
    contacts: ContactCounts = ContactCounts()
    photos: int = 0
    graph_requests: int = 0
    throttled: int = 0


class Head(Model):
    """The state of one import in one mailbox; while it exists, the mailbox may hold our contacts.

    `number` is that of the run that last worked here. `fingerprint` is that of the snapshot and
    destination last applied (None: a new plan is needed), `begun` a mask of the fields that a
    worker which did not finish may have written. `link` is the folder's delta link, `own_folder`
    whether the folder is ours. `last_run` and `result` describe the last finished run, `partial`
    the progress of an unfinished one, `held` the plans about which an admin was asked. `category`
    is the category of our contacts; `category_id` and `color` describe its entry in the user's list
    if we created it. `keep_edits` says whether the state shows which field a user edited. `notice`
    is a problem that does not affect the contacts. `unreachable` is since when a removal finds no
    mailbox. `read_whole` is when all of the folder was last read. `home` is the folder above ours,
    `looked` when it was last seen there. `away` are contacts that left the folder, and still exist;
    the last of them left at `departed`. `moved` says that some are in another contact folder.
    """

    version: int = VERSION
    number: int = 0
    begun: int = 0
    fingerprint: str | None = None
    folder: str | None = None
    own_folder: bool = True
    folder_name: str | None = None
    link: str | None = None
    rows: ContactRows = ContactRows()
    contacts: int = 0
    last_run: str | None = None
    result: Result | None = None
    partial: Partial | None = None
    held: tuple[HeldPlan, ...] = ()
    category: str | None = None
    category_id: str | None = None
    color: str | None = None
    keep_edits: bool = False
    notice: Reason | None = None
    unreachable: datetime | None = None
    read_whole: datetime | None = None
    home: str | None = None
    looked: datetime | None = None
    away: tuple[str, ...] = ()
    departed: datetime | None = None
    moved: bool = False


@dataclass(slots=True)
class Neighbors:
    """Heads of one chunk, those of their links that are newer, and the rows that hold these."""

    heads: dict[str, Head] = field(default_factory=dict)
    links: dict[str, FolderLink] = field(default_factory=dict)
    rows: list[str] = field(default_factory=list)

    def link(self, mailbox: str) -> str | None:
        """Return the latest link of a mailbox's folder."""
        entry = self.links.get(mailbox)
        return entry.link if entry is not None else self.heads[mailbox].link

    def looked(self, mailbox: str) -> datetime | None:
        """Return when a mailbox's folder was last seen in its place."""
        entry = self.links.get(mailbox)
        return entry.looked if entry is not None else self.heads[mailbox].looked

    def followed(self, mailbox: str, link: str, looked: datetime | None) -> FolderLink:
        """Return the entry for a new link, which follows from the latest one."""
        return FolderLink(mark_of_link(str(self.heads[mailbox].link)), link, looked)


class MailboxStates:
    """The states of all mailboxes."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.lists = MailboxContacts(tables)
        self.read_marks = ReadMarks(tables)
        self._heads = Records[Head](
            tables,
            _TABLE,
            Head,
            {_COUNT: lambda h: h.contacts, _UNREACHABLE: lambda h: h.unreachable},
        )

    async def read(self, tenant: str, import_id: str, mailbox: str) -> Stored[Head] | None:
        """Read the head of one mailbox; None if it was never synced."""
        found = await self._heads.get(_partition(tenant, import_id), mailbox)
        if found is not None and found.value.version > VERSION:
            raise Busy("A newer version of the app wrote the state of this mailbox.", 60.0)
        return found

    async def neighbors(self, tenant: str, import_id: str, mailboxes: Sequence[str]) -> Neighbors:
        """Read the heads of mailboxes that stand side by side, and their links, with one query."""
        found = Neighbors()
        if not mailboxes:
            return found
        wanted, links = frozenset(mailboxes), dict[str, FolderLink]()
        rows = self._tables.rows(
            _TABLE,
            "PartitionKey eq @import and RowKey ge @first and RowKey le @last",
            {
                "import": _partition(tenant, import_id),
                "first": min(mailboxes),
                "last": links_row(mailboxes),
            },
        )
        async for row in rows:
            if is_links_row(row.row):
                found.rows.append(row.row)
                links.update(unpacked_links(row))
            elif row.row in wanted:
                head = self._heads.parsed(row).value
                if head.version <= VERSION:
                    found.heads[row.row] = head
        for mailbox, entry in links.items():
            head_of = found.heads.get(mailbox)
            link = head_of.link if head_of is not None else None
            if link is not None and mark_of_link(link) == entry.base:
                found.links[mailbox] = entry
        return found

    async def write_links(
        self,
        tenant: str,
        import_id: str,
        mailboxes: Sequence[str],
        links: Mapping[str, FolderLink],
        known: Sequence[str],
    ) -> None:
        """Write the links of a chunk, and delete `known` rows of other divisions into chunks."""
        partition, row = _partition(tenant, import_id), links_row(mailboxes)
        await self._tables.upsert(_TABLE, partition, row, packed_links(links))
        if stale := [name for name in known if name != row]:
            await self._tables.write_many(_TABLE, partition, dict.fromkeys(stale))

    async def erase_links(self, tenant: str, import_id: str) -> None:
        """Erase the links of an import that ends; a head that has just appeared stays."""
        partition = _partition(tenant, import_id)
        rows = self._tables.partition(_TABLE, partition, ["PartitionKey", "RowKey"])
        links = [row.row async for row in rows if is_links_row(row.row)]
        await self._tables.write_many(_TABLE, partition, dict.fromkeys(links))

    async def write(
        self, tenant: str, import_id: str, mailbox: str, head: Head, etag: str | None
    ) -> Stored[Head]:
        """Write a head if its ETag still matches (None: it must not exist yet).

        Raises `Busy` if another worker wrote it first.
        """
        partition = _partition(tenant, import_id)
        try:
            if etag is None:
                return await self._heads.insert(partition, mailbox, head)
            return await self._heads.replace(partition, mailbox, head, etag)
        except (Conflict, PreconditionFailed) as error:
            message = "Another worker changed the state of this mailbox."
            raise Busy(message, 5.0) from error

    async def delete(self, tenant: str, import_id: str, mailbox: str, etag: str) -> None:
        """Delete a head; raises `Busy` if another worker wrote it first."""
        try:
            await self._heads.delete(_partition(tenant, import_id), mailbox, etag)
        except PreconditionFailed as error:
            message = "Another worker changed the state of this mailbox."
            raise Busy(message, 5.0) from error

    async def contacts(
        self, tenant: str, import_id: str, mailbox: str, head: Head
    ) -> KnownContacts | None:
        """Read the contacts that a head names; None if some of their rows are missing."""
        if not head.rows.names:
            return {}
        return (await self.lists.load(ListPlace(tenant, import_id, mailbox), head.rows)).known

    async def mailboxes(self, tenant: str, import_id: str) -> list[str]:
        """Return the mailboxes in which the import has, or may have, contacts."""
        return [row.row async for row in self._rows(tenant, import_id, "RowKey")]

    async def any(self, tenant: str, import_id: str) -> bool:
        """Return whether the import has, or may have, contacts in any mailbox."""
        query, given = _HEADS, {"import": _partition(tenant, import_id)}
        token: str | None = None
        while True:
            page = await self._tables.page(
                _TABLE, query, given, size=1, token=token, select=["RowKey"]
            )
            token = page.token
            if page.rows or token is None:
                return bool(page.rows)

    async def any_reachable(self, tenant: str, import_id: str) -> bool:
        """Return whether a mailbox that exists has, or may have, contacts of the import."""
        given = {"import": _partition(tenant, import_id)}
        async for row in self._tables.rows(_TABLE, _HEADS, given):
            if self._heads.parsed(row).value.unreachable is None:
                return True
        return False

    async def held(self, tenant: str, import_id: str) -> tuple[int, int]:
        """Return how many mailboxes hold contacts of the import, and how many contacts in all."""
        counts = await self.counts(tenant, import_id)
        return len(counts), sum(counts.values())

    async def counts(self, tenant: str, import_id: str) -> dict[str, int]:
        """Return how many contacts of the import each mailbox holds that holds any."""
        rows = self._rows(tenant, import_id, "RowKey", _COUNT)
        return {row.row: count async for row in rows if (count := int(row.columns.get(_COUNT, 0)))}

    async def left(self, tenant: str, import_id: str) -> tuple[int, int]:
        """Return in how many mailboxes a removal is still to be proved; how many are unreachable.

        An unreachable mailbox is gone, or its directory entry is, and may come back with contacts.
        """
        rows = self._rows(tenant, import_id, "RowKey", _UNREACHABLE)
        lost = [row.columns.get(_UNREACHABLE) is not None async for row in rows]
        return len(lost), sum(lost)

    def _rows(self, tenant: str, import_id: str, *columns: str) -> AsyncIterator[Row]:
        """Read some columns of the heads of all mailboxes of an import."""
        given = {"import": _partition(tenant, import_id)}
        return self._tables.rows(_TABLE, _HEADS, given, columns)


def _partition(tenant: str, import_id: str) -> str:
    return f"{tenant}|{import_id}"
