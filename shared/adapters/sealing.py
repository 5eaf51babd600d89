"""Sealed texts, for cookies and forms: encrypted and signed, good for one purpose and a time.

The keys are Fernet's (docs: cryptography, fernet): 32 random bytes in URL-safe base64. The first
seals, all of them open, so that a key can be renewed while cookies of the old one are about.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from shared.domain.errors import Defect

LONGEST: Final = 4096
"""Browsers keep no longer cookie, its name and attributes included (RFC 6265, section 6.1)."""

type Keys = Callable[[], Awaitable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Purpose:
    """What something is sealed for, and for how long it is then good."""

    name: str
    lives: timedelta


class Seal:
    """Seals and opens; `keys` answers those in use, the newest first."""

    def __init__(self, keys: Keys, clock: Callable[[], datetime]) -> None:
        """Ask for keys whenever one is needed; who keeps them decides for how long."""
        self._keys = keys
        self._clock = clock

    async def close(self, purpose: Purpose, value: Mapping[str, Any]) -> str:
        """Seal a value of JSON for a purpose."""
        content = orjson.dumps({"purpose": purpose.name, "value": value})
        return (await self._fernet()).encrypt_at_time(content, self._now()).decode()

    async def open(self, purpose: Purpose, sealed: str) -> dict[str, Any] | None:
        """What was sealed for this purpose and still is good; None for anything else."""
        if not sealed or len(sealed) > LONGEST or not sealed.isascii():
            return None
        fernet = await self._fernet()
        lives = int(purpose.lives.total_seconds())
        try:
            content = fernet.decrypt_at_time(sealed.encode(), lives, self._now())
        except InvalidToken:
            return None
        found: dict[str, Any] = orjson.loads(content)
        return dict(found["value"]) if found["purpose"] == purpose.name else None

    async def _fernet(self) -> MultiFernet:
        try:
            return MultiFernet([Fernet(key) for key in await self._keys()])
        except ValueError as error:
            message = "The key of the session cookies is none: see Fernet.generate_key."
            raise Defect(message) from error

    def _now(self) -> int:
        return int(self._clock().timestamp())
