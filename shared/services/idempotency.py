"""Idempotency keys: repeating a POST does not create an object twice.

The id of the created object is random and stored with the key. It is not derived from the key: a
partner needs only the share id, so it must be impossible to compute one.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

from pydantic import BaseModel

from shared.adapters.storage.models import IdempotencyClaim
from shared.adapters.storage.store import Store
from shared.domain.errors import Conflict

KEPT: Final = timedelta(days=30)
"""How long a key is known."""


class KeyUsed(Conflict):
    """The key was used before, with another body or for an object that no longer exists."""


class Idempotency:
    """Stores the id and the body that belong to each key of a tenant."""

    def __init__(
        self, store: Store, clock: Callable[[], datetime], new_id: Callable[[], str]
    ) -> None:
        self._claims = store.claims
        self._clock = clock
        self._new_id = new_id

    async def id_for(self, tenant: str, kind: str, key: str | None, body: BaseModel) -> str:
        """Return the id for a new object of this `kind`, the same id whenever `key` is sent again.

        Raises `KeyUsed` if the key was sent with another body before.
        """
        if key is None:
            return self._new_id()
        row = f"{kind}-{_hash(key)}"
        claim = IdempotencyClaim(
            id=self._new_id(), body=_hash(body.model_dump_json(by_alias=True)), when=self._clock()
        )
        try:
            await self._claims.insert(tenant, row, claim)
        except Conflict as error:
            known = await self._claims.get(tenant, row)
            if known is None or known.value.body != claim.body:
                raise KeyUsed("idempotency_key_reused") from error
            return known.value.id
        return claim.id


def _hash(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()
