"""The mailboxes in a tenant's directory: targets of an import, mail addresses, the domain."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from shared.adapters.graph import directory
from shared.adapters.graph.organization import verified_domain
from shared.adapters.graph.transport import Graph, Meter
from shared.domain.importing.imports import Targets
from shared.domain.reasons import Reason


@dataclass(slots=True)
class TargetMailboxes:
    """The targets of an import: mailboxes, and skipped users, each with a reason.

    `entries` has a hash of the directory entry of each mailbox: if it changes, a mailbox may have
    been added to a user who had none.
    """

    entries: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, Reason] = field(default_factory=dict)

    @property
    def mailboxes(self) -> frozenset[str]:
        """The users with a mail address. Not all of them have a mailbox."""
        return frozenset(self.entries)


class MailboxDirectory:
    """Reads mailboxes from a tenant's directory; raises if any part cannot be read."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    async def mailboxes_of(
        self, tenant: str, targets: Targets, meter: Meter | None = None
    ) -> TargetMailboxes:
        """Return the mailboxes that an import's targets currently include."""
        session, found = self._graph.session(tenant, meter), TargetMailboxes()
        users = await directory.mailboxes_by_id(session, targets.users) if targets.users else {}
        by_lower = {id_.lower() for id_ in users}
        for id_ in targets.users:
            if id_.lower() not in by_lower:
                found.skipped[id_] = Reason.USER_NOT_FOUND
        members = list(users.values())
        for group in targets.groups:
            members += [user async for user in directory.group_mailboxes(session, group)]
        for user in members:
            if user.get("mail"):
                found.entries[user["id"]] = _digest(user)
            else:
                found.skipped[user["id"]] = Reason.NO_MAILBOX
        return found

    async def addresses(self, tenant: str, mailboxes: Sequence[str]) -> dict[str, str]:
        """Return the mail addresses of mailboxes by id, without those that have none."""
        if not mailboxes:
            return {}
        users = await directory.mailboxes_by_id(self._graph.session(tenant), mailboxes)
        return {id_: str(user["mail"]) for id_, user in users.items() if user.get("mail")}

    async def domain_of(self, tenant: str, known: str = "", user: str = "") -> str:
        """Return a verified domain of a tenant: see `verified_domain`."""
        return await verified_domain(self._graph.session(tenant), known, user)


def _digest(user: directory.Object) -> str:
    """Return a hash of what tells whether a user has a mailbox: the address and the licenses."""
    licenses = sorted(str(one.get("skuId")) for one in user.get("assignedLicenses") or ())
    hints = orjson.dumps([user.get("mail"), licenses])
    return hashlib.blake2b(hints, digest_size=8).hexdigest()
