"""Secrets in Azure Key Vault, read with Microsoft's SDK and cached in memory for an hour.

The identity needs the role Key Vault Secrets User, which may read secrets and list their versions
(docs: rbac-guide). Vaults are throttled at 4,000 reads in ten seconds (docs: service-limits), so
secrets are not read at each use.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError
from azure.core.pipeline.transport import AioHttpTransport

from shared.adapters.loopback import is_loopback
from shared.domain.errors import Defect, Unavailable

if TYPE_CHECKING:
    from azure.keyvault.secrets import SecretProperties
    from azure.keyvault.secrets.aio import SecretClient

KEPT: Final = timedelta(hours=1)
"""How long a secret is cached."""

OUTLIVES: Final = timedelta(hours=24)
"""How long a cached secret is used while the vault does not respond."""

REFRESH_PAUSE: Final = timedelta(seconds=30)
"""The shortest time between two refreshes of the same secret."""

_WAIT: Final = 10.0
_REMEDIES: Final = {
    "ForbiddenByRbac": "give the app's managed identity the role Key Vault Secrets User there",
    "SecretDisabled": "enable its newest version, or add a new one",
    "SecretNotFound": "add it, or correct the setting that names it",
}
_REMEDY: Final = "see the vault's access and network rules"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Secret:
    """One version of a secret."""

    version: str
    value: str = field(repr=False)


@dataclass(slots=True)
class _Kept:
    """Cached versions: when they were read, are read again, and were last refreshed on demand."""

    found: tuple[Secret, ...] = field(repr=False)
    read: datetime
    due: datetime
    refreshed: datetime


_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class Vault:
    """One vault, read as `credential`, which the caller closes.

    Every read raises `Unavailable` if the vault does not respond or throttles, and `Defect`, with
    the names of vault and secret, if it denies access (401, 403) or has no such secret (404). While
    the vault is unavailable, cached secrets are used for at most a day.
    """

    def __init__(
        self, uri: str, credential: AsyncTokenCredential, clock: Callable[[], datetime]
    ) -> None:
        self._uri = uri.rstrip("/")
        self._clock = clock
        self._kept: dict[tuple[str, int], _Kept] = {}
        self._locks: dict[tuple[str, int], asyncio.Lock] = {}
        self._credential = credential
        self._opened: SecretClient | None = None

    async def current(self, name: str, *, refresh: bool = False) -> Secret:
        """Return the secret's current version.

        `refresh` bypasses the cache unless it was just refreshed.
        """
        found = await self._read((name, 0), lambda: self._current(name), refresh=refresh)
        return found[0]

    async def versions(
        self, name: str, limit: int = 3, *, refresh: bool = False
    ) -> tuple[Secret, ...]:
        """Return up to `limit` valid versions (enabled, active, not expired), newest first.

        Older versions open what was sealed before a rotation. Raises `Defect` if none is valid.
        """
        return await self._read((name, limit), lambda: self._versions(name, limit), refresh=refresh)

    async def close(self) -> None:
        """Close the connections and clear the cache."""
        self._kept.clear()
        if self._opened is not None:
            await self._opened.close()
            self._opened = None

    def _client(self) -> "SecretClient":
        """Return the SDK's client, opened at first use, because most workers never need a vault."""
        if self._opened is None:
            from azure.keyvault.secrets.aio import SecretClient  # noqa: PLC0415 - at first use

            self._opened = SecretClient(
                self._uri,
                self._credential,
                # A foreign vault must not be able to request tokens for other services.
                verify_challenge_resource=not is_loopback(self._uri),
                transport=AioHttpTransport(use_env_settings=False),
                # The queue retries if the vault is busy; no worker sleeps for it.
                retry_total=2,
                retry_status=0,
                connection_timeout=10,
                read_timeout=10,
            )
        return self._opened

    async def _read(
        self,
        key: tuple[str, int],
        ask: Callable[[], Awaitable[tuple[Secret, ...]]],
        *,
        refresh: bool,
    ) -> tuple[Secret, ...]:
        before = self._kept.get(key)
        if before is not None and not refresh and self._clock() < before.due:
            return before.found
        async with self._locks.setdefault(key, asyncio.Lock()):
            kept, now = self._kept.get(key), self._clock()
            # Another task may have read the secret while this one waited for the lock.
            if kept is not None and (
                kept is not before or (refresh and now - kept.refreshed < REFRESH_PAUSE)
            ):
                return kept.found
            try:
                found = await self._asked(key[0], ask)
            except Unavailable:
                if kept is None or refresh or now - kept.read > OUTLIVES:
                    raise
                _log.warning("%s is not responding: using the cached %s.", self._uri, key[0])
                self._kept[key] = _Kept(kept.found, kept.read, now + REFRESH_PAUSE, kept.refreshed)
                return kept.found
            self._kept[key] = _Kept(found, now, now + KEPT, now if refresh else _NEVER)
            return found

    async def _asked(
        self, name: str, ask: Callable[[], Awaitable[tuple[Secret, ...]]]
    ) -> tuple[Secret, ...]:
        try:
            return await ask()
        except AzureError as error:
            raise self._refused(name, error) from error
        except ValueError as error:
            # The SDK raises it for a challenge that names another service than this vault.
            message = f"{self._uri} did not respond like a key vault when reading {name}."
            raise Defect(message) from error

    def _refused(self, name: str, error: AzureError) -> Defect | Unavailable:
        """Return our error for the vault's, with its codes but without its text."""
        response: Any = error.response if isinstance(error, HttpResponseError) else None
        status = response.status_code if response is not None else None
        transient = status is None or status in {408, 429} or status >= 500
        if isinstance(error, ClientAuthenticationError):
            from_vault = status and str(response.request.url).startswith(f"{self._uri}/")
            if status is None or not (from_vault or transient):
                message = f"The managed identity got no token for {self._uri} to read {name}."
                return Defect(message)
        if transient:
            wait = _retry_after(error)
            return Unavailable(f"{self._uri} did not respond for {name} ({status}).", wait)
        code = _code(error) or "no code"
        remedy = _REMEDIES.get(code, _REMEDY)
        return Defect(f"{self._uri} denied access to {name} ({status} {code}): {remedy}.")

    async def _current(self, name: str) -> tuple[Secret, ...]:
        return (await self._get(name, None),)

    async def _versions(self, name: str, limit: int) -> tuple[Secret, ...]:
        now = self._clock()
        listed = self._client().list_properties_of_secret_versions(name)
        usable = [properties async for properties in listed if _usable(properties, now)]
        usable.sort(key=lambda properties: properties.created_on or _NEVER, reverse=True)
        if not usable:
            message = f"{self._uri} has no version of {name} that is valid now: add one."
            raise Defect(message)
        return tuple([await self._get(name, properties.version) for properties in usable[:limit]])

    async def _get(self, name: str, version: str | None) -> Secret:
        found = await self._client().get_secret(name, version)
        if not found.value:
            message = f"{self._uri} has {name} without a value."
            raise Defect(message)
        return Secret(found.properties.version or "", found.value)


def _usable(properties: "SecretProperties", now: datetime) -> bool:
    begun = properties.not_before is None or properties.not_before <= now
    ended = properties.expires_on is not None and properties.expires_on <= now
    return bool(properties.enabled) and begun and not ended


def _code(error: AzureError) -> str:
    """Return the innermost code of Key Vault's error, such as ForbiddenByRbac."""
    described: Any = getattr(error, "error", None)
    # The SDK shows a 403 as its own model, and a 404 in azure-core's form.
    inner = getattr(described, "inner_error", None) or getattr(described, "innererror", None)
    code = inner.get("code") if isinstance(inner, Mapping) else None
    return str(code or getattr(described, "code", None) or "")


def _retry_after(error: AzureError) -> float:
    headers = getattr(getattr(error, "response", None), "headers", {})
    try:
        return max(1.0, float(headers["Retry-After"]))
    except (KeyError, ValueError):
        return _WAIT
