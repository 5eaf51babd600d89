"""The simulator's state: the app's registration, tenants, their users and consent.

Refusals are here as well, worded as Entra ID does (docs: reference-error-codes).
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

import orjson
from aiohttp import web
from cryptography import x509

from tests.local.entra.tokens import EXCHANGE_AUDIENCE, GRAPH, GRAPH_PERMISSIONS, Keys, times

SHARED = frozenset({"organizations", "common"})
"""The authorities that stand for any tenant."""


@dataclass(frozen=True, slots=True)
class EntraSettings:
    """The authority (https root without a trailing slash) and the app's registration.

    A managed identity of `home_tenant` is a federated credential of the app; its endpoint requires
    `identity_header`. `redirects` are the registered redirect URIs.
    """

    authority: str
    client_id: str
    client_secret: str
    home_tenant: str = field(default_factory=lambda: str(uuid4()))
    identity: str = field(default_factory=lambda: str(uuid4()))
    identity_header: str = field(default_factory=lambda: secrets.token_hex(16))
    redirects: tuple[str, ...] = ()


@dataclass(slots=True)
class TenantEntry:
    """A tenant: its users by object id, and what it has granted the app.

    `principal` says whether the app has a service principal here, `roles` which application
    permissions an admin granted. With `slow`, a consent on the page has no effect until the control
    interface grants it; `refusal` is the AADSTS code with which Entra ID refuses the app anyway.
    """

    name: str = ""
    domain: str = ""
    principal: bool = False
    roles: tuple[str, ...] = ()
    users: dict[str, dict[str, Any]] = field(default_factory=dict)
    slow: bool = False
    refusal: int | None = None

    def grant(self, roles: tuple[str, ...] = GRAPH_PERMISSIONS) -> None:
        """Grant these permissions, as an admin's consent does."""
        self.principal, self.roles = True, roles

    def withdraw(self) -> None:
        """Remove the app from the tenant."""
        self.principal, self.roles = False, ()


class State:
    """The whole state, and the claims of tokens derived from it."""

    def __init__(self, settings: EntraSettings) -> None:
        self.settings = settings
        self.keys = Keys()
        self.secrets: tuple[str, ...] = (settings.client_secret,)
        self.certificates: tuple[x509.Certificate, ...] = ()
        self.redirects: set[str] = set(settings.redirects)
        self.asked: tuple[str, ...] = GRAPH_PERMISSIONS
        self.single = False
        self.tenants: dict[str, TenantEntry] = {}

    def know(self, tenant: str) -> TenantEntry:
        """Return a tenant, and create it if it does not exist."""
        return self.tenants.setdefault(tenant, TenantEntry())

    def require(self, tenant: str) -> None:
        """Refuse a tenant that does not exist."""
        if tenant not in self.tenants and tenant not in SHARED:
            raise Refused(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")

    def username(self, tenant: str, user: Mapping[str, Any]) -> str:
        """Return a user's name to sign in with."""
        domain = (self.tenants.get(tenant) or TenantEntry()).domain or "tenant.example"
        return str(user.get("username") or f"{user['oid']}@{domain}")

    def user_claims(self, tenant: str, user: Mapping[str, Any], audience: str) -> dict[str, Any]:
        """Return the claims of every token for a signed-in user."""
        subject = f"{user['oid']} {self.settings.client_id}"
        wids = list(user.get("wids") or ())
        return {
            **times(),
            "iss": f"{self.settings.authority}/{tenant}/v2.0",
            "aud": audience,
            "tid": tenant,
            "oid": user["oid"],
            # The registration requests it: groupMembershipClaims is DirectoryRole.
            **({"wids": wids} if wids else {}),
            "sub": hashlib.sha256(subject.encode()).hexdigest()[:43],
            "name": user.get("name") or "",
            "preferred_username": self.username(tenant, user),
            "uti": secrets.token_urlsafe(16),
            "ver": "2.0",
            **({"wids": list(user["wids"])} if user.get("wids") else {}),
        }

    def api_claims(self, tenant: str, user: Mapping[str, Any]) -> dict[str, Any]:
        """Return the claims of an access token for our API, like that of a sign-in."""
        client = self.settings.client_id
        return {
            **self.user_claims(tenant, user, client),
            "roles": list(user.get("roles") or ()),
            "scp": "access_as_user",
            "azp": client,
            "azpacr": "1",
        }

    def app_claims(self, tenant: str) -> dict[str, Any]:
        """Return the claims of an app-only Graph token (version 1.0); no roles without consent."""
        client = self.settings.client_id
        claims = {
            **times(),
            "iss": f"https://sts.windows.net/{tenant}/",
            "aud": GRAPH,
            "tid": tenant,
            "appid": client,
            "appidacr": "1",
            "oid": str(uuid5(NAMESPACE_URL, f"{tenant}/{client}")),
            "idtyp": "app",
            "uti": secrets.token_urlsafe(16),
            "ver": "1.0",
        }
        if roles := self.tenants[tenant].roles:
            claims["roles"] = list(roles)
        return claims

    def identity_claims(self, resource: str) -> dict[str, Any]:
        """Return the claims of a managed identity's token (docs: overview-managed-identity)."""
        home, identity = self.settings.home_tenant, self.settings.identity
        return {
            **times(),
            "iss": f"{self.settings.authority}/{home}/v2.0",
            "aud": resource,
            "tid": home,
            "oid": identity,
            "sub": identity,
            "idtyp": "app",
            "ver": "2.0",
        }

    def vouches(self, assertion: str) -> bool:
        """Return whether an assertion comes from the identity that the registration trusts."""
        try:
            claims = self.keys.verify(assertion, EXCHANGE_AUDIENCE)
        except PermissionError:
            return False
        home = f"{self.settings.authority}/{self.settings.home_tenant}/v2.0"
        return bool(claims.get("iss") == home and claims.get("sub") == self.settings.identity)


class Refused(Exception):
    """A refusal: the OAuth error, and the AADSTS code that explains it."""

    def __init__(self, status: int, error: str, code: int, text: str, suberror: str = "") -> None:
        super().__init__(text)
        stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        trace, correlation = str(uuid4()), str(uuid4())
        self.status = status
        self.error = error
        self.description = (
            f"AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation} "
            f"Timestamp: {stamp}"
        )
        self.body: dict[str, Any] = {
            "error": error,
            "error_description": self.description,
            "error_codes": [code],
            "timestamp": stamp,
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={code}",
        }
        if suberror:
            self.body["suberror"] = suberror


def json_answer(body: object, status: int = 200) -> web.Response:
    """Return a JSON response that must not be cached."""
    return web.Response(
        body=orjson.dumps(body),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store, no-cache"},
    )
