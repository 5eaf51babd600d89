"""Sealed texts, for cookies: encrypted and signed, good for one purpose and a limited time.

The keys are Fernet's (docs: cryptography, fernet): 32 random bytes in URL-safe base64. The first
seals, all of them open, so that a key can be renewed while cookies of the old one are about.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from shared.domain.errors import Defect

type Keys = Callable[[], Awaitable[Sequence[str]]]


class Seal:
    """Seals and opens; `keys` answers those in use, the newest first."""

    def __init__(self, keys: Keys, clock: Callable[[], datetime]) -> None:
        """Ask for keys whenever one is needed; who keeps them decides for how long."""
        self._keys = keys
        self._clock = clock

    async def close(self, purpose: str, value: dict[str, Any]) -> str:
        """Seal a value of JSON for a purpose."""
        content = orjson.dumps({"purpose": purpose, "value": value})
        return (await self._fernet()).encrypt_at_time(content, self._now()).decode()

    async def open(self, purpose: str, sealed: str, most: timedelta) -> dict[str, Any] | None:
        """What was sealed for this purpose at most so long ago; None for anything else."""
        fernet = await self._fernet()
        try:
            content = fernet.decrypt_at_time(
                sealed.encode(), int(most.total_seconds()), self._now()
            )
            found: dict[str, Any] = orjson.loads(content)
        except (InvalidToken, orjson.JSONDecodeError):
            return None
        return dict(found["value"]) if found["purpose"] == purpose else None

    async def _fernet(self) -> MultiFernet:
        try:
            return MultiFernet([Fernet(key) for key in await self._keys()])
        except ValueError as error:
            message = "The key of the session cookies is none: see Fernet.generate_key."
            raise Defect(message) from error

    def _now(self) -> int:
        return int(self._clock().timestamp())
