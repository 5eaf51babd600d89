"""The simulator's server: routes, metadata and keys, a managed identity, and the control interface.

Docs: v2-protocols-oidc, overview-managed-identity (App Service endpoint). Consent starts as not
granted. A tenant exists once the control interface names it.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import orjson
from aiohttp import web
from cryptography import x509

from tests.local.entra.pages import Pages
from tests.local.entra.programs import Programs
from tests.local.entra.state import SHARED, EntraSettings, Refused, State, json_answer
from tests.local.entra.token_endpoint import TokenEndpoint
from tests.local.entra.tokens import GRAPH_PERMISSIONS, LIFETIME


class EntraServer:
    """The whole simulator."""

    def __init__(self, settings: EntraSettings) -> None:
        self.settings = settings
        self.state = State(settings)
        self.programs = Programs(self.state)
        self.tokens = TokenEndpoint(self.state, self.programs)
        self.pages = Pages(self.state, self.tokens)

    def verify_graph_token(self, token: str) -> dict[str, Any]:
        """Return the claims of a token that Entra issued. Raises `PermissionError`."""
        return self.state.keys.verify(token)

    async def metadata(self, http: web.Request) -> web.Response:
        tenant = http.match_info["tenant"]
        self.state.require(tenant)
        root = f"{self.settings.authority}/{tenant}"
        return json_answer(
            {
                "issuer": self._issuer(tenant),
                "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
                "token_endpoint": f"{root}/oauth2/v2.0/token",
                "token_endpoint_auth_methods_supported": [
                    "client_secret_post",
                    "private_key_jwt",
                ],
                "jwks_uri": f"{root}/discovery/v2.0/keys",
                "end_session_endpoint": f"{root}/oauth2/v2.0/logout",
                "response_types_supported": ["code"],
                "response_modes_supported": ["query", "form_post"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
            }
        )

    async def published_keys(self, http: web.Request) -> web.Response:
        tenant = http.match_info["tenant"]
        self.state.require(tenant)
        return json_answer(self.state.keys.published(self._issuer(tenant)))

    def _issuer(self, tenant: str) -> str:
        """Return the issuer of a tenant's tokens; a template if any tenant is meant."""
        return f"{self.settings.authority}/{'{tenantid}' if tenant in SHARED else tenant}/v2.0"

    async def managed_identity(self, http: web.Request) -> web.Response:
        """Answer like the endpoint that App Service gives an app with a managed identity."""
        if http.headers.get("X-IDENTITY-HEADER") != self.settings.identity_header:
            return json_answer({"statusCode": 401, "message": "Unauthorized"}, 401)
        resource = http.query.get("resource", "")
        claims = self.state.identity_claims(resource)
        return json_answer(
            {
                "access_token": self.state.keys.sign(claims),
                "expires_on": str(int(time.time()) + LIFETIME),
                "resource": resource,
                "token_type": "Bearer",
                "client_id": http.query.get("client_id", ""),
            }
        )

    async def make_token(self, http: web.Request) -> web.Response:
        """Control: issue a token like that of a sign-in; `claims` override any claim."""
        body = await _body(http)
        tenant = str(body["tenant"])
        self.state.know(tenant)
        user = {
            "oid": str(body.get("oid") or uuid4()),
            "name": str(body.get("name") or "Admin"),
            "roles": body.get("roles", ["Admin"]),
            "wids": body.get("wids", []),
            "username": str(body.get("username") or ""),
        }
        claims = {**self.state.api_claims(tenant, user), **(body.get("claims") or {})}
        given = {name: value for name, value in claims.items() if value is not None}
        return json_answer({"access_token": self.state.keys.sign(given, body.get("key"))})

    async def set_consent(self, http: web.Request) -> web.Response:
        """Control: grant (all permissions, or only `roles`) or withdraw a tenant's consent.

        With `slow`, the consent that an admin gives on the page has no effect before this is called
        again. `refusal` is the AADSTS code with which Entra ID refuses the app.
        """
        body = await _body(http)
        entry = self.state.know(str(body["tenant"]))
        entry.slow = bool(body.get("slow", False))
        entry.refusal = body.get("refusal")
        if granted := bool(body.get("granted", True)):
            entry.grant(tuple(body.get("roles", GRAPH_PERMISSIONS)))
        else:
            entry.withdraw()
        return json_answer({"tenant": body["tenant"], "granted": granted})

    async def put_tenant(self, http: web.Request) -> web.Response:
        """Control: create a tenant and users who can sign in."""
        body = await _body(http)
        entry = self.state.know(str(body["tenant"]))
        entry.name = str(body.get("name") or entry.name)
        entry.domain = str(body.get("domain") or entry.domain)
        for user in body.get("users") or ():
            entry.users[str(user["oid"])] = user
        return json_answer({"tenant": body["tenant"], "users": len(entry.users)})

    async def register_program(self, http: web.Request) -> web.Response:
        """Control: register an application of a tenant, with app `roles` of our API."""
        body = await _body(http)
        tenant = str(body["tenant"])
        program = self.programs.register(tenant, tuple(map(str, body.get("roles", ["Admin"]))))
        return json_answer(
            {
                "clientId": program.id,
                "clientSecret": program.secret,
                "oid": program.principal,
                "token": f"{self.settings.authority}/{tenant}/oauth2/v2.0/token",
                "scope": f"api://{self.settings.client_id}/.default",
            }
        )

    async def delete_user(self, http: web.Request) -> web.Response:
        """Control: delete a user, who can then no longer sign in."""
        self.state.know(http.match_info["tenant"]).users.pop(http.match_info["user"], None)
        return web.Response(status=204)

    async def set_credentials(self, http: web.Request) -> web.Response:
        """Control: replace the app's `secrets` (texts), its `certificates` (PEM), or both."""
        body, state = await _body(http), self.state
        if "secrets" in body:
            state.secrets = tuple(map(str, body["secrets"]))
        if "certificates" in body:
            given = [str(text).encode() for text in body["certificates"]]
            state.certificates = tuple(map(x509.load_pem_x509_certificate, given))
        counts = {"secrets": len(state.secrets), "certificates": len(state.certificates)}
        return json_answer(counts)

    async def set_registration(self, http: web.Request) -> web.Response:
        """Control: add `redirects` (exact URIs), or replace the requested `permissions`.

        With `singleTenant`, the application is of its own tenant alone.
        """
        body, state = await _body(http), self.state
        state.redirects.update(map(str, body.get("redirects") or ()))
        state.single = bool(body.get("singleTenant"))
        state.asked = tuple(map(str, body.get("permissions", GRAPH_PERMISSIONS)))
        return json_answer({"redirects": sorted(state.redirects), "permissions": state.asked})

    async def count_requests(self, http: web.Request) -> web.Response:
        """Control: count the token requests, and the connections they used."""
        del http
        return json_answer({"tokens": self.tokens.requests, "connections": self.tokens.connections})


async def _body(http: web.Request) -> dict[str, Any]:
    body = orjson.loads(await http.read())
    if not isinstance(body, dict):
        raise TypeError("not a JSON object")
    return body


@web.middleware
async def _refusals(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as refusal:
        return json_answer(refusal.body, refusal.status)
    except (KeyError, TypeError, ValueError) as error:
        if not request.path.startswith("/_sim"):
            raise
        return json_answer({"error": f"bad control request: {error!r}"}, 400)


def create_app(server: EntraServer) -> web.Application:
    """Return the simulator as an application. It may be served over http and https at once."""
    app = web.Application(middlewares=[_refusals])
    app.add_routes(
        [
            web.post("/_sim/token", server.make_token),
            web.post("/_sim/consent", server.set_consent),
            web.post("/_sim/tenants", server.put_tenant),
            web.post("/_sim/programs", server.register_program),
            web.delete("/_sim/tenants/{tenant}/users/{user}", server.delete_user),
            web.post("/_sim/credentials", server.set_credentials),
            web.post("/_sim/registration", server.set_registration),
            web.get("/_sim/requests", server.count_requests),
            web.get("/msi/token", server.managed_identity),
            web.get("/{tenant}/v2.0/.well-known/openid-configuration", server.metadata),
            web.get("/{tenant}/discovery/v2.0/keys", server.published_keys),
            web.get("/{tenant}/oauth2/v2.0/authorize", server.pages.authorize),
            web.post("/{tenant}/oauth2/v2.0/token", server.tokens.token),
            web.get("/{tenant}/oauth2/v2.0/logout", server.pages.logout),
            web.get("/{tenant}/v2.0/adminconsent", server.pages.admin_consent),
        ]
    )
    return app
