"""The token endpoint: tokens for a code, a refresh token, or the client's own credential.

Docs: v2-oauth2-auth-code-flow, v2-oauth2-client-creds-grant-flow, workload-identity-federation.
An app may have several secrets and certificates at once, as during rotation.
"""

import asyncio
import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

from aiohttp import web

from tests.local.entra import assertions
from tests.local.entra.programs import Programs
from tests.local.entra.state import SHARED, Refused, State, json_answer
from tests.local.entra.tokens import GRAPH, LIFETIME

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_CODE_LIVES = 600.0
_CODE_BYTES = 1_875
"""2,500 characters: Entra ID's codes are opaque, and 2,319 were seen (Microsoft Q&A 5783205)."""
_TENANT_REFUSALS = {
    90002: ("invalid_request", "Tenant not found. Check to make sure you have the correct ID."),
    53003: ("invalid_grant", "Access has been blocked by Conditional Access policies."),
    501051: ("invalid_grant", "Application is not assigned to a role for the application."),
    500014: ("invalid_resource", "The service principal for the resource is disabled."),
    50105: ("invalid_grant", "The signed in user is not assigned to a role for the application."),
}
_IDENTITY_SCOPES = frozenset({"openid", "profile", "email", "offline_access"})


@dataclass(frozen=True, slots=True)
class SignIn:
    """The sign-in behind a code or a refresh token."""

    tenant: str
    user: Mapping[str, Any]
    redirect_uri: str
    challenge: str | None
    plain_challenge: bool
    nonce: str | None
    scope: str
    authenticated: int


class TokenEndpoint:
    """Issues tokens."""

    def __init__(self, state: State, programs: Programs) -> None:
        self._state = state
        self._programs = programs
        self.requests = 0
        self.connections = 0
        self._seen: WeakSet[asyncio.Transport] = WeakSet()
        self._codes: dict[str, tuple[SignIn, float]] = {}
        self._redeemed: set[str] = set()
        self._refresh: dict[str, SignIn] = {}

    def code(self, sign_in: SignIn) -> str:
        """Return a new authorization code."""
        code = secrets.token_urlsafe(_CODE_BYTES)
        self._codes[code] = sign_in, time.monotonic()
        return code

    async def token(self, http: web.Request) -> web.Response:
        """Answer a token request. Raises `Refused`."""
        given = {str(k): str(v) for k, v in (await http.post()).items()}
        tenant = http.match_info["tenant"]
        self.requests += 1
        if http.transport is not None and http.transport not in self._seen:
            self._seen.add(http.transport)
            self.connections += 1
        self._state.require(tenant)
        program = self._programs.find(tenant, given.get("client_id", ""))
        if program is not None:
            return self._signed(self._programs.claims(program, given))
        self._authenticate(tenant, given)
        match given.get("grant_type"):
            case "client_credentials":
                return self._app_token(tenant, given)
            case "authorization_code":
                return self._redeem(given)
            case "refresh_token":
                return self._renew(given)
            case _:
                text = "The app requested an unsupported grant type."
                raise Refused(400, "unsupported_grant_type", 70003, text)

    def _authenticate(self, tenant: str, given: Mapping[str, str]) -> None:
        settings, client = self._state.settings, given.get("client_id", "")
        if client != settings.client_id:
            raise _not_in_directory(client, tenant)
        if "client_assertion" in given:
            assertion = given["client_assertion"]
            known = given.get("client_assertion_type") == _ASSERTION
            if known and assertions.claims_unchecked(assertion).get("iss") == client:
                root = f"{settings.authority}/{tenant}"
                audiences = {f"{root}/oauth2/v2.0/token", f"{root}/v2.0"}
                assertions.check(assertion, self._state.certificates, client, audiences)
            elif not known or not self._state.vouches(assertion):
                text = "No matching federated identity record found for presented assertion."
                raise Refused(401, "invalid_client", 700213, text)
        elif "client_secret" not in given:
            text = "The request body must contain: 'client_assertion' or 'client_secret'."
            raise Refused(401, "invalid_client", 7000218, text)
        elif not any(
            hmac.compare_digest(given["client_secret"].encode(), secret.encode())
            for secret in self._state.secrets
        ):
            text = f"Invalid client secret provided for app '{client}'."
            raise Refused(401, "invalid_client", 7000215, text)

    def _app_token(self, tenant: str, given: Mapping[str, str]) -> web.Response:
        if tenant in SHARED:
            text = "No tenant-identifying information found in the request."
            raise Refused(400, "invalid_request", 50059, text)
        scope = given.get("scope", "")
        if not scope.endswith("/.default"):
            text = f"The provided value for scope {scope} is not valid: it must end in /.default."
            raise Refused(400, "invalid_scope", 1002012, text)
        if scope != f"{GRAPH}/.default":
            text = f"The resource principal named {scope.removesuffix('/.default')} was not found."
            raise Refused(400, "invalid_resource", 500011, text)
        entry = self._state.tenants[tenant]
        if entry.refusal is not None:
            error, text = _TENANT_REFUSALS[entry.refusal]
            raise Refused(400, error, entry.refusal, text)
        if not entry.principal:
            raise _not_in_directory(given["client_id"], tenant)
        return self._signed(self._state.app_claims(tenant))

    def _signed(self, claims: Mapping[str, Any]) -> web.Response:
        return json_answer(
            {
                "token_type": "Bearer",
                "expires_in": LIFETIME,
                "ext_expires_in": LIFETIME,
                "access_token": self._state.keys.sign(claims),
            }
        )

    def _redeem(self, given: Mapping[str, str]) -> web.Response:
        code = given.get("code", "")
        if code in self._redeemed:
            raise Refused(400, "invalid_grant", 54005, "The code was already redeemed.")
        sign_in, issued = self._codes.pop(code, (None, 0.0))
        if sign_in is None:
            raise Refused(400, "invalid_grant", 70000, "The provided code is not valid.")
        self._redeemed.add(code)
        if time.monotonic() - issued > _CODE_LIVES:
            raise Refused(400, "invalid_grant", 70008, "The provided code has expired.")
        if sign_in.redirect_uri != given.get("redirect_uri"):
            raise Refused(400, "invalid_grant", 500112, "The redirect uri does not match.")
        if sign_in.challenge is not None and not _proves(given.get("code_verifier", ""), sign_in):
            text = "The Code_Verifier does not match the code_challenge of the authorization."
            raise Refused(400, "invalid_grant", 501481, text)
        return self._tokens(sign_in)

    def _renew(self, given: Mapping[str, str]) -> web.Response:
        # A used refresh token keeps working: Entra ID does not revoke it.
        sign_in = self._refresh.get(given.get("refresh_token", ""))
        if sign_in is None:
            raise Refused(400, "invalid_grant", 9002313, "The refresh token is not valid.")
        if not self._state.tenants[sign_in.tenant].principal:
            raise no_consent("invalid_grant", given["client_id"])
        return self._tokens(sign_in)

    def _tokens(self, sign_in: SignIn) -> web.Response:
        state, client = self._state, self._state.settings.client_id
        scopes = sign_in.scope.split()
        ours = any(scope.startswith((f"{client}/", f"api://{client}/")) for scope in scopes)
        identity = state.user_claims(sign_in.tenant, sign_in.user, client)
        if ours:
            access = state.api_claims(sign_in.tenant, sign_in.user)
        else:
            delegated = " ".join(s for s in scopes if s not in _IDENTITY_SCOPES) or "User.Read"
            access = {**identity, "aud": GRAPH, "scp": delegated}
        body: dict[str, Any] = {
            "token_type": "Bearer",
            "scope": sign_in.scope,
            "expires_in": LIFETIME,
            "ext_expires_in": LIFETIME,
            "access_token": state.keys.sign(access),
        }
        if "openid" in scopes:
            identity["roles"] = list(sign_in.user.get("roles") or ())
            # The registration requests it as an optional claim.
            identity["auth_time"] = sign_in.authenticated
            if sign_in.nonce is not None:
                identity["nonce"] = sign_in.nonce
            body["id_token"] = state.keys.sign(identity)
        if "offline_access" in scopes:
            body["refresh_token"] = secrets.token_urlsafe(60)
            self._refresh[body["refresh_token"]] = sign_in
        return json_answer(body)


def no_consent(error: str, client: str) -> Refused:
    """Return the refusal for an app without consent."""
    text = f"The user or administrator has not consented to use the application '{client}'."
    return Refused(400, error, 65001, text, "consent_required")


def _not_in_directory(client: str, tenant: str) -> Refused:
    text = f"Application with identifier '{client}' was not found in the directory '{tenant}'."
    return Refused(400, "unauthorized_client", 700016, text)


def _proves(verifier: str, sign_in: SignIn) -> bool:
    digest = hashlib.sha256(verifier.encode()).digest()
    hashed = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    shown = verifier if sign_in.plain_challenge else hashed
    return hmac.compare_digest(shown.encode(), str(sign_in.challenge).encode())
