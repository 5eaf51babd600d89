"""Reading a share for whoever may import it: found by its id, with its publisher's consent.

The tenant wall is crossed here and nowhere else: a share is read with the publisher's token, by
the publisher's field policy, for tenants that its access rule admits.
"""

from collections.abc import Callable
from datetime import datetime

from shared.adapters.graph.transport import Graph, Meter
from shared.adapters.records import OWNER_ROW, Store
from shared.domain.errors import NeedsAdmin
from shared.domain.reasons import Reason
from shared.domain.sharing import Share
from shared.services.photos import KeepPhoto, add_photos
from shared.services.share_resolution import Resolution, resolve


class Publications:
    """The shares that are open to a tenant."""

    def __init__(self, store: Store, graph: Graph, clock: Callable[[], datetime]) -> None:
        """Work on these."""
        self._store = store
        self._graph = graph
        self._clock = clock

    async def find(self, tenant: str, share_id: str) -> tuple[Share | None, str]:
        """The share and its publisher; no share if it was withdrawn from this tenant for sure."""
        location = await self._store.share_index.get(share_id, OWNER_ROW)
        if location is None:
            raise NeedsAdmin(Reason.SHARE_NOT_FOUND, f"Share {share_id} is not known.")
        publisher = location.value.publisher
        if location.value.withdrawn is not None:
            return None, publisher
        found = await self._store.shares.get(publisher, share_id)
        if found is None:
            raise NeedsAdmin(Reason.SHARE_NOT_FOUND, f"Share {share_id} is not there.")
        if not found.value.access.admits(tenant, publisher, self._clock()):
            return None, publisher
        return found.value, publisher

    async def resolve(
        self,
        tenant: str,
        share: Share,
        publisher: str,
        meter: Meter,
        photo_edge: int | None = None,
        keep_photo: KeepPhoto | None = None,
    ) -> Resolution:
        """The share's contacts, with photos of `photo_edge` pixels if `keep_photo` takes them.

        Raises `PassingError` if any part cannot be read for now, `NeedsAdmin` with its reason.
        """
        try:
            session = self._graph.session(publisher, meter)
            resolution = await resolve(share, session)
            if photo_edge is not None and keep_photo is not None and share.publishes_photos:
                await add_photos(resolution, session, photo_edge, keep_photo)
        except NeedsAdmin as error:
            if error.reason is Reason.CONSENT_MISSING and publisher != tenant:
                raise NeedsAdmin(Reason.PUBLISHER_CONSENT_MISSING, error.detail) from error
            raise
        return resolution
