"""Users: those a share lists by id, all users of the tenant, and the members of groups.

Guests, and users hidden from address lists, become contacts only if the share lists them by id. So
do shared mailboxes, rooms and equipment, whose accounts are disabled; other disabled accounts, such
as those of people who left, never do.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final

from shared.adapters.graph import directory
from shared.adapters.graph.mailboxes.purposes import UNREADABLE, mailbox_purposes
from shared.adapters.graph.transport import GraphSession
from shared.domain.contacts.fields import properties_of
from shared.domain.contacts.keys import ContactKind
from shared.domain.contacts.values import Fields
from shared.domain.errors import NeedsAdmin
from shared.domain.reasons import Reason
from shared.domain.sharing.selection import Selection
from shared.domain.sharing.shares import FILTER_ATTRIBUTES
from shared.services.sharing.sources.source import Entry

_STATUS: Final = ("id", directory.PROOF, "accountEnabled", "showInAddressList", "userType")
_SELECT: Final = directory.select(
    *_STATUS, *properties_of(ContactKind.USER), "mail", *FILTER_ATTRIBUTES
)

_PURPOSE: Final = "userPurpose"
_OF_NOBODY: Final = frozenset({"shared", "room", "equipment", UNREADABLE})
"""The purposes of mailboxes whose accounts are disabled by design.

One whose purpose cannot be read counts as such: what is unknown takes no contact away.
"""


class Users:
    """The users of the publisher's directory."""

    kind = ContactKind.USER
    settings: tuple[str, ...] = ("users", "all_users", "groups")

    async def read(self, wanted: Selection, session: GraphSession) -> AsyncIterator[Entry]:
        """Read the listed users (300 per request), all users (in pages), and group members."""
        sources = wanted.sources
        if sources.users:
            for entry in await _named(session, sources.users):
                yield entry
        managers = "manager" in wanted.names
        if sources.all_users:
            async for user in directory.all_users(session, _SELECT, managers=managers):
                yield Entry(user["id"], _with_manager(user) if managers else user)
        for group in sources.groups:
            if group.publishes_members:
                for entry in await _members(session, group.id, managers=managers):
                    yield entry

    def omission(self, entry: Entry, wanted: Selection) -> Reason | None:
        """Omit unknown ids, disabled or hidden users, and users that are excluded or filtered."""
        if entry.object is None:
            return Reason.NOT_FOUND
        status = _status(entry.object, wanted, named=entry.named)
        return wanted.objection(entry.object, status)

    def fields(self, entry: Entry, wanted: Selection) -> tuple[Fields, bool]:
        """Map a user by the table of fields."""
        return wanted.fields_of(self.kind, entry.object or {})


def _status(user: Mapping[str, Any], wanted: Selection, *, named: bool) -> Iterator[Reason]:
    if user.get("accountEnabled") is False and not (named and user.get(_PURPOSE) in _OF_NOBODY):
        yield Reason.DISABLED
    if named:
        return
    if user.get("userType") == "Guest" and not wanted.filters("userType"):
        yield Reason.GUEST
    # null says nothing: the property is out of step with Exchange (docs: user resource).
    if user.get("showInAddressList") is False:
        yield Reason.HIDDEN


async def _named(session: GraphSession, ids: list[str]) -> list[Entry]:
    users = await directory.users_by_id(session, ids, _SELECT)
    disabled = [u["id"] for u in users.values() if u["accountEnabled"] is False and u["mail"]]
    for id_, purpose in (await mailbox_purposes(session, disabled)).items():
        users[id_][_PURPOSE] = purpose
    found = {id_.lower() for id_ in users}
    missing = [id_ for id_ in ids if id_.lower() not in found]
    return [
        *(Entry(user["id"], _with_manager(user), named=True) for user in users.values()),
        *(Entry(id_, None, named=True) for id_ in missing),
    ]


async def _members(session: GraphSession, group: str, *, managers: bool) -> list[Entry]:
    """Return the users of a group, or the group with a reason if its members are hidden.

    Managers take extra requests: advanced queries do not expand. Without `managers`, users have no
    property `manager`: it was not read.
    """
    try:
        members = [user async for user in directory.group_members(session, group, _SELECT)]
    except NeedsAdmin as error:
        if error.reason is not Reason.MEMBERS_HIDDEN:
            raise
        return [Entry(group, None, named=True, reason=error.reason)]
    if not managers:
        return [Entry(user["id"], user) for user in members]
    found = await directory.managers_by_id(session, [user["id"] for user in members])
    return [Entry(user["id"], {**user, "manager": found.get(user["id"])}) for user in members]


def _with_manager(user: Mapping[str, Any]) -> dict[str, Any]:
    """Return a user read with its manager: Graph leaves the property out if there is none."""
    return {"manager": None, **user}
