"""Reading Entra ID: users, groups with their nested members, organizational contacts.

Every function reads all pages or fails: a part is never taken for the whole, nor an object without
a property that was asked for (`fields`, see `select`). Each takes what it costs of the tenant's
resource units first. Docs: user-list, group-list-transitivemembers, orgcontact-list,
directoryobject-getbyids, aad-advanced-queries.
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
"""Resource units of a request as made here, with $select (docs: throttling-limits)."""

_ADVANCED: Final = {"ConsistencyLevel": "eventual"}
_IDS_PER_FILTER: Final = 15
_IDS_PER_LOOKUP: Final = 1_000
_LISTED_UP_TO: Final = 10
"""A directory so many times as large is still read whole: for a sixth of the resource units."""
_MAILBOX_FIELDS: Final = "id,mail"
_MANAGER: Final = "manager($select=id,displayName)"
_PAUSE: Final = 1.0
"""Seconds until an incomplete answer is asked for again."""


def select(*properties: str) -> str:
    """The `$select` of these properties, each once."""
    return ",".join(dict.fromkeys(properties))


async def all_users(session: GraphSession, fields: str) -> AsyncIterator[Object]:
    """Every user of the tenant, 999 a page, each with its manager's name."""
    query = {"$select": fields, "$expand": _MANAGER, "$top": _PAGE}
    async for page in session.pages("/users", query=query, units=_USERS):
        for user in _complete(page["value"], fields):
            yield user


async def managers_by_id(session: GraphSession, ids: Collection[str]) -> dict[str, Object]:
    """The managers (id and name) of those users that have one.

    They are asked for by id, 300 per HTTP request; or all users are read, 999 a page, if most of
    the tenant is meant: 10,000 of 10,000 then take 23 resource units instead of 1,334.
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
    """Those of the users that exist, each with its manager's name; 300 per HTTP request.

    The filter `in` takes at most 15 values (docs: filter-query-parameter).
    """
    return await _by_id(session, "/users", ids, {"$select": fields, "$expand": _MANAGER}, _USERS)


async def groups_by_id(session: GraphSession, ids: Iterable[str], fields: str) -> dict[str, Object]:
    """Those of the groups that exist, with these `fields`; 300 per HTTP request."""
    return await _by_id(session, "/groups", ids, {"$select": fields}, _OTHERS)


async def org_contacts_by_id(
    session: GraphSession, ids: Iterable[str], fields: str
) -> dict[str, Object]:
    """Those of the organizational contacts that exist, with these `fields`; 300 per request."""
    return await _by_id(session, "/contacts", ids, {"$select": fields}, _OTHERS)


async def group(session: GraphSession, group_id: str, fields: str) -> Object:
    """One group; raises `NeedsAdmin` (group not found) if it does not exist."""
    await session.directory.take(_OTHERS)
    try:
        answer = required(await session.read(f"/groups/{group_id}", query={"$select": fields}))
    except Refused as error:
        raise _group_error(error, group_id) from error
    (found,) = _complete([answer.body], fields)
    return found


async def group_members(session: GraphSession, group_id: str, fields: str) -> AsyncIterator[Object]:
    """The users in a group and in the groups within it."""
    async for user in _members(session, group_id, "microsoft.graph.user", fields):
        yield user


async def group_org_contacts(
    session: GraphSession, group_id: str, fields: str
) -> AsyncIterator[Object]:
    """The organizational contacts in a group and in the groups within it."""
    async for contact in _members(session, group_id, "microsoft.graph.orgContact", fields):
        yield contact


async def group_mailboxes(session: GraphSession, group_id: str) -> AsyncIterator[Object]:
    """The users in a group and within, with no more than tells whether they have mail."""
    async for user in _members(session, group_id, "microsoft.graph.user", _MAILBOX_FIELDS):
        yield user


async def org_contacts(session: GraphSession, fields: str) -> AsyncIterator[Object]:
    """Every organizational contact of the tenant, 999 a page."""
    async for contact in listed(session, "/contacts", fields):
        yield contact


async def listed(session: GraphSession, path: str, fields: str) -> AsyncIterator[Object]:
    """Every object of a collection that costs one resource unit a page, 999 a page."""
    query = {"$select": fields, "$top": _PAGE}
    async for page in session.pages(path, query=query, units=_OTHERS):
        for found in _complete(page["value"], fields):
            yield found


async def mailboxes_by_id(session: GraphSession, ids: Iterable[str]) -> dict[str, Object]:
    """Those of the users that exist, with `mail`, by id; 1,000 per request."""
    users = await readable_users(session, ids, _MAILBOX_FIELDS)
    return {user["id"]: user for user in _complete(users.values(), _MAILBOX_FIELDS)}


async def readable_users(
    session: GraphSession, ids: Iterable[str], fields: str
) -> dict[str, Object]:
    """Those of the users that exist, by id, with what the app may read of them; 1,000 per request.

    Only users are asked for so: what the app may read of other kinds is not documented for this
    call (docs: directoryobject-getbyids names Directory.Read.All).
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
    """A verified domain of the tenant: that of a user's name; '' if there is no such user.

    A guest's name ends in the tenant's own domain too (docs: user resource, userPrincipalName).
    """
    users = await users_by_id(session, [user], "id,userPrincipalName")
    name = next((str(u.get("userPrincipalName") or "") for u in users.values()), "")
    return name.rpartition("@")[2]


async def photos(session: GraphSession, ids: Sequence[str]) -> dict[str, bytes | None]:
    """The largest photos of at most 20 users: None for who has none (404).

    Who is not in the answer has a photo that we may not read. Raises `Unavailable` if any answer
    is missing for now.
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
    """The objects if each has every property asked for: one that is missing is not an empty one."""
    asked = frozenset(fields.split(","))
    for found in objects:
        if not found.keys() >= asked:
            message = "Microsoft Graph answered without a property that was asked for."
            raise Unavailable(message, _PAUSE)
        yield found


def _group_error(error: Refused, group_id: str) -> NeedsAdmin:
    if error.status == 404:
        return NeedsAdmin(Reason.GROUP_NOT_FOUND, f"Group {group_id} does not exist.")
    return error


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
