"""Reading a share for the tenants that may import it, by its id and with its publisher's consent.

Only this module reads data of another tenant: it reads a share with the publisher's token,
applies the publisher's field policy, and serves only tenants that the access rule admits.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.graph.transport import Graph, GraphSession, Meter
from shared.adapters.storage.models import ShareFacts, SharePhotos
from shared.adapters.storage.store import OWNER_ROW, TENANT_ROW, Store
from shared.domain.contacts.fields import DEFAULT_FIELDS
from shared.domain.contacts.keys import keys_of
from shared.domain.errors import Defect, NeedsAdmin, NotFound
from shared.domain.reasons import ENTRA_REFUSALS, Reason
from shared.domain.sharing.shares import Admission, Share, ShareInput
from shared.domain.tenancy.tenants import Tenant, TenantStatus
from shared.services.privacy.suppressions import Suppressions
from shared.services.sharing.photos import KeepPhoto, add_photos, load_photos
from shared.services.sharing.resolution import OwnContents, Resolution, ShareContents, resolve
from shared.services.sharing.subscribers import imports_of
from shared.services.tenancy.limits import Limiter


@dataclass(frozen=True, slots=True)
class Publication:
    """A share as a subscriber sees it: publisher, fields, and number of contacts.

    `contacts` is None if they cannot be counted now. `waiting` says that an import of it waits for
    the publisher's approval; nothing is read of it before.
    """

    share: Share
    publisher: Tenant
    fields: tuple[str, ...]
    contacts: int | None
    waiting: bool


@dataclass(frozen=True, slots=True)
class Opened:
    """A share that a tenant may import, once the publisher approves if it is `waiting`."""

    share: Share
    publisher: str
    waiting: bool


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an import's contacts come from: the name of the share and of its publisher.

    Either is '' if it no longer exists or the caller may not see it.
    """

    share: str
    publisher: str
    own: bool


class Publications:
    """The shares that a tenant may import."""

    def __init__(
        self,
        store: Store,
        graph: Graph,
        clock: Callable[[], datetime],
        limiter: Limiter,
        suppressions: Suppressions,
    ) -> None:
        self._store = store
        self._graph = graph
        self._clock = clock
        self._limiter = limiter
        self._suppressions = suppressions

    async def find(self, tenant: str, share_id: str) -> tuple[Share | None, str]:
        """Return the share that an id names, and its publisher.

        The share is None if it was withdrawn from the tenant, or is not open to it yet. The stable
        id of a share names it for its publisher only, for anyone else it is unknown.
        """
        share, publisher, admission = await self._find(tenant, share_id)
        return (share if admission is Admission.OPEN else None), publisher

    async def find_approved(self, tenant: str, share_id: str) -> tuple[Share | None, str]:
        """Return what `find` does; raise `NeedsAdmin` while the share waits for its publisher."""
        share, publisher, admission = await self._find(tenant, share_id)
        if share is not None and admission is Admission.WAITING:
            note = "The publisher has not approved yet."
            raise NeedsAdmin(Reason.PUBLISHER_APPROVAL_PENDING, note)
        return (share if admission is Admission.OPEN else None), publisher

    async def waiting(self, tenant: str, share_id: str) -> tuple[Share, str] | None:
        """Return a share that is not open to a tenant until its publisher approves, or None."""
        share, publisher, admission = await self._find(tenant, share_id)
        return (share, publisher) if share and admission is Admission.WAITING else None

    async def _find(self, tenant: str, share_id: str) -> tuple[Share | None, str, Admission]:
        location = await self._store.share_index.get(share_id, OWNER_ROW)
        unknown = NeedsAdmin(Reason.SHARE_NOT_FOUND, "The share is not known.")
        if location is None:
            raise unknown
        publisher, id_ = location.value.publisher, location.value.share
        if share_id == id_ and tenant != publisher:
            raise unknown
        found = await self._store.shares.get(publisher, id_) if publisher else None
        if found is None:
            if location.value.withdrawn is None:
                known = await self._store.share_index.get(id_, OWNER_ROW)
                if known is None or known.value.withdrawn is None:
                    raise unknown
            return None, publisher, Admission.CLOSED
        share = found.value
        return share, publisher, share.admission(tenant, publisher, self._clock(), share_id)

    async def open_to(self, caller: Caller, share_id: str) -> Opened:
        """Return the share and its publisher for a caller who enters an id.

        Raises the same `NotFound` for every id that the caller may not use, and `TooManyRequests`
        after too many of them, which makes guessing ids useless. An own share is no guess.
        """
        share, publisher, admission = None, "", Admission.CLOSED
        with suppress(NeedsAdmin):
            share, publisher, admission = await self._find(caller.tenant, share_id)
        if share is not None and publisher == caller.tenant:
            return Opened(share, publisher, waiting=False)
        self._limiter.require_guesses_left(caller)
        if (
            share is None
            or admission is Admission.CLOSED
            or not await self._takes_imports(share, publisher, caller.tenant)
        ):
            self._limiter.guessed(caller)
            raise NotFound("share_not_open")
        return Opened(share, publisher, admission is Admission.WAITING)

    async def _takes_imports(self, share: Share, publisher: str, tenant: str) -> bool:
        """Return whether a tenant may add an import of a share.

        While the publisher waits to leave, only those that import the share already may, since it
        may stay after all; once its removal has begun, nobody may.
        """
        stored = await self._store.tenants.get(publisher, TENANT_ROW)
        if stored is None or stored.value.removing:
            return False
        return stored.value.departure is None or bool(
            await imports_of(self._store, publisher, share.id, tenant)
        )

    def count_read(self, caller: Caller, share: Share, publisher: str) -> None:
        """Count a preview that reads a partner's directory; own shares are free.

        Raises `TooManyRequests`.
        """
        if publisher != caller.tenant:
            self._limiter.count_read(caller, share.id)

    async def describe(self, caller: Caller, share_id: str) -> Publication:
        """Return what a share offers the caller's tenant.

        Raises `NotFound` if it may not import it.
        """
        opened = await self.open_to(caller, share_id)
        share, publisher = opened.share, opened.publisher
        stored = await self._store.tenants.get(publisher, TENANT_ROW)
        if stored is None:
            raise NotFound("share_not_open")
        return Publication(
            share,
            stored.value,
            tuple(share.fields if share.fields is not None else DEFAULT_FIELDS),
            None if opened.waiting else await self._counted(caller.tenant, share, publisher),
            opened.waiting,
        )

    async def origin(self, caller: Caller, share_id: str) -> Origin:
        """Return the name of an import's share and of its publisher, to show them with the import.

        This never counts as a guess, because the import already has the share id.
        """
        try:
            share, publisher, admission = await self._find(caller.tenant, share_id)
        except NeedsAdmin:
            return Origin("", "", own=False)
        share = share if admission is not Admission.CLOSED else None
        stored = await self._store.tenants.get(publisher, TENANT_ROW)
        return Origin(
            share.name if share is not None else "",
            stored.value.called if stored is not None else "",
            own=publisher == caller.tenant,
        )

    async def resolve(
        self,
        tenant: str,
        share: Share,
        publisher: str,
        meter: Meter,
        photo_edge: int | None = None,
        keep_photo: KeepPhoto | None = None,
    ) -> ShareContents:
        """Return the share's contacts, with photos of `photo_edge` pixels if `keep_photo` is given.

        People suppressed by the publisher or by the tenant are not included. Only the publisher
        also gets the omissions (`OwnContents`). Raises `TransientError` if any part cannot be read
        now, and `NeedsAdmin` with its reason.
        """
        try:
            session = self._graph.session(publisher, meter)
            resolution = await self._read(share, publisher, session)
            facts = ShareFacts(
                contacts=len(resolution.contacts),
                when=self._clock(),
                groups=await self._groups_read(share, publisher, resolution),
            )
            if publisher != tenant:
                await self._suppressions.apply(tenant, resolution)
            if photo_edge is not None and keep_photo is not None and share.publishes_photos:
                found = resolution, session, photo_edge, keep_photo
                await self._add_photos(share, publisher, *found)
        except NeedsAdmin as error:
            if error.reason is Reason.CONSENT_MISSING and publisher != tenant:
                raise NeedsAdmin(Reason.PUBLISHER_CONSENT_MISSING, error.detail) from error
            if error.reason in ENTRA_REFUSALS and publisher != tenant:
                raise NeedsAdmin(Reason.PUBLISHER_UNAVAILABLE, error.detail) from error
            raise
        await self._store.share_facts.upsert(publisher, share.id, facts)
        return await asyncio.to_thread(resolution.contents_for, tenant, publisher)

    async def own(self, caller: Caller, share: Share) -> OwnContents:
        """Return what a share of the caller holds, and who is not in it. Raises as `resolve`."""
        found = await self.resolve(caller.tenant, share, caller.tenant, Meter())
        if not isinstance(found, OwnContents):
            raise Defect("A tenant's own share was resolved as another tenant's.")
        return found

    async def suppressed(self, tenant: str, share_id: str) -> frozenset[str]:
        """Return the keys of all people that the tenant or the share's publisher suppressed.

        Read where they are used, never stored: the tenant may not learn who its publisher
        suppressed.
        """
        location = await self._store.share_index.get(share_id, OWNER_ROW)
        keys = await self._suppressions.keys(tenant)
        if location is not None and location.value.publisher not in {"", tenant}:
            keys |= await self._suppressions.keys(location.value.publisher)
        return keys

    async def photos(
        self, tenant: str, share_id: str, people: Iterable[str], edge: int, meter: Meter
    ) -> dict[str, bytes]:
        """Return the photos of people in a share (contact keys) that a run did not have to read.

        Photos that cannot be read are left out: the next run tries again.
        """
        try:
            share, publisher = await self.find(tenant, share_id)
            if share is None or not share.publishes_photos:
                return {}
            return await load_photos(self._graph.session(publisher, meter), people, edge)
        except NeedsAdmin:
            return {}

    async def why_omitted(self, tenant: str, contents: ShareContents, person: str) -> Reason | None:
        """Return why a person (an object id or a contact key) is not in a share, if it is known.

        The reasons of another publisher are not: the tenant then knows only its own.
        """
        if isinstance(contents, OwnContents):
            return contents.why_omitted(person)
        suppressed = await self._suppressions.keys(tenant)
        return None if suppressed.isdisjoint(keys_of(person)) else Reason.KEPT_OUT

    async def draft(self, caller: Caller, wanted: ShareInput) -> OwnContents:
        """Return the contacts of a share of the caller that is not saved; nothing is stored.

        Raises the errors of `resolve`.
        """
        session = self._graph.session(caller.tenant)
        return (await self._read(wanted, caller.tenant, session)).contents()

    async def _read(self, share: ShareInput, publisher: str, session: GraphSession) -> Resolution:
        resolution = await resolve(share, session)
        await self._suppressions.apply(publisher, resolution)
        return resolution

    async def _groups_read(
        self, share: Share, publisher: str, resolution: Resolution
    ) -> tuple[str, ...]:
        """Return the groups whose members were read.

        Raises `NeedsAdmin` if those of a group that was read before are hidden now: their contacts
        must stay.
        """
        groups = {group.id for group in share.sources.groups if group.publishes_members}
        hidden = {id_ for id_ in groups if resolution.omits(id_, Reason.MEMBERS_HIDDEN)}
        before = await self._store.share_facts.get(publisher, share.id) if hidden else None
        if before is not None and hidden & set(before.value.groups):
            raise NeedsAdmin(Reason.MEMBERS_HIDDEN, "The members of a group are hidden now.")
        return tuple(sorted(groups - hidden))

    async def _add_photos(
        self,
        share: Share,
        publisher: str,
        resolution: Resolution,
        session: GraphSession,
        edge: int,
        keep: KeepPhoto,
    ) -> None:
        stored = await self._store.share_photos.get(publisher, share.id)
        known = stored.value.seen if stored is not None else {}
        seen = await add_photos(resolution, session, edge, keep, known)
        if seen != known:
            await self._store.share_photos.upsert(publisher, share.id, SharePhotos(seen=dict(seen)))

    async def _counted(self, tenant: str, share: Share, publisher: str) -> int | None:
        """Return the count of the share's last resolution; resolve it now if there was none."""
        facts = await self._store.share_facts.get(publisher, share.id)
        if facts is not None:
            return facts.value.contacts
        stored = await self._store.tenants.get(publisher, TENANT_ROW)
        if stored is None or stored.value.status is not TenantStatus.CONNECTED:
            return None
        try:
            return len((await self.resolve(tenant, share, publisher, Meter())).contacts)
        except NeedsAdmin:
            return None
