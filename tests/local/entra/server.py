"""The endpoints of Entra ID v2.0 and the control interface of the simulator.

Docs: v2-protocols-oidc, v2-oauth2-auth-code-flow, v2-oauth2-client-creds-grant-flow,
v2-admin-consent, reference-error-codes. Consent starts as not granted.
"""

import base64
import hashlib
import hmac
import html
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import orjson
from aiohttp import web

from tests.local.entra.tokens import GRAPH, GRAPH_PERMISSIONS, LIFETIME, Keys, times

_CODE_LIVES = 600.0


@dataclass(frozen=True, slots=True)
class EntraSettings:
    """The authority (https root without a slash at its end) and the app's registration."""

    authority: str
    client_id: str
    client_secret: str


@dataclass(slots=True)
class TenantEntry:
    """A tenant: its users by object id, and whether it consented to the app."""

    name: str = ""
    consent: bool = False
    users: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Code:
    """An authorization code that waits to be redeemed."""

    tenant: str
    user: dict[str, Any]
    redirect_uri: str
    challenge: str | None
    nonce: str | None
    scope: str
    issued: float


class EntraServer:
    """The whole simulator."""

    def __init__(self, settings: EntraSettings) -> None:
        self.settings = settings
        self.keys = Keys()
        self.tenants: dict[str, TenantEntry] = {}
        self._codes: dict[str, _Code] = {}
        self._refresh: dict[str, _Code] = {}

    def verify_graph_token(self, token: str) -> dict[str, Any]:
        """The claims of a token that is meant for Graph; raises `PermissionError`."""
        return self.keys.verify(token)

    def user_token(self, tenant: str, user: dict[str, Any]) -> dict[str, Any]:
        """The claims of an access token for our API, as a sign-in gives it."""
        return {
            **times(),
            "iss": f"{self.settings.authority}/{tenant}/v2.0",
            "aud": self.settings.client_id,
            "tid": tenant,
            "oid": user["oid"],
            "sub": hashlib.sha256(user["oid"].encode()).hexdigest()[:43],
            "name": user.get("name", ""),
            "preferred_username": user.get("username", ""),
            "roles": user.get("roles", []),
            "scp": "access_as_user",
            "azp": self.settings.client_id,
            "azpacr": "1",
            "uti": secrets.token_urlsafe(16),
            "ver": "2.0",
        }

    async def metadata(self, http: web.Request) -> web.Response:
        tenant = http.match_info["tenant"]
        shared = tenant in {"organizations", "common"}
        root = f"{self.settings.authority}/{tenant}"
        issuer = "{tenantid}" if shared else tenant
        return _json(
            {
                "issuer": f"{self.settings.authority}/{issuer}/v2.0",
                "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
                "token_endpoint": f"{root}/oauth2/v2.0/token",
                "jwks_uri": f"{root}/discovery/v2.0/keys",
                "end_session_endpoint": f"{root}/oauth2/v2.0/logout",
                "response_types_supported": ["code", "id_token"],
                "response_modes_supported": ["query", "form_post"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def published_keys(self, http: web.Request) -> web.Response:
        del http
        return _json(self.keys.published())

    async def authorize(self, http: web.Request) -> web.Response:
        """Sign a known user in: `login_hint` picks one, else a page asks."""
        query = http.query
        wanted = query.get("client_id"), query.get("response_type"), query.get("redirect_uri")
        if wanted[0] != self.settings.client_id or wanted[1] != "code" or not wanted[2]:
            return web.Response(status=400, text="AADSTS900144: a parameter is missing or wrong.")
        found = [
            (tenant, user)
            for tenant, entry in self.tenants.items()
            if http.match_info["tenant"] in {tenant, "organizations", "common"}
            for user in entry.users.values()
        ]
        hint = query.get("login_hint")
        chosen = next((f for f in found if hint in {f[1].get("username"), f[1]["oid"]}), None)
        if chosen is None:
            return _picker(http, found)
        code = secrets.token_urlsafe(40)
        self._codes[code] = _Code(
            tenant=chosen[0],
            user=chosen[1],
            redirect_uri=str(wanted[2]),
            challenge=query.get("code_challenge"),
            nonce=query.get("nonce"),
            scope=query.get("scope", ""),
            issued=time.monotonic(),
        )
        return _redirect(http, {"code": code, "state": query.get("state", "")})

    async def token(self, http: web.Request) -> web.Response:
        form = await http.post()
        given = {str(k): str(v) for k, v in form.items()}
        tenant = http.match_info["tenant"]
        if given.get("client_id") != self.settings.client_id:
            return _refusal(
                400, "unauthorized_client", 700016, f"Application not found in '{tenant}'."
            )
        if not hmac.compare_digest(given.get("client_secret", ""), self.settings.client_secret):
            return _refusal(401, "invalid_client", 7000215, "Invalid client secret provided.")
        match given.get("grant_type"):
            case "client_credentials":
                return self._app_token(tenant, given)
            case "authorization_code":
                return self._redeem(given)
            case "refresh_token":
                return self._renew(given)
            case _:
                return _refusal(400, "unsupported_grant_type", 70003, "The grant is not supported.")

    async def admin_consent(self, http: web.Request) -> web.Response:
        """Grant consent as an admin would, or refuse it (`?deny=1`)."""
        query = http.query
        tenant = http.match_info["tenant"]
        state = {"admin_consent": "True", "tenant": tenant, "state": query.get("state", "")}
        if query.get("deny"):
            error = {"error": "access_denied", "error_description": "AADSTS65004: declined."}
            return _redirect(http, {**error, **state})
        self.tenants.setdefault(tenant, TenantEntry()).consent = True
        return _redirect(http, {**state, "scope": f"{GRAPH}/.default"})

    async def logout(self, http: web.Request) -> web.Response:
        target = http.query.get("post_logout_redirect_uri")
        if target:
            raise web.HTTPFound(target)
        return web.Response(text="You signed out of your account.")

    async def make_token(self, http: web.Request) -> web.Response:
        """Control: a token as a sign-in would give it; `claims` override any claim."""
        body = orjson.loads(await http.read())
        tenant = str(body["tenant"])
        self.tenants.setdefault(tenant, TenantEntry())
        user = {
            "oid": str(body.get("oid") or uuid4()),
            "name": str(body.get("name") or "Admin"),
            "roles": body.get("roles", ["Admin"]),
            "username": str(body.get("username") or ""),
        }
        claims = {**self.user_token(tenant, user), **(body.get("claims") or {})}
        given = {name: value for name, value in claims.items() if value is not None}
        return _json({"access_token": self.keys.sign(given, body.get("key"))})

    async def set_consent(self, http: web.Request) -> web.Response:
        """Control: grant or withdraw a tenant's consent to the app."""
        body = orjson.loads(await http.read())
        entry = self.tenants.setdefault(str(body["tenant"]), TenantEntry())
        entry.consent = bool(body.get("granted", True))
        return _json({"tenant": body["tenant"], "granted": entry.consent})

    async def put_tenant(self, http: web.Request) -> web.Response:
        """Control: make a tenant and its users known for sign-in."""
        body = orjson.loads(await http.read())
        entry = self.tenants.setdefault(str(body["tenant"]), TenantEntry())
        entry.name = str(body.get("name") or entry.name)
        for user in body.get("users") or ():
            entry.users[str(user["oid"])] = user
        return _json({"tenant": body["tenant"], "users": len(entry.users)})

    def _app_token(self, tenant: str, given: dict[str, str]) -> web.Response:
        if not given.get("scope", "").endswith("/.default"):
            return _refusal(400, "invalid_scope", 70011, "The scope must end in /.default.")
        entry = self.tenants.get(tenant)
        if entry is None:
            return _refusal(400, "invalid_request", 90002, f"Tenant '{tenant}' not found.")
        if not entry.consent:
            return _refusal(
                400, "unauthorized_client", 700016, f"Application not found in '{tenant}'."
            )
        claims = {
            **times(),
            "iss": f"https://sts.windows.net/{tenant}/",
            "aud": GRAPH,
            "tid": tenant,
            "appid": self.settings.client_id,
            "oid": str(uuid4()),
            "idtyp": "app",
            "roles": list(GRAPH_PERMISSIONS),
            "ver": "1.0",
        }
        token = self.keys.sign(claims)
        return _json({"token_type": "Bearer", "expires_in": LIFETIME, "access_token": token})

    def _redeem(self, given: dict[str, str]) -> web.Response:
        code = self._codes.pop(given.get("code", ""), None)
        if code is None or time.monotonic() - code.issued > _CODE_LIVES:
            return _refusal(400, "invalid_grant", 70008, "The code has expired or was redeemed.")
        if code.redirect_uri != given.get("redirect_uri"):
            return _refusal(400, "invalid_grant", 500112, "The redirect uri does not match.")
        if code.challenge is not None:
            digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
            verifier = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            if not hmac.compare_digest(verifier, code.challenge):
                return _refusal(400, "invalid_grant", 501481, "The code_verifier does not match.")
        return self._tokens(code)

    def _renew(self, given: dict[str, str]) -> web.Response:
        code = self._refresh.pop(given.get("refresh_token", ""), None)
        if code is None:
            return _refusal(400, "invalid_grant", 70000, "The refresh token is not valid.")
        return self._tokens(code)

    def _tokens(self, code: _Code) -> web.Response:
        access = self.user_token(code.tenant, code.user)
        identity = {k: v for k, v in access.items() if k not in {"scp", "azp", "azpacr"}}
        if code.nonce is not None:
            identity["nonce"] = code.nonce
        body = {
            "token_type": "Bearer",
            "scope": code.scope,
            "expires_in": LIFETIME,
            "access_token": self.keys.sign(access),
            "id_token": self.keys.sign(identity),
        }
        if "offline_access" in code.scope.split():
            refresh = body["refresh_token"] = secrets.token_urlsafe(60)
            self._refresh[refresh] = code
        return _json(body)


def _picker(http: web.Request, found: list[tuple[str, dict[str, Any]]]) -> web.Response:
    items = "".join(
        f'<li><a href="{html.escape(str(http.rel_url.update_query(login_hint=user["oid"])))}">'
        f"{html.escape(str(user.get('name', user['oid'])))}</a></li>"
        for _, user in found
    )
    page = (
        "<!doctype html><html lang=en><title>Sign in</title>"
        f"<h1>Pick an account</h1><ul>{items}</ul></html>"
    )
    return web.Response(text=page, content_type="text/html")


def _redirect(http: web.Request, values: dict[str, str]) -> web.Response:
    target = http.query.get("redirect_uri", "")
    if http.query.get("response_mode") == "form_post":
        fields = "".join(
            f'<input type=hidden name="{html.escape(k)}" value="{html.escape(v)}">'
            for k, v in values.items()
        )
        page = (
            "<!doctype html><title>Working</title>"
            f'<form method=post action="{html.escape(target)}">'
            f"{fields}<button>Continue</button></form>"
        )
        return web.Response(text=page, content_type="text/html")
    joiner = "&" if "?" in target else "?"
    raise web.HTTPFound(f"{target}{joiner}{urlencode(values)}")


def _refusal(status: int, error: str, code: int, text: str) -> web.Response:
    stamp = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    trace, correlation = str(uuid4()), str(uuid4())
    description = (
        f"AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {stamp}"
    )
    return _json(
        {
            "error": error,
            "error_description": description,
            "error_codes": [code],
            "timestamp": stamp,
            "trace_id": trace,
            "correlation_id": correlation,
        },
        status,
    )


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")


def create_app(server: EntraServer) -> web.Application:
    """The simulator as an application; it may be served by http and https at once."""
    app = web.Application()
    app.add_routes(
        [
            web.post("/_sim/token", server.make_token),
            web.post("/_sim/consent", server.set_consent),
            web.post("/_sim/tenants", server.put_tenant),
            web.get("/{tenant}/v2.0/.well-known/openid-configuration", server.metadata),
            web.get("/{tenant}/discovery/v2.0/keys", server.published_keys),
            web.get("/{tenant}/oauth2/v2.0/authorize", server.authorize),
            web.post("/{tenant}/oauth2/v2.0/token", server.token),
            web.get("/{tenant}/oauth2/v2.0/logout", server.logout),
            web.get("/{tenant}/v2.0/adminconsent", server.admin_consent),
        ]
    )
    return app
