"""How many objects of a kind a tenant has: a row beside them that changes in the same transaction.

So a limit holds however many requests come at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from shared.adapters.storage.models import ObjectCount
from shared.adapters.storage.records import Records
from shared.adapters.storage.tables.conditions import Condition
from shared.adapters.storage.tables.transactions import Operation
from shared.domain.error_codes import Code
from shared.domain.errors import Busy, Conflict, PreconditionFailed

_ROW: Final = "count"
_TRIES: Final = 24
_PAUSE: Final = 0.03
_LONGEST_PAUSE: Final = 0.3

type Build = Callable[[], Awaitable[Sequence[Operation]]]


class Numbers:
    """The numbers of one kind of objects, in the partitions of their tenants; `most` is the limit.

    A row that is missing is counted: the objects are `records` for which `where` holds.
    """

    def __init__(
        self,
        records: Records[Any],
        counts: Records[ObjectCount],
        most: int,
        code: Code,
        where: Sequence[Condition] = (),
    ) -> None:
        self._records = records
        self._counts = counts
        self.most = most
        self._code = code
        self._where = where

    async def require_room(self, tenant: str) -> None:
        """Raise `Conflict` if the tenant has as many as it may have."""
        stored = await self._counts.get(tenant, _ROW)
        number = stored.value.count if stored is not None else await self._counted(tenant)
        if number >= self.most:
            raise Conflict(self._code, limit=self.most)

    async def add(self, tenant: str, build: Build) -> dict[str, str]:
        """Add one object with the operations that `build` returns, which is called at each try.

        Returns the new ETags. Raises `Conflict` if the tenant has as many as it may have, and what
        `build` raises, which finds out why the operations are no longer possible.
        """
        return await self._change(tenant, 1, build)

    async def remove(self, tenant: str, build: Build) -> dict[str, str]:
        """Remove one object with the operations that `build` returns, as `add` does."""
        return await self._change(tenant, -1, build)

    async def _change(self, tenant: str, by: int, build: Build) -> dict[str, str]:
        for attempt in range(_TRIES):
            operations = await build()
            known = await self._counts.get(tenant, _ROW)
            number = known.value.count if known is not None else await self._counted(tenant)
            if by > 0 and number >= self.most:
                raise Conflict(self._code, limit=self.most)
            count = ObjectCount(count=max(0, number + by))
            counting = self._counts.setting(_ROW, count, known)
            try:
                return await self._records.transact(tenant, [*operations, *counting])
            except (Conflict, PreconditionFailed):
                await asyncio.sleep(min(_PAUSE * (attempt + 1), _LONGEST_PAUSE))
        raise Busy("The number of objects of the tenant keeps changing.", 1.0)

    async def _counted(self, tenant: str) -> int:
        return await self._records.count(tenant, self._where)
