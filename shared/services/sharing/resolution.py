"""From a share's sources to its contacts: who is in, with which fields, and who is not and why.

Reading is all or nothing: a page or group that cannot be read fails the resolution and so changes
no mailbox. People hidden from address lists, and guests, count only if the share names them.
"""

import re
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from shared.adapters.graph import directory
from shared.adapters.graph.transport import GraphSession
from shared.domain.contacts.fields import DEFAULT_FIELDS, Contact, hand_kept_key, map_source
from shared.domain.errors import NeedsAdmin
from shared.domain.importing.runs import Omission
from shared.domain.reasons import Reason
from shared.domain.sharing.shares import GroupSource, ManualContact, ShareInput, Sources

MAX_CONTACTS: Final = 50_000


@dataclass(slots=True)
class Resolution:
    """The contacts of a share by key, and everybody who was left out."""

    contacts: dict[str, Contact] = field(default_factory=dict)
    omissions: dict[tuple[str, Reason], Omission] = field(default_factory=dict)

    def omit(self, id_: str, reason: Reason) -> None:
        """Note that somebody is left out, or (shortened) not whole."""
        self.omissions[id_, reason] = Omission(id=id_, reason=reason)

    def why_omitted(self, person: str) -> Reason | None:
        """Why a person, by an object id or a contact's key, is left out; None if that is not so."""
        ids = {person.lower(), re.sub(r"^[uogc]-", "", person.lower())}
        found = (o.reason for o in self.omissions.values() if o.id.lower() in ids)
        return next((reason for reason in found if reason is not Reason.SHORTENED), None)


async def resolve(share: ShareInput, session: GraphSession) -> Resolution:
    """Read a share's sources with its publisher's consent.

    Raises `TransientError` or `NeedsAdmin` (consent, a group that is gone, too many people).
    """
    resolution = Resolution()
    names = frozenset(share.fields if share.fields is not None else DEFAULT_FIELDS)
    people = _PeopleReader(share, names, resolution)
    await _add_named(share.sources, session, people)
    if share.sources.all_users:
        async for user in directory.all_users(session):
            people.add_user(user)
    for source in share.sources.groups:
        await _add_group(source, session, people, managers="manager" in names)
    if share.sources.org_contacts:
        async for contact in directory.org_contacts(session):
            people.add_org_contact(contact)
    for kept in share.sources.contacts:
        people.add_hand_kept(kept)
    for id_, reason in list(resolution.omissions):
        # Left out of one source but let in by another: in is in.
        if reason is not Reason.SHORTENED and people.holds(id_):
            del resolution.omissions[id_, reason]
    return resolution


async def _add_named(sources: Sources, session: GraphSession, people: "_PeopleReader") -> None:
    if not sources.users:
        return
    users = await directory.users_by_id(session, sources.users)
    for user in users.values():
        people.add_user(user, named=True)
    found = {id_.lower() for id_ in users}
    for id_ in sources.users:
        if id_.lower() not in found:
            people.miss(id_)


async def _add_group(
    source: GroupSource, session: GraphSession, people: "_PeopleReader", *, managers: bool
) -> None:
    if source.as_ in {"contact", "both"}:
        people.add_group(await directory.group(session, source.id))
    if source.as_ in {"members", "both"}:
        members = directory.group_members(session, source.id)
        async for user in _with_managers(session, members, wanted=managers):
            people.add_user(user)
        async for contact in directory.group_org_contacts(session, source.id):
            people.add_org_contact(contact)


async def _with_managers(
    session: GraphSession, users: AsyncIterator[directory.Object], *, wanted: bool
) -> AsyncIterator[directory.Object]:
    """Members of a group come without managers (advanced queries do not expand): add them."""
    members = [user async for user in users]
    managers = (
        await directory.managers_by_id(session, [user["id"] for user in members]) if wanted else {}
    )
    for user in members:
        yield {**user, "manager": managers.get(user["id"])}


class _PeopleReader:
    """Decides for each directory object whether it is in, and maps it."""

    def __init__(self, share: ShareInput, names: frozenset[str], resolution: Resolution) -> None:
        sources = share.sources
        self._names = names
        self._resolution = resolution
        self._excluded = {id_.lower() for id_ in sources.exclude}
        self._filter = {
            attribute: {value.casefold() for value in values}
            for attribute, values in sources.filter.items()
        }

    def add_user(self, user: directory.Object, *, named: bool = False) -> None:
        reason = next(self._against_user(user, named=named), None)
        self._add("u", "user", user, reason)

    def add_org_contact(self, contact: directory.Object) -> None:
        reason = next(self._against_person(contact), None)
        self._add("o", "org_contact", contact, reason)

    def add_group(self, group: directory.Object) -> None:
        excluded = group["id"].lower() in self._excluded
        reason = Reason.EXCLUDED if excluded else None if group.get("mail") else Reason.NO_EMAIL
        self._add("g", "group", group, reason)

    def add_hand_kept(self, kept: ManualContact) -> None:
        key = hand_kept_key(kept.model_dump(by_alias=True))
        fields = {name: value for name, value in kept.fields().items() if name in self._names}
        self.put(key, {"displayName": kept.display_name, **fields})

    def miss(self, id_: str) -> None:
        self._resolution.omit(id_, Reason.NOT_FOUND)

    def put(self, key: str, fields: dict[str, Any]) -> None:
        contacts = self._resolution.contacts
        if key not in contacts and len(contacts) >= MAX_CONTACTS:
            raise NeedsAdmin(
                Reason.SHARE_TOO_LARGE, f"The share holds more than {MAX_CONTACTS} contacts."
            )
        contacts.setdefault(key, Contact.of(key, fields))

    def holds(self, id_: str) -> bool:
        return any(f"{kind}-{id_.lower()}" in self._resolution.contacts for kind in "ugo")

    def _add(self, prefix: str, kind: str, source: directory.Object, reason: Reason | None) -> None:
        if reason is not None:
            self._resolution.omit(source["id"], reason)
            return
        fields, shortened = map_source(kind, source, self._names | {"displayName"})
        if "displayName" not in fields:
            fields["displayName"] = str(source.get("mail"))
        if shortened:
            self._resolution.omit(source["id"], Reason.SHORTENED)
        self.put(f"{prefix}-{source['id'].lower()}", fields)

    def _against_user(self, user: directory.Object, *, named: bool) -> Iterator[Reason]:
        yield from self._against_person(user, before=self._unwanted(user, named=named))

    def _unwanted(self, user: directory.Object, *, named: bool) -> Iterator[Reason]:
        if user.get("accountEnabled") is False:
            yield Reason.DISABLED
        guest = user.get("userType") == "Guest" and "userType" not in self._filter
        if not named and (user.get("showInAddressList") is False or guest):
            yield Reason.HIDDEN

    def _against_person(
        self, person: directory.Object, before: Iterable[Reason] = ()
    ) -> Iterator[Reason]:
        if person["id"].lower() in self._excluded:
            yield Reason.EXCLUDED
        yield from before
        for attribute, values in self._filter.items():
            if str(person.get(attribute) or "").casefold() not in values:
                yield Reason.FILTERED
        if not person.get("mail"):
            yield Reason.NO_EMAIL
