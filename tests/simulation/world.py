"""What ought to be: the directory, shares and imports as their owners mean them.

The simulation compares mailboxes with this model. It knows nothing of the engine's tables.
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.simulation.runtime.workers import START

type Fields = tuple[str, str]
"""What a person's contact says: the name shown, and the mobile phone."""


@dataclass(slots=True)
class Share:
    """A published group: who publishes it, and who may not import it."""

    id: str
    secret: str
    tenant: str
    group: str
    withdrawn: bool = False
    blocked: set[str] = field(default_factory=set)

    @classmethod
    def made(cls, body: Any, tenant: str, group: str) -> "Share":
        """The share that the API returned."""
        return cls(str(body["id"]), str(body["shareId"]), tenant, group)


@dataclass(slots=True)
class Import:
    """An import: its share and target mailboxes; `removed` once its deletion was asked for."""

    id: str
    tenant: str
    share: Share
    targets: list[str]
    folder: str | None
    active: bool = True
    removed: bool = False
    settings: dict[str, object] = field(default_factory=dict)


@dataclass(slots=True)
class Service:
    """What admins asked of the service. It is undone when its tables go back to an older day."""

    shares: list[Share] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    suppressed: dict[str, set[str]] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)
    leavers: set[str] = field(default_factory=set)


@dataclass(slots=True)
class World:
    """The directory and the service, and when each import's meaning last changed."""

    people: dict[str, Fields] = field(default_factory=dict)
    groups: dict[str, list[str]] = field(default_factory=dict)
    service: Service = field(default_factory=Service)
    mailboxes: dict[str, str] = field(default_factory=dict)
    changed: dict[str, datetime] = field(default_factory=dict)
    ended: dict[str, str] = field(default_factory=dict)
    """Imports that were removed at some time, or whose tenant left: by id, the tenant."""
    unwanted: set[tuple[str, str, str]] = field(default_factory=set)
    """Import, mailbox and key of contacts that for a moment were not to be there."""
    own: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    """Contacts of the mailboxes' users: mailbox and id, name and note."""
    notes: dict[tuple[str, str], str] = field(default_factory=dict)
    """Notes that users wrote into our contacts: mailbox and id."""
    unseen: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """Until when a folder in Deleted Items may stay unnoticed: import and mailbox."""

    def saved(self) -> Service:
        """Return a copy of what admins asked of the service."""
        return copy.deepcopy(self.service)

    def touch(self, now: datetime, import_: Import | None = None) -> None:
        """Note that the meaning of an import (or of all) has changed, or will in a moment."""
        for one in self.service.imports:
            if import_ is None or one.id == import_.id:
                self.changed[one.id] = now
            if one.removed or one.tenant in self.service.left:
                self.ended[one.id] = one.tenant
            for mailbox in self.mailboxes:
                wanted = self.desired(one, mailbox)
                self.unwanted.update(
                    (one.id, mailbox, f"u-{person}")
                    for person in self.people
                    if f"u-{person}" not in wanted
                )

    def desired(self, import_: Import, mailbox: str) -> dict[str, Fields]:
        """Return the contacts that an import ought to have in a mailbox, by key."""
        service, share = self.service, import_.share
        gone = (
            import_.removed
            or share.withdrawn
            or import_.tenant in share.blocked
            or {import_.tenant, share.tenant} & service.left
        )
        if gone or mailbox not in import_.targets:
            return {}
        kept_out = service.suppressed.get(share.tenant, set()) | service.suppressed.get(
            import_.tenant, set()
        )
        return {
            f"u-{person}": self.people[person]
            for person in self.groups[share.group]
            if person in self.people and person not in kept_out
        }

    def living(self) -> Iterator[Import]:
        """Return the imports that were not removed, of tenants that did not leave."""
        for import_ in self.service.imports:
            if not import_.removed and import_.tenant not in self.service.left:
                yield import_

    def since(self, import_: Import) -> datetime:
        """Return when the meaning of an import last changed."""
        return self.changed.get(import_.id, START)
