"""One person's contact: where it is, and removing it everywhere (a data-protection request)."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import batched
from typing import Final

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.mailboxes.mailbox_state import MailboxStates
from shared.adapters.storage.store import Store
from shared.domain.contacts.keys import keys_of
from shared.domain.errors import ContactSyncError
from shared.domain.reasons import Reason
from shared.domain.tenancy.tenants import LedgerAction
from shared.services.idempotency import Execution
from shared.services.privacy.suppressions import Suppressions
from shared.services.sharing.publications import Publications
from shared.services.sharing.revocations import Revocations
from shared.services.sharing.subscribers import Subscribers
from shared.services.tenancy.ledger import Ledger
from shared.services.tenancy.reads import Reads

_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class Place:
    """An import that has a person's contact, and the mailboxes of the tenant that contain it."""

    import_id: str
    mailboxes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Publishing:
    """A share that publishes a person, and the partners that import it, by domain and name."""

    share: str
    partners: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OmittingShare:
    """A share that does not publish a person from its sources, and the reason."""

    share: str
    reason: Reason


@dataclass(slots=True)
class ContactLocations:
    """Where a person's contact is, and which shares omit the person, and why.

    `unknown` names the shares that cannot be read now.
    """

    person: str
    suppressed_since: datetime | None
    places: list[Place] = field(default_factory=list)
    publications: list[Publishing] = field(default_factory=list)
    omitting: list[OmittingShare] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SuppressedPerson:
    """A suppressed person: since when, and the own tenant's runs that remove the contact."""

    since: datetime
    runs: tuple[str, ...]


class People:
    """The people in a tenant's contacts, by object id or by contact key."""

    def __init__(
        self,
        store: Store,
        states: MailboxStates,
        publications: Publications,
        subscribers: Subscribers,
        suppressions: Suppressions,
        revocations: Revocations,
        ledger: Ledger,
        reads: Reads,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._states = states
        self._publications = publications
        self._subscribers = subscribers
        self._suppressions = suppressions
        self._revocations = revocations
        self._ledger = ledger
        self._reads = reads
        self._clock = clock

    async def find(self, caller: Caller, person: str) -> ContactLocations:
        """Return where a person's contact is, from our records and the tenant's resolved shares.

        This reads the state of every mailbox, which takes long in a large tenant.
        """
        tenant = caller.tenant
        await self._reads.note(caller, LedgerAction.PERSON_READ, person)
        found = ContactLocations(person, await self._suppressions.since(tenant, person))
        keys = frozenset(keys_of(person))
        async for stored in self._store.imports.all(tenant):
            mailboxes = await self._holding(tenant, stored.value.id, keys)
            if mailboxes:
                found.places.append(Place(stored.value.id, tuple(mailboxes)))
        async for share in self._store.shares.all(tenant):
            subscribers = await self._subscribers.of(tenant, share.value.id)
            partners = tuple(c.called for c in subscribers if c.tenant != tenant)
            try:
                contents = await self._publications.own(caller, share.value)
            except ContactSyncError:
                found.unknown.append(share.value.id)
                continue
            if keys & contents.contacts.keys():
                found.publications.append(Publishing(share.value.id, partners))
            elif reason := contents.why_omitted(person):
                found.omitting.append(OmittingShare(share.value.id, reason))
        return found

    async def suppressed_since(self, caller: Caller, person: str) -> datetime | None:
        """Return since when a person is suppressed; None if the person is not."""
        await self._reads.note(caller, LedgerAction.PERSON_READ, person)
        return await self._suppressions.since(caller.tenant, person)

    async def suppress(self, caller: Caller, person: str) -> SuppressedPerson:
        """Remove a person's contact everywhere, permanently.

        The runs that remove the contact from the tenant's own mailboxes and from those of partners
        start at once, whatever the plan; paused imports and held changes do not stop them.
        """
        tenant = caller.tenant
        async with self._ledger.change(caller, LedgerAction.PERSON_SUPPRESSED, person) as entry:
            entry.changed = await self._suppressions.since(tenant, person) is None
            since = await self._suppressions.suppress(tenant, person)
        runs = await self._revocations.of_person(tenant)
        return SuppressedPerson(since, tuple(runs))

    async def lift_suppression(self, caller: Caller, person: str, execution: Execution) -> None:
        """Lift a suppression; the next runs bring the contact back. Safe to repeat.

        Another execution of the same call lifts no suppression that is newer than the first one.
        """
        since = await self._suppressions.since(caller.tenant, person)
        first = await execution.first(str(since))
        async with self._ledger.change(caller, LedgerAction.SUPPRESSION_LIFTED, person) as entry:
            entry.changed = since is not None and str(since) == first
            if entry.changed:
                await self._suppressions.lift(caller.tenant, person)

    async def _holding(self, tenant: str, import_id: str, keys: frozenset[str]) -> list[str]:
        async def holds(mailbox: str) -> bool:
            stored = await self._states.read(tenant, import_id, mailbox)
            if stored is None:
                return False
            known = await self._states.contacts(tenant, import_id, mailbox, stored.value) or {}
            return any(key in known and known[key].id for key in keys)

        found: list[str] = []
        mailboxes = await self._states.mailboxes(tenant, import_id)
        for chunk in batched(mailboxes, _AT_ONCE, strict=False):
            held = await asyncio.gather(*map(holds, chunk))
            found += [mailbox for mailbox, yes in zip(chunk, held, strict=True) if yes]
        return sorted(found)
