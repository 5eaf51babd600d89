"""Reads Entra ID: users, groups with their nested members, organizational contacts.

Every function reads all pages or fails, so that a partial result never counts as complete; an
object that lacks one of the requested `fields` (see `select`) is an error as well, and so is a user
without a principal name, which Graph shows for objects that the app may not read. Each call first
takes its cost from the tenant's resource units. Docs: user-list, group-list-transitivemembers,
orgcontact-list, directoryobject-getbyids, aad-advanced-queries.
"""

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from itertools import batched
from typing import Any, Final

from shared.adapters.graph.batch import BATCH_SIZE, BatchItem, read_lists
from shared.adapters.graph.transport import GraphSession, required
from shared.domain.errors import NeedsAdmin, Refused, Unavailable
from shared.domain.model import GUID
from shared.domain.reasons import Reason

type Object = dict[str, Any]

_PAGE: Final = "999"
_USERS, _MEMBERS, _BY_IDS, _OTHERS = 2, 4, 2, 1
"""The resource units of each kind of request, with $select (docs: throttling-limits)."""

ADVANCED: Final = {"ConsistencyLevel": "eventual"}
"""The header of advanced queries (docs: aad-advanced-queries)."""

_IDS_PER_FILTER: Final = 15
_IDS_PER_LOOKUP: Final = 1_000
PROOF: Final = "userPrincipalName"
"""A property that every user has: null says that the app may not read the object."""
_HINT: Final = "assignedLicenses"
"""Tells that a user may have been given a mailbox. An object without it is whole."""
_MAILBOX_FIELDS: Final = f"id,mail,{PROOF},{_HINT}"
_MANAGER: Final = "manager($select=id,displayName)"
_UNSUPPORTED: Final = "Request_UnsupportedQuery"
_HIDDEN: Final = "hiddenmembership"
_PAUSE: Final = 1.0
"""The seconds to wait before an incomplete response is requested again."""


def select(*properties: str) -> str:
    """Return the `$select` of these properties, without repetitions."""
    return ",".join(dict.fromkeys(properties))


async def all_users(session: GraphSession, fields: str, *, managers: bool) -> AsyncIterator[Object]:
    """Yield every user of the tenant, 999 per page; with the managers' names, 100 per page.

    Graph returns at most 100 objects per page of a request that expands (known issue 13635).
    """
    query = {"$select": fields, "$top": _PAGE} | ({"$expand": _MANAGER} if managers else {})
    units = _USERS if managers else _USERS - 1
    async for page in session.pages("/users", query=query, units=units):
        for user in _complete(page["value"], fields):
            yield user


async def managers_by_id(session: GraphSession, ids: Iterable[str]) -> dict[str, Object]:
    """Return the managers (id and name) of those users that have one; 300 per HTTP request.

    A list of all users would take more requests, since its pages hold 100 (see `all_users`).
    """
    users = await users_by_id(session, ids, "id")
    return {id_: user["manager"] for id_, user in users.items() if user.get("manager")}


async def users_by_id(session: GraphSession, ids: Iterable[str], fields: str) -> dict[str, Object]:
    """Return the users that exist, each with the manager's name; 300 per HTTP request.

    The filter `in` accepts at most 15 values (docs: filter-query-parameter).
    """
    return await _by_id(session, "/users", ids, {"$select": fields, "$expand": _MANAGER}, _USERS)


async def groups_by_id(session: GraphSession, ids: Iterable[str], fields: str) -> dict[str, Object]:
    """Return the groups that exist, with these `fields`; 300 per HTTP request."""
    return await _by_id(session, "/groups", ids, {"$select": fields}, _OTHERS)


async def org_contacts_by_id(
    session: GraphSession, ids: Iterable[str], fields: str
) -> dict[str, Object]:
    """Return the organizational contacts that exist, with these `fields`; 300 per request."""
    return await _by_id(session, "/contacts", ids, {"$select": fields}, _OTHERS)


async def group(session: GraphSession, group_id: str, fields: str) -> Object:
    """Return a group; raises `NeedsAdmin` (group not found) if it does not exist."""
    await session.directory.take(_OTHERS)
    try:
        answer = required(await session.read(f"/groups/{group_id}", query={"$select": fields}))
    except Refused as error:
        raise _group_error(error, group_id) from error
    (found,) = _complete([answer.body], fields)
    return found


async def group_members(session: GraphSession, group_id: str, fields: str) -> AsyncIterator[Object]:
    """Yield the users in a group and its nested groups.

    Raises `NeedsAdmin` (members hidden) if there are none because the app may not see them.
    """
    async for user in _visible(session, group_id, "microsoft.graph.user", fields):
        yield user


async def group_org_contacts(
    session: GraphSession, group_id: str, fields: str
) -> AsyncIterator[Object]:
    """Yield the organizational contacts in a group and its nested groups.

    Graph refuses to list them in a group that cannot hold any (docs: group-list-transitivemembers).
    Such a refusal is checked: a Microsoft 365 group holds none, and of any other group all members
    are listed instead, so that no contact is overlooked. Of a group whose members are hidden there
    are none to see, which `group_members` reports.
    """
    try:
        async for contact in _members(session, group_id, "microsoft.graph.orgContact", fields):
            yield contact
    except Refused as error:
        if (error.status, error.code) != (400, _UNSUPPORTED):
            raise
        for contact in await _org_contacts_of_any_kind_of_group(session, group_id, fields):
            yield contact
    except NeedsAdmin as error:
        if error.reason is not Reason.MEMBERS_HIDDEN:
            raise


async def _org_contacts_of_any_kind_of_group(
    session: GraphSession, group_id: str, fields: str
) -> list[Object]:
    found = await group(session, group_id, "id,groupTypes")
    if "Unified" in (found["groupTypes"] or ()):
        return []
    ids = [
        member["id"]
        async for member in _members(session, group_id, "", "id")
        if member.get("@odata.type") == "#microsoft.graph.orgContact"
    ]
    return list((await org_contacts_by_id(session, ids, fields)).values())


async def group_member_ids(session: GraphSession, group_id: str) -> list[str]:
    """Return the ids of all members of a group and its nested groups, of any kind.

    Raises `NeedsAdmin` (members hidden) like `group_members`.
    """
    return [member["id"] async for member in _visible(session, group_id, "", "id")]


async def group_mailboxes(session: GraphSession, group_id: str) -> AsyncIterator[Object]:
    """Yield the users in a group and its nested groups, with `mail` and their licenses.

    Raises `NeedsAdmin` (members hidden) like `group_members`.
    """
    async for user in _visible(session, group_id, "microsoft.graph.user", _MAILBOX_FIELDS):
        yield user


async def org_contacts(session: GraphSession, fields: str) -> AsyncIterator[Object]:
    """Yield every organizational contact of the tenant, 999 per page."""
    async for contact in listed(session, "/contacts", fields):
        yield contact


async def listed(session: GraphSession, path: str, fields: str) -> AsyncIterator[Object]:
    """Yield every object of a collection that costs one resource unit per page of 999."""
    query = {"$select": fields, "$top": _PAGE}
    async for page in session.pages(path, query=query, units=_OTHERS):
        for found in _complete(page["value"], fields):
            yield found


async def mailboxes_by_id(session: GraphSession, ids: Iterable[str]) -> dict[str, Object]:
    """Return the users that exist, with `mail` and their licenses, by id; 1,000 per request."""
    return await users_looked_up(session, ids, _MAILBOX_FIELDS)


async def users_looked_up(
    session: GraphSession, ids: Iterable[str], fields: str
) -> dict[str, Object]:
    """Return the users that exist, by id, with these `fields`; 1,000 per request.

    `fields` must hold `PROOF`. Whether the app may use getByIds is contested: docs name
    Directory.Read.All, and that unreadable objects come with their id only; a report says that
    User.Read.All is enough (docs: directoryobject-getbyids, microsoft-graph-docs-contrib#8798). So
    if it is refused, or returns an object without its properties, users are read by a filter.
    """
    found: dict[str, Object] = {}
    for chunk in batched(_guids(ids), _IDS_PER_LOOKUP, strict=False):
        await session.directory.take(_BY_IDS)
        answer = await session.read(
            f"/directoryObjects/getByIds?$select={fields}",
            body={"ids": list(chunk), "types": ["user"]},
        )
        users: list[Object] = answer.value if answer.ok else []
        whole = {user["id"]: user for user in users if _is_whole(user, fields)}
        again = [user["id"] for user in users if user["id"] not in whole] if answer.ok else chunk
        found |= whole | await _by_id(session, "/users", again, {"$select": fields}, _USERS - 1)
    return found


async def users_by_address(
    session: GraphSession, addresses: Iterable[str], fields: str
) -> dict[str, Object]:
    """Return the users with these mail addresses or principal names, by the address in lower case.

    `fields` must hold `mail` and `PROOF`; 150 addresses per HTTP request.
    """
    wanted = sorted({address.lower() for address in addresses})
    items = [
        BatchItem(
            "GET",
            "/users",
            {"$select": fields, "$filter": f"{name} in ({','.join(map(_quoted, part))})"},
        )
        for part in batched(wanted, _IDS_PER_FILTER, strict=False)
        for name in ("mail", PROOF)
    ]
    found: dict[str, Object] = {}
    for chunk in batched(items, BATCH_SIZE, strict=False):
        await session.directory.take((_USERS - 1) * len(chunk))
        for users in await read_lists(session, chunk):
            for user in _complete(users, fields):
                for name in ("mail", PROOF):
                    found.setdefault(str(user[name] or "").lower(), user)
    return {address: found[address] for address in wanted if address in found}


async def _by_id(
    session: GraphSession, path: str, ids: Iterable[str], query: Mapping[str, str], units: int
) -> dict[str, Object]:
    parts = [list(ids) for ids in batched(_guids(ids), _IDS_PER_FILTER, strict=False)]
    found: dict[str, Object] = {}
    for chunk in batched(parts, BATCH_SIZE, strict=False):
        items = [
            BatchItem(
                "GET", path, {**query, "$filter": f"id in ({','.join(_quoted(i) for i in part)})"}
            )
            for part in chunk
        ]
        await session.directory.take(units * len(items))
        for users in await read_lists(session, items):
            complete = _complete(users, query["$select"])
            found.update({item["id"]: item for item in complete})
    return found


async def _visible(
    session: GraphSession, group_id: str, kind: str, fields: str
) -> AsyncIterator[Object]:
    """Yield the members of a group; if there are none, ask whether they are hidden.

    Without Member.Read.Hidden, which we do not ask for, a group with hidden membership looks empty.
    """
    empty = True
    async for member in _members(session, group_id, kind, fields):
        empty = False
        yield member
    if empty:
        await _require_visible(session, group_id)


async def _require_visible(session: GraphSession, group_id: str) -> None:
    found = await group(session, group_id, "id,visibility")
    if str(found["visibility"]).casefold() == _HIDDEN:
        raise NeedsAdmin(Reason.MEMBERS_HIDDEN, f"The members of group {group_id} are hidden.")


async def _members(
    session: GraphSession, group_id: str, kind: str, fields: str
) -> AsyncIterator[Object]:
    path = f"/groups/{group_id}/transitiveMembers{f'/{kind}' if kind else ''}"
    query = {"$select": fields, "$top": _PAGE, "$count": "true"}
    try:
        async for page in session.pages(path, query=query, headers=ADVANCED, units=_MEMBERS):
            for member in _complete(page["value"], fields):
                yield member
    except Refused as error:
        raise _group_error(error, group_id) from error
    except NeedsAdmin as error:
        if error.reason is Reason.CONSENT_MISSING:
            await _require_visible(session, group_id)
        raise


def _complete(objects: Iterable[Object], fields: str) -> Iterator[Object]:
    """Yield the objects; raises `Unavailable` if one lacks a requested property."""
    for found in objects:
        if not _is_whole(found, fields):
            message = "Microsoft Graph returned an object without a requested property."
            raise Unavailable(message, _PAUSE)
        yield found


def _is_whole(found: Object, fields: str) -> bool:
    """Return whether an object has all the requested properties, and really, not as null.

    Graph returns null for the properties of an object that the app may not read.
    """
    asked = set(fields.split(","))
    return found.keys() >= asked - {_HINT} and not (PROOF in asked and found[PROOF] is None)


def _guids(ids: Iterable[str]) -> list[str]:
    """Return the ids, sorted and once each, without those that no object can have.

    Graph refuses a whole request for one id that is not a GUID (microsoft-graph-docs#7063).
    """
    return sorted({id_ for id_ in ids if re.fullmatch(GUID, id_)})


def _group_error(error: Refused, group_id: str) -> NeedsAdmin:
    if error.status == 404:
        return NeedsAdmin(Reason.GROUP_NOT_FOUND, f"Group {group_id} does not exist.")
    return error


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
