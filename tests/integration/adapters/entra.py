"""Helpers for tests of the Entra simulator: its HTTP interface as a client sees it."""

import base64
import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import jwt

from tests.local.cloud import LocalCloud

GRAPH = "https://graph.microsoft.com"
REDIRECT = "https://app.example/signed-in"
VERIFIER = "a-verifier-of-at-least-forty-three-characters-here"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=")


class Entra:
    """The simulator over HTTP."""

    def __init__(self, cloud: LocalCloud, http: httpx.AsyncClient) -> None:
        self.http = http
        self.authority = cloud.environment["ENTRA_AUTHORITY"]
        self.client_id = cloud.addresses["clientId"]
        self.secret = cloud.addresses["clientSecret"]
        self.tenant = str(uuid4())

    async def token(self, tenant: str | None = None, **form: str) -> httpx.Response:
        data = {"client_id": self.client_id, "client_secret": self.secret, **form}
        return await self.http.post(f"/{tenant or self.tenant}/oauth2/v2.0/token", data=data)

    async def app_token(self, tenant: str | None = None, **form: str) -> httpx.Response:
        scope = {"grant_type": "client_credentials", "scope": f"{GRAPH}/.default"}
        return await self.token(tenant, **{**scope, **form})

    async def authorize(self, tenant: str = "organizations", **more: str) -> httpx.Response:
        query = {
            "client_id": self.client_id,
            "response_type": "code",
            "redirect_uri": REDIRECT,
            "scope": f"openid offline_access api://{self.client_id}/access_as_user",
            "state": "s&t",
            "nonce": "n",
            "code_challenge": CHALLENGE.decode(),
            "code_challenge_method": "S256",
        }
        return await self.http.get(f"/{tenant}/oauth2/v2.0/authorize", params={**query, **more})

    async def redeem(self, code: str, **form: str) -> httpx.Response:
        given = {"code": code, "redirect_uri": REDIRECT, "code_verifier": VERIFIER, **form}
        return await self.token("organizations", grant_type="authorization_code", **given)

    async def create_tenant(self, *users: Mapping[str, object], **more: object) -> None:
        body = {"tenant": self.tenant, "users": list(users), **more}
        (await self.http.post("/_sim/tenants", json=body)).raise_for_status()

    async def consent(self, **more: object) -> None:
        body = {"tenant": self.tenant, **more}
        (await self.http.post("/_sim/consent", json=body)).raise_for_status()

    async def claims(self, token: str, audience: str) -> dict[str, Any]:
        """The claims of a token, verified with the published keys."""
        found = jwt.PyJWKSet.from_dict(
            (await self.http.get("/organizations/discovery/v2.0/keys")).json()
        )
        key = found[jwt.get_unverified_header(token)["kid"]]
        return jwt.decode(token, key, algorithms=["RS256"], audience=audience)


def user(name: str = "ada", *roles: str, **more: Any) -> dict[str, Any]:
    oid = str(uuid4())
    # No two users of Entra ID have the same name, whichever test made them.
    username = f"{name}@{oid[:8]}.example"
    return {"oid": oid, "name": name, "username": username, "roles": roles, **more}


def assert_rejected(answer: httpx.Response, status: int, error: str, code: int) -> None:
    """Assert that Entra ID rejected a request, with all fields of its errors."""
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [code])
    assert body["error_description"].startswith(f"AADSTS{code}: ")
    assert {"timestamp", "trace_id", "correlation_id"} <= set(body)


def location(answer: httpx.Response) -> dict[str, str]:
    """The parameters of a redirect to the app."""
    assert answer.status_code == 302
    target = urlsplit(answer.headers["Location"])
    assert f"{target.scheme}://{target.netloc}{target.path}" == REDIRECT
    return {name: values[0] for name, values in parse_qs(target.query).items()}


@asynccontextmanager
async def connect(cloud: LocalCloud) -> AsyncIterator[Entra]:
    """Open a client without cookies, with its own tenant."""
    async with httpx.AsyncClient(base_url=cloud.addresses["entra"]) as http:
        body = {"redirects": [REDIRECT]}
        (await http.post("/_sim/registration", json=body)).raise_for_status()
        yield Entra(cloud, http)
