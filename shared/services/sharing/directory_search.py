"""Searches people, groups and organizational contacts in the tenant's directory, and names them.

Neither search texts nor results are stored or logged.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.graph import directory
from shared.adapters.graph.directory_search import search
from shared.adapters.graph.transport import Graph, GraphSession
from shared.domain.sharing.selection import Unmatched, unmatched
from shared.domain.tenancy.tenants import LedgerAction
from shared.services.tenancy.reads import Reads

FOUND_AT_MOST: Final = 10
"""The maximum number of matches of each kind for a text."""
MATCHED_AT_MOST: Final = 999
"""The most users that a text finds when a list is searched: one page of Graph (docs: paging)."""
_OBJECT_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class EntryKind(StrEnum):
    """The kinds of objects to search for."""

    USER = "user"
    GROUP = "group"
    ORG_CONTACT = "orgContact"


@dataclass(frozen=True, slots=True)
class Found:
    """An object of the directory; a text is '' if the directory has none.

    `detail` distinguishes objects of the same name: a user's job and department, a contact's
    company.
    """

    kind: EntryKind
    id: str
    name: str
    address: str
    detail: str


_FIELDS: Final = {
    EntryKind.USER: "id,displayName,mail,userPrincipalName,jobTitle,department",
    EntryKind.GROUP: "id,displayName,mail,description",
    EntryKind.ORG_CONTACT: "id,displayName,mail,companyName,department",
}
_PATHS: Final = {
    EntryKind.USER: "/users",
    EntryKind.GROUP: "/groups",
    EntryKind.ORG_CONTACT: "/contacts",
}
_DETAIL: Final = {
    EntryKind.USER: ("jobTitle", "department"),
    EntryKind.GROUP: ("description",),
    EntryKind.ORG_CONTACT: ("companyName", "department"),
}
_ALL: Final = tuple(EntryKind)


class DirectorySearch:
    """The directory of the caller's tenant."""

    def __init__(self, graph: Graph, reads: Reads) -> None:
        self._graph = graph
        self._reads = reads

    async def find(
        self, caller: Caller, text: str, kinds: Collection[EntryKind] = _ALL
    ) -> list[Found]:
        """Return matches for a text, at most 10 of each kind; those that begin with it come first.

        The text is the beginning of words in a name or of an address, or a complete object id.
        Sends one HTTP request to Graph. Raises `TransientError` and `NeedsAdmin`.
        """
        return await self._find(caller, text, kinds, FOUND_AT_MOST)

    async def _find(
        self, caller: Caller, text: str, kinds: Collection[EntryKind], most: int
    ) -> list[Found]:
        await self._reads.note(caller, LedgerAction.SEARCHED, caller.tenant)
        given = text.strip()
        if _OBJECT_ID.fullmatch(given):
            return list((await self.name(caller, [given], kinds)).values())
        wanted = [kind for kind in EntryKind if kind in kinds]
        fields = {_PATHS[kind]: _FIELDS[kind] for kind in wanted}
        answers = await search(self._graph.session(caller.tenant), fields, given, most)
        found: list[Found] = []
        for kind, objects in zip(wanted, answers, strict=True):
            found += sorted((_found(kind, o) for o in objects), key=lambda f: _order(f, given))
        return found

    async def mailboxes(self, caller: Caller, text: str) -> tuple[list[str], bool]:
        """Return the ids of the users that match a text, and whether these are all.

        At most 999 are returned. An object id always matches itself, so this also finds rows of
        users who are no longer in the directory.
        """
        given = text.strip()
        found = await self._find(caller, given, (EntryKind.USER,), MATCHED_AT_MOST)
        ids = [user.id for user in found]
        whole = len(ids) < MATCHED_AT_MOST
        return ids or ([given.lower()] if _OBJECT_ID.fullmatch(given) else []), whole

    async def addressed(self, caller: Caller, addresses: Iterable[str]) -> dict[str, Found]:
        """Return the users with these mail addresses or sign-in names, by address in lower case.

        Raises `TransientError` and `NeedsAdmin`.
        """
        await self._reads.note(caller, LedgerAction.SEARCHED, caller.tenant)
        session, kind = self._graph.session(caller.tenant), EntryKind.USER
        users = await directory.users_by_address(session, addresses, _FIELDS[kind])
        return {address: _found(kind, user) for address, user in users.items()}

    async def unmatched(
        self, caller: Caller, filter_: Mapping[str, Sequence[str]]
    ) -> tuple[Unmatched, ...]:
        """Return the values of a share's filter that no user has, with values that users have.

        Without a filter, nothing is read; else all users are, 999 per request. Raises
        `TransientError` and `NeedsAdmin`.
        """
        if not filter_:
            return ()
        session = self._graph.session(caller.tenant)
        fields = directory.select("id", directory.PROOF, *filter_)
        users = [user async for user in directory.all_users(session, fields, managers=False)]
        return unmatched(filter_, users)

    async def name(
        self, caller: Caller, ids: Iterable[str], kinds: Collection[EntryKind] = _ALL
    ) -> dict[str, Found]:
        """Return the objects with these ids, by the ids as given, without those that are gone.

        One HTTP request holds 1,000 users and 300 objects of every other kind. Ids that are not
        users are looked up among groups, and so on. Raises `TransientError` and `NeedsAdmin`.
        """
        missing = {id_.lower(): id_ for id_ in ids}
        session, named = self._graph.session(caller.tenant), dict[str, Found]()
        for kind in (kind for kind in EntryKind if kind in kinds):
            if not missing:
                break
            for object_ in (await _by_id(session, kind, missing.values())).values():
                given = missing.pop(str(object_["id"]).lower(), None)
                if given is not None:
                    named[given] = _found(kind, object_)
        return named


async def _by_id(
    session: GraphSession, kind: EntryKind, ids: Iterable[str]
) -> dict[str, dict[str, Any]]:
    match kind:
        case EntryKind.USER:
            return await directory.users_looked_up(session, ids, _FIELDS[kind])
        case EntryKind.GROUP:
            return await directory.groups_by_id(session, ids, _FIELDS[kind])
        case EntryKind.ORG_CONTACT:
            return await directory.org_contacts_by_id(session, ids, _FIELDS[kind])


def _found(kind: EntryKind, object_: dict[str, Any]) -> Found:
    parts = [str(object_.get(name) or "").strip() for name in _DETAIL[kind]]
    address = str(object_.get("mail") or "")
    name = str(object_.get("displayName") or object_.get("userPrincipalName") or address)
    return Found(kind, str(object_["id"]), name, address, " · ".join(filter(None, parts)))


def _order(found: Found, text: str) -> tuple[bool, str, str]:
    begins = found.name.casefold().startswith(text.casefold())
    return not begins, found.name.casefold(), found.id
