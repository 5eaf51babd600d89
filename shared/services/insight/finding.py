"""Finds people and mailboxes: where a contact is or why it is missing, and rows of long lists.

The directory resolves a text to users, and rows are then read by their keys. A search therefore
takes as long for ten mailboxes as for ten thousand.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.mailboxes.mailbox_state import Head, MailboxStates
from shared.adapters.storage.records import Listing, Stored, gather_limited
from shared.adapters.storage.results import find_result
from shared.adapters.storage.store import Store
from shared.domain.contacts.keys import object_id_of
from shared.domain.errors import ContactSyncError, NeedsAdmin, TransientError
from shared.domain.importing.imports import Import
from shared.domain.importing.runs import Outcome, Result
from shared.domain.tenancy.tenants import LedgerAction, Seat
from shared.services.importing.runs import ResultPage, Runs
from shared.services.insight.previews import Explanation, Previews
from shared.services.licensing.seats import SeatBook
from shared.services.named_lists import page_start, page_token
from shared.services.privacy.people import ContactLocations, People
from shared.services.sharing.directory_search import (
    MATCHED_AT_MOST,
    DirectorySearch,
    EntryKind,
    Found,
)
from shared.services.tenancy.reads import Reads

_PAGES: Final = 2
NAMED_AT_MOST: Final = 1_000
"""The most mailboxes whose names are read for one person: one request to Graph."""


@dataclass(frozen=True, slots=True)
class MailboxImport:
    """An import that syncs or has synced a mailbox, with its contacts and its last result there."""

    import_: Import
    contacts: int
    run: str | None
    result: Result | None


@dataclass(frozen=True, slots=True)
class MailboxDetails:
    """A mailbox: its user in the directory (None: no longer there), its seat, and its imports.

    `trouble` is why the directory could not be read.
    """

    mailbox: str
    found: Found | None
    seat: Seat | None
    imports: tuple[MailboxImport, ...]
    trouble: ContactSyncError | None = None


@dataclass(frozen=True, slots=True)
class Explained:
    """Why a person is or is not among an import's contacts.

    `trouble` is why this is unknown at the moment, for example because a run is syncing the
    mailbox.
    """

    import_: Import
    explanation: Explanation | None
    trouble: ContactSyncError | None = None


@dataclass(frozen=True, slots=True)
class MailboxSearch:
    """A mailbox, and who was looked for in it: some candidates, or one person with the reasons.

    `trouble` is why the search failed.
    """

    mailbox: MailboxDetails
    found: tuple[Found, ...] = ()
    explained: "PersonDetails | None" = None
    trouble: ContactSyncError | None = None


@dataclass(frozen=True, slots=True)
class PersonDetails:
    """A person: the entry in the directory, and where the contact is.

    Either `locations` (everywhere, with the names of the imports, shares and mailboxes) or
    `explained` (in one `mailbox`, for each import that fills it). `trouble` is why the directory
    could not be read.
    """

    person: str
    found: Found | None
    locations: ContactLocations | None = None
    imports: dict[str, str] = field(default_factory=dict)
    shares: dict[str, str] = field(default_factory=dict)
    mailboxes: dict[str, Found] = field(default_factory=dict)
    mailbox: MailboxDetails | None = None
    explained: tuple[Explained, ...] = ()
    trouble: ContactSyncError | None = None


@dataclass(frozen=True, slots=True)
class SeatMatches:
    """A page of the seats that match a text, and how many do; not `whole`: more may."""

    listing: Listing[Seat]
    total: int
    whole: bool = True


class Finding:
    """Finds people and mailboxes of the caller's tenant."""

    def __init__(
        self,
        store: Store,
        states: MailboxStates,
        directory: DirectorySearch,
        people: People,
        previews: Previews,
        runs: Runs,
        seats: SeatBook,
        reads: Reads,
    ) -> None:
        self._store = store
        self._states = states
        self._directory = directory
        self._people = people
        self._previews = previews
        self._runs = runs
        self._seats = seats
        self._reads = reads

    async def candidates(self, caller: Caller, text: str) -> list[Found]:
        """Return the users and organizational contacts that match a text, at most 10 of each."""
        return await self._directory.find(caller, text, (EntryKind.USER, EntryKind.ORG_CONTACT))

    async def results(
        self,
        caller: Caller,
        run: str,
        text: str,
        outcome: Outcome | None = None,
        size: int = MATCHED_AT_MOST,
        token: str | None = None,
    ) -> ResultPage:
        """Return a page of a run's results in the mailboxes that match a text.

        Raises `NotFound` if the tenant has no such run, and `InvalidInput` if the token is not of
        this search.
        """
        mailboxes, whole = await self._directory.mailboxes(caller, text)
        found = await self._runs.results_of(caller, run, mailboxes, outcome)
        listing = _page(found, text, size, token)
        page = await self._runs.addressed(caller, run, listing)
        return replace(page, total=len(found), whole=whole)

    async def seats(
        self, caller: Caller, text: str, size: int = MATCHED_AT_MOST, token: str | None = None
    ) -> SeatMatches:
        """Return a page of the seats, assigned or waiting, of the mailboxes that match a text.

        Raises `InvalidInput` if the token is not of this search.
        """
        mailboxes, whole = await self._directory.mailboxes(caller, text)
        found = await self._store.seats.read_many(caller.tenant, mailboxes)
        seats = await self._seats.now(caller.tenant, found)
        return SeatMatches(_page(seats, text, size, token), len(seats), whole)

    async def filled(self, caller: Caller, import_id: str) -> tuple[int, int]:
        """Return how many mailboxes hold contacts of an import, and how many contacts in all."""
        return await self._states.held(caller.tenant, import_id)

    async def mailbox(self, caller: Caller, mailbox: str) -> MailboxDetails:
        """Return the imports that fill a mailbox, their last results there, and its seat."""
        named, trouble = await self._named(caller, [mailbox], EntryKind.USER)
        found = named.get(mailbox)
        id_ = found.id if found is not None else mailbox
        await self._reads.note(caller, LedgerAction.PERSON_READ, id_)
        return await self._mailbox(caller, id_, found, trouble)

    async def look(self, caller: Caller, mailbox: str, text: str, person: str) -> MailboxSearch:
        """Return a mailbox, with why it has or lacks a `person`, else who matches a `text`."""
        view = await self.mailbox(caller, mailbox)
        try:
            if person:
                explained = await self.person(caller, person, mailbox)
                return MailboxSearch(view, explained=explained)
            found = await self.candidates(caller, text) if text else ()
        except ContactSyncError as error:
            return MailboxSearch(view, trouble=error)
        return MailboxSearch(view, tuple(found))

    async def who(self, caller: Caller, person: str) -> PersonDetails:
        """Return who a person is, and since when the person is suppressed.

        `person` also finds the contact.
        """
        id_ = object_id_of(person)
        called, trouble = await self._named(caller, [id_])
        locations = ContactLocations(person, await self._people.suppressed_since(caller, person))
        return PersonDetails(person, called.get(id_), locations, trouble=trouble)

    async def person(
        self, caller: Caller, person: str, mailbox: str | None = None
    ) -> PersonDetails:
        """Return where a person's contact is, or why one mailbox does not have it.

        Without `mailbox`, this reads the state of every mailbox and each share of the tenant. With
        `mailbox`, it reads that mailbox once for each import that fills it. `person` is an object
        id or the key of a result.
        """
        await self._reads.note(caller, LedgerAction.PERSON_READ, person)
        id_ = object_id_of(person)
        called, trouble = await self._named(caller, [id_])
        found = called.get(id_)
        if mailbox is not None:
            view = await self.mailbox(caller, mailbox)
            explained = [
                await self._explained(caller, filling.import_, view.mailbox, person)
                for filling in view.imports
            ]
            return PersonDetails(
                person, found, mailbox=view, explained=tuple(explained), trouble=trouble
            )
        locations = await self._people.find(caller, person)
        places, publications = locations.places, locations.publications
        boxes = dict.fromkeys(box for place in places for box in place.mailboxes)
        named = [
            *(p.share for p in publications),
            *(o.share for o in locations.omitting),
            *locations.unknown,
        ]
        imports = await self._imports(caller, [place.import_id for place in places])
        shares = await self._store.shares.read_many(caller.tenant, named)
        some, silent = await self._named(caller, islice(boxes, NAMED_AT_MOST), EntryKind.USER)
        return PersonDetails(
            person,
            found,
            locations,
            imports={stored.value.id: stored.value.name for stored in imports},
            shares={stored.value.id: stored.value.name for stored in shares},
            mailboxes=some,
            trouble=trouble or silent,
        )

    async def _named(
        self, caller: Caller, ids: Iterable[str], *kinds: EntryKind
    ) -> tuple[dict[str, Found], ContactSyncError | None]:
        """Return the directory's names for ids, or why the directory cannot be read."""
        try:
            return await self._directory.name(caller, ids, kinds or tuple(EntryKind)), None
        except (TransientError, NeedsAdmin) as error:
            return {}, error

    async def _mailbox(
        self,
        caller: Caller,
        mailbox: str,
        found: Found | None,
        trouble: ContactSyncError | None,
    ) -> MailboxDetails:
        tenant = caller.tenant
        stored = await self._store.seats.get(tenant, mailbox)
        seats = await self._seats.now(tenant, [stored]) if stored is not None else ()
        seat = seats[0].value if seats else None
        rows, _ = await self._store.imports.read_columns(tenant, (), pages=_PAGES)

        async def head(import_id: str) -> Stored[Head] | None:
            return await self._states.read(tenant, import_id, mailbox)

        ids = [row.row for row in rows]
        heads = dict(zip(ids, await gather_limited(head, ids), strict=True))
        wanted = set(seat.imports if seat is not None else ())
        filling = [id_ for id_ in ids if heads[id_] is not None or id_ in wanted]
        fillings = [
            await self._filling(tenant, i.value, heads[i.value.id], mailbox)
            for i in await self._imports(caller, filling)
        ]
        return MailboxDetails(mailbox, found, seat, tuple(fillings), trouble)

    async def _filling(
        self, tenant: str, import_: Import, stored: Stored[Head] | None, mailbox: str
    ) -> MailboxImport:
        head = stored.value if stored is not None else Head()
        runs = await self._store.import_runs.get(tenant, import_.id)
        last_run = runs.value.last_run if runs is not None else None
        if last_run is not None:
            result = await find_result(self._store, tenant, last_run, mailbox)
            if result is not None:
                return MailboxImport(import_, head.contacts, last_run, result.value)
        return MailboxImport(import_, head.contacts, head.last_run, head.result)

    async def _imports(self, caller: Caller, ids: list[str]) -> list[Stored[Import]]:
        found = await self._store.imports.read_many(caller.tenant, ids)
        return sorted(found, key=lambda i: (i.value.name.casefold(), i.value.id))

    async def _explained(
        self, caller: Caller, import_: Import, mailbox: str, person: str
    ) -> Explained:
        try:
            explanation = await self._previews.explain(caller, import_.id, mailbox, person)
        except ContactSyncError as error:
            return Explained(import_, None, error)
        return Explained(import_, explanation)


def _page[T](found: Sequence[Stored[T]], text: str, size: int, token: str | None) -> Listing[T]:
    start = page_start(token, text)
    end = start + size
    return Listing(tuple(found[start:end]), page_token(text, end) if end < len(found) else None)
