"""The ledger for people: entries with the names of what they are about, and as a file.

Names are read where they are kept now: of shares and imports from their rows, of people from the
directory. None is stored with an entry.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import orjson

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.records import Listing
from shared.adapters.storage.store import Store
from shared.domain.contacts.keys import object_id_of
from shared.domain.errors import NeedsAdmin, TransientError
from shared.domain.importing.schedule import import_of
from shared.domain.model import GUID
from shared.domain.spreadsheet import MAX_ROWS, Cell, Delimiter, csv_lines, csv_start
from shared.domain.tenancy.tenants import LedgerAction, LedgerEntry
from shared.services.insight.previews import DRAFT
from shared.services.sharing.directory_search import DirectorySearch, EntryKind
from shared.services.tenancy.ledger import Ledger, LedgerFilter
from shared.services.tenancy.reads import OTHERS, Reads

_PAGE: Final = 1_000
_PEOPLE: Final = ("when", "who", "action", "origin", "network", "done")
"""The columns for people; the columns for programs follow them."""
_CODES: Final = ("id", "actor", "action", "subject", "client", "actorTenant", "detail")
_PERSONS: Final = (EntryKind.USER, EntryKind.ORG_CONTACT)
LEDGER: Final = "ledger"
"""The subject of the entry that says who downloaded the ledger."""


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Entries, newest first, and the names of their subjects, as far as they have one."""

    entries: tuple[LedgerEntry, ...]
    names: Mapping[str, str]
    token: str | None


@dataclass(frozen=True, slots=True)
class AuditWords:
    """The names of columns, actions and origins in one language."""

    headings: Mapping[str, str]
    actions: Mapping[str, str]
    origins: Mapping[str, str]
    yes: str
    no: str


class AuditLog:
    """The ledger of the caller's tenant, for its pages."""

    def __init__(
        self, store: Store, ledger: Ledger, directory: DirectorySearch, reads: Reads
    ) -> None:
        self._store = store
        self._ledger = ledger
        self._directory = directory
        self._reads = reads

    async def page(
        self, caller: Caller, size: int, token: str | None, wanted: LedgerFilter
    ) -> AuditPage:
        """Return a page of entries, newest first."""
        listing = await self._ledger.page(caller, size, token, wanted)
        entries = tuple(stored.value for stored in listing.items)
        return AuditPage(entries, await self._names(caller, entries), listing.token)

    async def file(
        self, caller: Caller, wanted: LedgerFilter, delimiter: Delimiter, words: AuditWords
    ) -> bytes:
        """Return the newest 50,000 entries of a filter as a file for spreadsheet programs."""
        await self._reads.note(caller, LedgerAction.EXPORTED, LEDGER)
        headings = [*(words.headings[name] for name in _PEOPLE), *_CODES]
        parts, token, count = [csv_start(headings, delimiter)], None, 0
        while count < MAX_ROWS:
            listing: Listing[LedgerEntry] = await self._ledger.page(caller, _PAGE, token, wanted)
            rows = (_row(stored.value, words) for stored in listing.items)
            parts.append(csv_lines(rows, delimiter).encode())
            token, count = listing.token, count + len(listing.items)
            if token is None:
                break
        return b"".join(parts)

    async def _names(self, caller: Caller, entries: Iterable[LedgerEntry]) -> dict[str, str]:
        """Return the names of the entries' subjects, by subject; those that are gone have none."""
        by_kind: dict[str, set[str]] = {}
        for entry in entries:
            by_kind.setdefault(_kind(entry.action), set()).add(entry.subject)
        runs = {run: import_of(run) for run in by_kind.get("run", ())}
        # What was previewed is a share or an import; asking both saves waiting for the first.
        previewed = by_kind.get("previewed", set()) - {DRAFT, OTHERS}
        shares = previewed | by_kind.get("share", set())
        imports = (previewed | by_kind.get("import", set()) | {*runs.values()}) - {""}
        found, also, people = await asyncio.gather(
            self._store.shares.read_many(caller.tenant, sorted(shares)),
            self._store.imports.read_many(caller.tenant, sorted(imports)),
            self._people(caller, by_kind.get("person", set())),
        )
        called = {stored.value.id: stored.value.name for stored in found}
        called |= {stored.value.id: stored.value.name for stored in also}
        called |= {run: called[id_] for run, id_ in runs.items() if id_ in called}
        return called | people

    async def _people(self, caller: Caller, subjects: set[str]) -> dict[str, str]:
        """Return the names of people; none if the directory cannot be read now."""
        ids = {s: object_id_of(s) for s in subjects if re.fullmatch(GUID, object_id_of(s))}
        if not ids:
            return {}
        try:
            found = await self._directory.name(caller, ids.values(), _PERSONS)
        except (TransientError, NeedsAdmin):
            return {}
        return {s: found[id_].name for s, id_ in ids.items() if id_ in found}


def _kind(action: str) -> str:
    """Return the kind of an entry's subject."""
    match action.split("."):
        case ["access", "exported"]:
            return "run"
        case ["access", kind]:
            return kind
        case [kind, *_]:
            return kind
    return ""


def _row(entry: LedgerEntry, words: AuditWords) -> list[Cell]:
    return [
        entry.when.isoformat(timespec="seconds"),
        entry.actor_name,
        words.actions.get(entry.action, entry.action),
        words.origins.get(entry.origin, entry.origin),
        entry.network,
        words.yes if entry.done else words.no,
        # The columns for programs.
        entry.id,
        entry.actor,
        entry.action,
        entry.subject,
        entry.client,
        entry.actor_tenant,
        orjson.dumps(entry.detail).decode() if entry.detail else "",
    ]
