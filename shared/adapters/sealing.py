"""Sealed texts for cookies, forms and answers: encrypted, signed, for one purpose and a time.

The keys are Fernet keys (docs: cryptography, fernet): 32 random bytes in URL-safe base64. The first
key seals and every key opens, so that a key can be replaced while older cookies are in use.
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
"""The longest cookie a browser must keep, with name and attributes (RFC 6265, section 6.1)."""


class SealKeys(Protocol):
    """The keys of a seal."""

    async def read(self) -> Sequence[str]:
        """Return the keys in use, newest first."""


@dataclass(frozen=True, slots=True)
class GivenKeys:
    """Keys from a setting, for local use only."""

    keys: Sequence[str] = field(repr=False)

    async def read(self) -> Sequence[str]:
        """Return the given keys."""
        return self.keys


@dataclass(frozen=True, slots=True)
class VaultKeys:
    """The newest versions of a secret in the vault, which `Vault` caches."""

    vault: Vault | None
    secret: str
    versions: int

    async def read(self) -> Sequence[str]:
        """Return the newest versions, newest first; raises what `Vault.versions` raises."""
        return await self._read(refresh=False)

    async def ready(self) -> None:
        """Check that the vault returns the keys now."""
        await self._read(refresh=True)

    async def _read(self, *, refresh: bool) -> Sequence[str]:
        if self.vault is None:
            raise Defect(f"Set KEY_VAULT_URI: the vault's secret {self.secret} seals the cookies.")
        found = await self.vault.versions(self.secret, self.versions, refresh=refresh)
        return [version.value for version in found]


@dataclass(frozen=True, slots=True)
class Purpose:
    """The purpose of a sealed text, and how long it is valid."""

    name: str
    lives: timedelta


class Seal:
    """Seals and opens texts with the keys in use at the time."""

    def __init__(self, keys: SealKeys, clock: Callable[[], datetime]) -> None:
        self._keys = keys
        self._clock = clock

    async def close(self, purpose: Purpose, value: Mapping[str, Any]) -> str:
        """Seal a JSON value for a purpose."""
        content = orjson.dumps({"purpose": purpose.name, "value": value})
        return (await self._fernet()).encrypt_at_time(content, self._now()).decode()

    async def open(
        self, purpose: Purpose, sealed: str, longest: int = LONGEST
    ) -> dict[str, Any] | None:
        """Return the value that was sealed for this purpose; None if it is invalid or expired."""
        if not sealed or len(sealed) > longest or not sealed.isascii():
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
            message = "The key of the session cookies is invalid: see Fernet.generate_key."
            raise Defect(message) from error

    def _now(self) -> int:
        return int(self._clock().timestamp())
