"""Validation of Entra ID access tokens for our API.

All tenants share Entra's signing keys, so signature and audience alone would accept any company
(microsoft/Agents-for-python#423): the issuer must be that of the token's own tenant, and the
signing key must be valid for this issuer.
Docs: access-tokens (validate tokens), access-token-claims-reference.
"""

import asyncio
import hmac
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import jwt

from shared.domain.errors import Unauthenticated, Unavailable

_KEYS_LIVE: Final = 24 * 3600.0
_REFETCH_AFTER: Final = 60.0
_FAILED_WAIT: Final = 5.0
_LEEWAY: Final = 60
_LONGEST_TOKEN: Final = 16 * 1024
_LONGEST: Final = 1e9
"""The age in seconds beyond which a token counts as just that old."""
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}")
_REQUIRED: Final = ["exp", "nbf", "iat", "iss", "aud", "tid", "oid"]
_SCOPE: Final = "access_as_user"
PORTAL: Final = "portal"
"""The origin of a caller with a session of the portal."""

_PERSONAL: Final = "9188040d-6c67-4c5b-b112-36a304b66dad"
"""The tenant of personal Microsoft accounts (docs: id-token-claims-reference)."""

_ASSIGNERS: Final = frozenset(
    {
        "62e90394-69f5-4237-9190-012177145e10",  # Global Administrator
        "e8611ab8-c189-46e8-94e1-60213ab1f814",  # Privileged Role Administrator
        "9b895d92-2cd3-44c7-9d02-a6ac2d5ea5c3",  # Application Administrator
        "158c047a-c907-4556-b7ef-446551a6b5f7",  # Cloud Application Administrator
    }
)
"""Directory roles, by template, whose holders can assign our app role `Admin` to themselves.

They count as `Admin` at once. This gives them nothing that they could not assign themselves, and
lets the first admin of a tenant sign in (docs: permissions-reference of Entra built-in roles).
"""


@dataclass(frozen=True, slots=True)
class Caller:
    """A signed-in admin or app: its tenant, object id, display name and app roles.

    `origin` is where the call came in (api or portal), `network` the caller's truncated IP address,
    `client` the application that called the API. A `program` calls with a token of its own.
    `issued` is when the token or session was issued, `signed_in` when the person last signed in.
    """

    tenant: str
    oid: str
    name: str
    roles: frozenset[str]
    origin: str = "api"
    network: str = ""
    client: str = ""
    program: bool = False
    issued: datetime | None = None
    signed_in: datetime | None = None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person who signed in to the portal, and the `hint` that names the account to Entra ID."""

    caller: Caller
    hint: str


@dataclass(frozen=True, slots=True)
class _Key:
    """A published key, and the issuer that signs with it (with `{tenantid}` for any tenant)."""

    public: jwt.PyJWK
    issuer: str


@dataclass(frozen=True, slots=True)
class Identity:
    """An app's identity in a tenant from its token, and when the token expires (POSIX time)."""

    tenant: str
    oid: str
    expires: float


class AccessTokens:
    """Validates access tokens with Entra's published keys, which are fetched when needed."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        authority: str,
        client_id: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Validate tokens by the machine's clock; `clock` says when they were issued."""
        self._clock = clock
        self._http = http
        self._authority = authority.rstrip("/")
        self._audiences = [client_id, f"api://{client_id}"]
        self._keys: dict[str, _Key] = {}
        self._fetched = float("-inf")
        self._failed = float("-inf")
        self._fetching = asyncio.Lock()

    async def ready(self) -> None:
        """Check that Entra's keys were fetched within a day; raises `Unavailable` if not."""
        if self._age() > _KEYS_LIVE:
            async with self._fetching:
                if self._age() > _KEYS_LIVE:
                    await self._fetch()

    async def caller(self, authorization: str | None) -> Caller:
        """Return the caller named by the Authorization header.

        Raises `Unauthenticated`, which never quotes the token, or `Unavailable` if Entra's keys
        cannot be read.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("token_missing")
        claims, issuer = await self._claims(token, self._audiences)
        if not _is_access_token(claims):
            raise Unauthenticated("token_is_id_token")
        program = "scp" not in claims
        return replace(
            self._trusted(claims, issuer, by_directory=not program),
            client=str(claims.get("azp", ""))[:64],
            program=program,
            signed_in=None if program else self._signed_in(claims),
        )

    async def signed_in(self, id_token: str, nonce: str) -> "SignedIn":
        """Return the caller of an ID token from a sign-in that we started with this `nonce`.

        Raises `Unauthenticated`, `Unavailable`.
        """
        claims, issuer = await self._claims(id_token, self._audiences[:1])
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
            raise Unauthenticated("token_of_other_sign_in")
        if claims["tid"] == _PERSONAL:
            raise Unauthenticated("personal_account")
        caller = self._trusted(claims, issuer, by_directory=True)
        hint = str(claims.get("preferred_username") or "")
        return SignedIn(replace(caller, origin=PORTAL, signed_in=self._signed_in(claims)), hint)

    async def identity(self, token: str) -> Identity:
        """Return the identity in an app-only token for our API, with or without roles.

        Raises `Unauthenticated`, `Unavailable`.
        """
        claims, issuer = await self._claims(token, self._audiences)
        if "scp" in claims:
            raise Unauthenticated("token_of_user")
        app = self._trusted(claims, issuer, by_directory=False)
        return Identity(app.tenant, app.oid, float(claims["exp"]))

    async def _claims(self, token: str, audiences: list[str]) -> tuple[dict[str, Any], str]:
        """Return the claims of a token that Entra signed for us, and the issuer of its key."""
        if len(token) > _LONGEST_TOKEN:
            raise Unauthenticated("token_invalid", cause="too long")
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") != "RS256":
                raise Unauthenticated("token_algorithm_wrong")
            key = await self._key(str(header.get("kid", "")))
            claims: dict[str, Any] = jwt.decode(
                token,
                key.public,
                algorithms=["RS256"],
                audience=audiences,
                leeway=_LEEWAY,
                options={"require": _REQUIRED},
            )
        except jwt.ExpiredSignatureError as error:
            raise Unauthenticated("token_expired") from error
        except jwt.InvalidAudienceError as error:
            raise Unauthenticated("token_audience_wrong") from error
        except (jwt.PyJWTError, RecursionError, ValueError) as error:
            raise Unauthenticated("token_invalid", cause=type(error).__name__) from error
        return claims, key.issuer

    def _trusted(self, claims: dict[str, Any], key_issuer: str, *, by_directory: bool) -> Caller:
        """Return the caller if tenant, issuer and key belong together (access-tokens: recap).

        Directory roles count only `by_directory`, that is for people, never for apps.
        """
        tenant, oid = str(claims["tid"]), str(claims["oid"])
        if not (_ID.fullmatch(tenant) and _ID.fullmatch(oid)):
            raise Unauthenticated("token_without_ids")
        issuer = f"{self._authority}/{tenant}/v2.0"
        own = claims["iss"] == issuer == key_issuer.replace("{tenantid}", tenant)
        if claims.get("ver") != "2.0" or not own:
            raise Unauthenticated("token_issuer_wrong")
        roles = _texts(claims.get("roles"))
        if by_directory and _texts(claims.get("wids")) & _ASSIGNERS:
            roles |= {"Admin"}
        return Caller(
            tenant=tenant,
            oid=oid,
            name=str(claims.get("name") or "")[:200],
            roles=roles,
            issued=self._moment(claims["iat"]),
        )

    def _signed_in(self, claims: dict[str, Any]) -> datetime:
        """Return when the person signed in; without `auth_time`, when the token was issued.

        Docs: optional-claims-reference (auth_time).
        """
        given = claims.get("auth_time")
        return self._moment(given if isinstance(given, int | float) else claims["iat"])

    def _moment(self, seconds: float) -> datetime:
        """Return a time of the machine's clock as the app's clock would have shown it."""
        age = min(max(datetime.now(UTC).timestamp() - seconds, -_LONGEST), _LONGEST)
        return self._clock() - timedelta(seconds=age)

    async def _key(self, kid: str) -> _Key:
        if kid in self._keys and not self._due(kid):
            return self._keys[kid]
        async with self._fetching:
            if self._due(kid):
                try:
                    await self._fetch()
                except Unavailable:
                    # Entra announces new keys long before it drops the old ones.
                    if kid not in self._keys or self._age() > 2 * _KEYS_LIVE:
                        raise
        if kid not in self._keys:
            raise Unauthenticated("token_key_unknown")
        return self._keys[kid]

    def _due(self, kid: str) -> bool:
        return self._age() > (_KEYS_LIVE if kid in self._keys else _REFETCH_AFTER)

    def _age(self) -> float:
        return time.monotonic() - self._fetched

    async def _fetch(self) -> None:
        """Fetch the keys from the address in the OpenID metadata (docs: v2-protocols-oidc).

        After a failure, calls fail at once for some seconds instead of each waiting for a timeout.
        """
        now = time.monotonic()
        if now - self._failed < _FAILED_WAIT:
            raise Unavailable("Entra ID's signing keys could not be read.", _FAILED_WAIT)
        try:
            metadata = await self._json(
                f"{self._authority}/organizations/v2.0/.well-known/openid-configuration"
            )
            document = await self._json(str(metadata["jwks_uri"]))
            template = str(metadata["issuer"])
            issuers = {key["kid"]: str(key.get("issuer", template)) for key in document["keys"]}
            found = jwt.PyJWKSet.from_dict(document)
        except (httpx.HTTPError, KeyError, TypeError, ValueError, jwt.PyJWTError) as error:
            self._failed = time.monotonic()
            raise Unavailable("Entra ID's signing keys cannot be read.", _FAILED_WAIT) from error
        self._keys = {
            key.key_id: _Key(key, issuers[key.key_id]) for key in found.keys if key.key_id
        }
        self._fetched = time.monotonic()

    async def _json(self, url: str) -> dict[str, Any]:
        response = await self._http.get(url)
        response.raise_for_status()
        return dict(response.json())


def _is_access_token(claims: dict[str, Any]) -> bool:
    """Return whether a token is for our API: a user's has our scope, an app's has roles.

    An ID token also has our client id as its audience, but neither scope nor client (docs:
    access-token-claims-reference, id-token-claims-reference).
    """
    scopes = claims.get("scp")
    if scopes is not None:
        return _SCOPE in str(scopes).split()
    return "azp" in claims and bool(_texts(claims.get("roles")))


def _texts(value: object) -> frozenset[str]:
    return frozenset(map(str, value)) if isinstance(value, list) else frozenset()
