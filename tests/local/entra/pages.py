"""The pages for people: sign-in, admin consent, sign-out.

A cookie keeps people signed in, as in Entra ID. A consent page opened without the cookie treats
its visitor as an admin of the tenant.
Docs: v2-oauth2-auth-code-flow, v2-admin-consent, v2-protocols-oidc (sign-out).
"""

import html
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from tests.local.entra.state import SHARED, Refused, State
from tests.local.entra.token_endpoint import SignIn, TokenEndpoint, no_consent
from tests.local.entra.tokens import GRAPH

_COOKIE = "ESTSAUTH"
_MAY_CONSENT = frozenset(
    {
        "62e90394-69f5-4237-9190-012177145e10",  # Global Administrator
        "e8611ab8-c189-46e8-94e1-60213ab1f814",  # Privileged Role Administrator
    }
)
"""The roles that may grant application permissions of Graph (docs: grant-admin-consent)."""


class Pages:
    """The pages. Picking an account signs in, without a password."""

    def __init__(self, state: State, tokens: TokenEndpoint) -> None:
        self._state = state
        self._tokens = tokens
        self._sessions: dict[str, tuple[str, dict[str, Any]]] = {}
        self._picked: dict[tuple[str, str], int] = {}

    async def authorize(self, http: web.Request) -> web.Response:
        """Sign a known user in. `login_hint` (id or user name) picks one, else a page asks."""
        query, wanted = http.query, http.match_info["tenant"]
        self._check_client(http)
        if query.get("response_type") != "code":
            text = "The response_type must be 'code'."
            return _back(http, _error(Refused(400, "unsupported_response_type", 900144, text)))
        accounts = [
            (tenant, user)
            for tenant, entry in self._state.tenants.items()
            if wanted in SHARED or wanted == tenant
            for user in entry.users.values()
        ]
        hint = query.get("login_hint")
        hinted = (a for a in accounts if hint and hint in {self._state.username(*a), a[1]["oid"]})
        chosen = next(hinted, None)
        silent = query.get("prompt") == "none"
        if chosen is None:
            if silent:
                text = "A silent sign-in request was sent but no user is signed in."
                return _back(http, _error(Refused(400, "login_required", 50058, text)))
            return self._picker(http, accounts)
        if silent and not self._state.tenants[chosen[0]].principal:
            refusal = no_consent("interaction_required", self._state.settings.client_id)
            return _back(http, _error(refusal))
        # By signing in the user consents to the app, which creates its service principal.
        self._state.tenants[chosen[0]].principal = True
        sign_in = SignIn(
            tenant=chosen[0],
            user=chosen[1],
            redirect_uri=query["redirect_uri"],
            challenge=query.get("code_challenge"),
            plain_challenge=query.get("code_challenge_method", "plain") != "S256",
            nonce=query.get("nonce"),
            scope=query.get("scope", ""),
            authenticated=self._authenticated(chosen, silent=silent),
        )
        answer = _back(http, {"code": self._tokens.code(sign_in)})
        session = secrets.token_urlsafe(20)
        self._sessions[session] = chosen
        answer.set_cookie(_COOKIE, session, httponly=True, samesite="Lax")
        return answer

    def _authenticated(self, who: tuple[str, dict[str, Any]], *, silent: bool) -> int:
        """Return when a user last picked the account on this page, which counts as signing in."""
        key, now = (who[0], str(who[1]["oid"])), int(time.time())
        if not silent:
            self._picked[key] = now
        return self._picked.get(key, now)

    async def admin_consent(self, http: web.Request) -> web.Response:
        """Ask an admin for consent. The page's links return with `answer` and `chosen` tenant."""
        self._check_client(http)
        path, query = http.match_info["tenant"], http.query
        tenants = [path] if path not in SHARED else list(self._state.tenants)
        visitor = self._sessions.get(http.cookies.get(_COOKIE, ""))
        if visitor is not None:
            if visitor[0] not in tenants:
                text = f"The user account does not exist in tenant '{path}'."
                raise Refused(400, "invalid_request", 50020, text)
            tenants = [visitor[0]]
        chosen = query.get("chosen", tenants[0] if len(tenants) == 1 else "")
        # An answer carries admin_consent=True even if it is an error.
        values = {"admin_consent": "True", "tenant": chosen}
        if query.get("answer") == "cancel":
            text = "The user declined to consent to access the app."
            refusal = _error(Refused(400, "access_denied", 65004, text))
            return _back(http, {**refusal, "error_subcode": "cancel", **values})
        if visitor is not None and _MAY_CONSENT.isdisjoint(visitor[1].get("wids") or ()):
            if "answer" in query:
                text = "The app needs permissions that only an admin can grant."
                raise Refused(403, "access_denied", 90094, text)
            back = "Return to the application without granting consent"
            return _page("Need admin approval", http, {back: {"answer": "cancel"}})
        if query.get("answer") == "accept" and chosen in tenants:
            if not self._state.know(chosen).slow:
                self._state.know(chosen).grant(self._state.asked)
            granted = " ".join(f"{GRAPH}/{role}" for role in self._state.asked)
            return _back(http, {**values, "scope": granted})
        links = {f"Accept for {self._named(t)}": {"answer": "accept", "chosen": t} for t in tenants}
        return _page("Permissions requested", http, {**links, "Cancel": {"answer": "cancel"}})

    async def logout(self, http: web.Request) -> web.Response:
        """Sign out, and redirect to the app's address if that is registered."""
        self._sessions.pop(http.cookies.get(_COOKIE, ""), None)
        target = http.query.get("post_logout_redirect_uri", "")
        answer = _page("You signed out of your account.", http, {})
        if target in self._state.redirects:
            answer = web.Response(status=302, headers={"Location": target})
        answer.del_cookie(_COOKIE)
        return answer

    def _check_client(self, http: web.Request) -> None:
        """Refuse on the page itself what must not lead to a redirect."""
        query, tenant = http.query, http.match_info["tenant"]
        self._state.require(tenant)
        client = query.get("client_id", "")
        if client != self._state.settings.client_id:
            text = f"Application with identifier '{client}' was not found in '{tenant}'."
            raise Refused(400, "unauthorized_client", 700016, text)
        if self._state.single and tenant in SHARED:
            text = f"Application '{client}' is not configured as a multi-tenant application."
            raise Refused(400, "invalid_request", 50194, text)
        if query.get("redirect_uri") not in self._state.redirects:
            text = "The redirect URI specified in the request does not match the registered one."
            raise Refused(400, "invalid_request", 50011, text)

    def _named(self, tenant: str) -> str:
        entry = self._state.tenants.get(tenant)
        return entry.name if entry and entry.name else tenant

    def _picker(
        self, http: web.Request, accounts: list[tuple[str, dict[str, Any]]]
    ) -> web.Response:
        links = {
            f"{user.get('name') or user['oid']} ({user.get('username') or self._named(tenant)})": {
                "login_hint": str(user["oid"])
            }
            for tenant, user in accounts
        }
        return _page("Pick an account", http, links)


def _error(refusal: Refused) -> dict[str, str]:
    return {"error": refusal.error, "error_description": refusal.description}


def _page(title: str, http: web.Request, links: Mapping[str, Mapping[str, str]]) -> web.Response:
    """Return a page whose links lead back to itself, with more parameters."""
    items = "".join(
        f'<li><a href="{html.escape(str(http.rel_url.update_query(more)))}">'
        f"{html.escape(text)}</a></li>"
        for text, more in links.items()
    )
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<h1>{html.escape(title)}</h1><ul>{items}</ul></html>"
    )
    return web.Response(text=page, content_type="text/html")


def _back(http: web.Request, values: Mapping[str, str]) -> web.Response:
    """Return to the app, by redirect or posted form."""
    target = http.query["redirect_uri"]
    if "state" in http.query:
        values = {**values, "state": http.query["state"]}
    if http.query.get("response_mode") == "form_post":
        fields = "".join(
            f'<input type="hidden" name="{html.escape(k)}" value="{html.escape(v)}">'
            for k, v in values.items()
        )
        page = (
            '<!doctype html><html lang="en"><meta charset="utf-8"><title>Working</title>'
            f'<form method="post" action="{html.escape(target)}">{fields}'
            "<button>Continue</button></form><script>document.forms[0].submit()</script></html>"
        )
        return web.Response(text=page, content_type="text/html")
    joiner = "&" if "?" in target else "?"
    return web.Response(status=302, headers={"Location": f"{target}{joiner}{urlencode(values)}"})
