"""Keeps requests below the directory's limit of each tenant (docs: throttling-limits).

The smallest tenants allow an app 3,500 resource units in 10 seconds. One process uses at most 1,000
in any 10 seconds (a bucket of 500, refilled by 50 a second), so that three processes may read the
same directory at once; a directory of 50,000 users takes 50 units, and 1,000 with managers.
"""

import asyncio
from typing import Final

_CAPACITY: Final = 500.0
_PER_SECOND: Final = 50.0


class Units:
    """The resource units of one tenant in this process."""

    def __init__(self) -> None:
        self._left = _CAPACITY
        self._since: float | None = None

    async def take(self, units: float) -> None:
        """Take units, after a pause if there are not enough, in the order of the calls."""
        now = asyncio.get_running_loop().time()
        passed = now - self._since if self._since is not None else 0.0
        self._left = min(_CAPACITY, self._left + passed * _PER_SECOND) - units
        self._since = now
        if self._left < 0:
            await asyncio.sleep(-self._left / _PER_SECOND)
