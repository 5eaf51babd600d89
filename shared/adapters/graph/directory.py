"""Reads Entra ID: users, groups with their nested members, organizational contacts.

Every function reads all pages or fails, so that a partial result never counts as complete; an
object that lacks one of the requested `fields` (see `select`) is an error as well. Each call first
takes its cost from the tenant's resource units. Docs: user-list, group-list-transitivemembers,
orgcontact-list, directoryobject-getbyids, aad-advanced-queries.
"""

from base64 import b64decode
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import batched
from typing import Any, Final
from urllib.parse import quote

from shared.adapters.graph.batch import BATCH_SIZE, BatchItem, read_batch, require_all, send_batch
from shared.adapters.graph.transport import GraphSession, required
from shared.domain.errors import NeedsAdmin, Refused, Unavailable
from shared.domain.reasons import Reason

type Object = dict[str, Any]

_PAGE: Final = "999"
_USERS, _MEMBERS, _BY_IDS, _OTHERS = 2, 4, 2, 1
"""The resource units of each kind of request, with $select (docs: throttling-limits)."""

_ADVANCED: Final = {"ConsistencyLevel": "eventual"}
_IDS_PER_FILTER: Final = 15
_IDS_PER_LOOKUP: Final = 1_000
_LISTED_UP_TO: Final = 10
"""Read all users instead of single ones if the tenant has at most this many times as many users.

This takes a sixth of the units."""
_MAILBOX_FIELDS: Final = "id,mail"
_MANAGER: Final = "manager($select=id,displayName)"
_PAUSE: Final = 1.0
"""The seconds to wait before an incomplete response is requested again."""


def select(*properties: str) -> str:
    """Return the `$select` of these properties, without repetitions."""
    return ",".join(dict.fromkeys(properties))


async def all_users(session: GraphSession, fields: str) -> AsyncIterator[Object]:
    """Yield every user of the tenant with the manager's name, 999 per page."""
    query = {"$select": fields, "$expand": _MANAGER, "$top": _PAGE}
    async for page in session.pages("/users", query=query, units=_USERS):
        for user in _complete(page["value"], fields):
            yield user


async def managers_by_id(session: GraphSession, ids: Collection[str]) -> dict[str, Object]:
    """Return the managers (id and name) of those users that have one.

    Reads them by id, 300 per HTTP request, or, for a large part of the tenant, reads all users, 999
    per page: 10,000 of 10,000 then take 23 resource units instead of 1,334.
    """
    if len(ids) > int(_PAGE) and await _how_many_users(session) <= _LISTED_UP_TO * len(ids):
        wanted = set(ids)
        listed = all_users(session, "id")
        users = {user["id"]: user async for user in listed if user["id"] in wanted}
    else:
        users = await users_by_id(session, ids, "id")
    return {id_: user["manager"] for id_, user in users.items() if user.get("manager")}


async def _how_many_users(session: GraphSession) -> int:
    await session.directory.take(_OTHERS)
    query = {"$select": "id", "$top": "1", "$count": "true"}
    answer = required(await session.read("/users", query=query, headers=_ADVANCED))
    return int(answer.body["@odata.count"])


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
    """Yield the users in a group and its nested groups."""
    async for user in _members(session, group_id, "microsoft.graph.user", fields):
        yield user


async def group_org_contacts(
    session: GraphSession, group_id: str, fields: str
) -> AsyncIterator[Object]:
    """Yield the organizational contacts in a group and its nested groups."""
    async for contact in _members(session, group_id, "microsoft.graph.orgContact", fields):
        yield contact


async def group_mailboxes(session: GraphSession, group_id: str) -> AsyncIterator[Object]:
    """Yield the users in a group and its nested groups, with only `id` and `mail`."""
    async for user in _members(session, group_id, "microsoft.graph.user", _MAILBOX_FIELDS):
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
    """Return the users that exist, with `mail`, by id; 1,000 per request."""
    users = await readable_users(session, ids, _MAILBOX_FIELDS)
    return {user["id"]: user for user in _complete(users.values(), _MAILBOX_FIELDS)}


async def readable_users(
    session: GraphSession, ids: Iterable[str], fields: str
) -> dict[str, Object]:
    """Return the users that exist, by id, with those `fields` that the app may read.

    Reads 1,000 per request, and only users: which properties of other kinds the app may read with
    this call is not documented (docs: directoryobject-getbyids names Directory.Read.All).
    """
    found: dict[str, Object] = {}
    for chunk in batched(sorted(set(ids)), _IDS_PER_LOOKUP, strict=False):
        await session.directory.take(_BY_IDS)
        answer = required(
            await session.request(
                "POST",
                f"/directoryObjects/getByIds?$select={fields}",
                body={"ids": list(chunk), "types": ["user"]},
            )
        )
        found.update({user["id"]: user for user in answer.body["value"]})
    return found


async def domain_of(session: GraphSession, user: str) -> str:
    """Return a verified domain of the tenant, from a user's principal name; '' without such a user.

    A guest's name also ends in the tenant's own domain (docs: user resource, userPrincipalName).
    """
    users = await users_by_id(session, [user], "id,userPrincipalName")
    name = next((str(u.get("userPrincipalName") or "") for u in users.values()), "")
    return name.rpartition("@")[2]


async def photos(session: GraphSession, ids: Sequence[str]) -> dict[str, bytes | None]:
    """Return the largest photos of at most 20 users; None for users without a photo (404).

    Users whose photo we may not read are left out. Raises `Unavailable` if any read failed
    temporarily.
    """
    items = [BatchItem("GET", f"/users/{quote(id_, safe='')}/photo/$value") for id_ in ids]
    answers = await send_batch(session, items)
    require_all(answers)
    found: dict[str, bytes | None] = {}
    for id_, answer in zip(ids, answers, strict=True):
        if answer.status == 404:
            found[id_] = None
        elif answer.ok and isinstance(answer.body, str):
            found[id_] = b64decode(answer.body)
    return found


async def _by_id(
    session: GraphSession, path: str, ids: Iterable[str], query: Mapping[str, str], units: int
) -> dict[str, Object]:
    parts = [list(ids) for ids in batched(sorted(set(ids)), _IDS_PER_FILTER, strict=False)]
    found: dict[str, Object] = {}
    for chunk in batched(parts, BATCH_SIZE, strict=False):
        items = [
            BatchItem(
                "GET", path, {**query, "$filter": f"id in ({','.join(_quoted(i) for i in part)})"}
            )
            for part in chunk
        ]
        await session.directory.take(units * len(items))
        for answer in await read_batch(session, items):
            complete = _complete(answer["value"], query["$select"])
            found.update({item["id"]: item for item in complete})
    return found


async def _members(
    session: GraphSession, group_id: str, kind: str, fields: str
) -> AsyncIterator[Object]:
    path = f"/groups/{group_id}/transitiveMembers/{kind}"
    query = {"$select": fields, "$top": _PAGE, "$count": "true"}
    try:
        async for page in session.pages(path, query=query, headers=_ADVANCED, units=_MEMBERS):
            for member in _complete(page["value"], fields):
                yield member
    except Refused as error:
        raise _group_error(error, group_id) from error


def _complete(objects: Iterable[Object], fields: str) -> Iterator[Object]:
    """Yield the objects; raises `Unavailable` if one lacks a requested property."""
    asked = frozenset(fields.split(","))
    for found in objects:
        if not found.keys() >= asked:
            message = "Microsoft Graph returned an object without a requested property."
            raise Unavailable(message, _PAUSE)
        yield found


def _group_error(error: Refused, group_id: str) -> NeedsAdmin:
    if error.status == 404:
        return NeedsAdmin(Reason.GROUP_NOT_FOUND, f"Group {group_id} does not exist.")
    return error


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
