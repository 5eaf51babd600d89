"""Sealed texts, for cookies and forms: encrypted and signed, good for one purpose and a time.

The keys are Fernet's (docs: cryptography, fernet): 32 random bytes in URL-safe base64. The first
seals, all of them open, so that a key can be renewed while cookies of the old one are about.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import orjson
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from shared.adapters.vault import Vault
from shared.domain.errors import Defect

LONGEST: Final = 4096
"""Browsers keep no longer cookie, its name and attributes included (RFC 6265, section 6.1)."""


class SealKeys(Protocol):
    """Keeps the keys of a seal."""

    async def read(self) -> Sequence[str]:
        """The keys in use, the newest first."""


@dataclass(frozen=True, slots=True)
class GivenKeys:
    """Keys that a setting holds, for this machine only."""

    keys: Sequence[str] = field(repr=False)

    async def read(self) -> Sequence[str]:
        """The keys that were given."""
        return self.keys


@dataclass(frozen=True, slots=True)
class VaultKeys:
    """The newest versions of a secret in the vault; how long they are kept, the vault decides."""

    vault: Vault | None
    secret: str
    versions: int

    async def read(self) -> Sequence[str]:
        """The present version and those before it; raises what `Vault.versions` raises."""
        return await self._read(anew=False)

    async def ready(self) -> None:
        """See that the vault answers with the keys now."""
        await self._read(anew=True)

    async def _read(self, *, anew: bool) -> Sequence[str]:
        if self.vault is None:
            raise Defect(f"Set KEY_VAULT_URI: the vault's secret {self.secret} seals the cookies.")
        found = await self.vault.versions(self.secret, self.versions, anew=anew)
        return [version.value for version in found]


@dataclass(frozen=True, slots=True)
class Purpose:
    """What something is sealed for, and for how long it is then good."""

    name: str
    lives: timedelta


class Seal:
    """Seals and opens, by the keys that are in use when it is asked."""

    def __init__(self, keys: SealKeys, clock: Callable[[], datetime]) -> None:
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
            return MultiFernet([Fernet(key) for key in await self._keys.read()])
        except ValueError as error:
            message = "The key of the session cookies is none: see Fernet.generate_key."
            raise Defect(message) from error

    def _now(self) -> int:
        return int(self._clock().timestamp())
