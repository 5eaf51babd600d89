"""The Entra simulator is a fair judge: it issues, refuses and words things as Entra ID does."""

import base64
import hashlib
import html
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import jwt
import pytest
from azure.identity.aio import ManagedIdentityCredential

from shared.adapters.credentials import AppCredentials
from shared.domain.errors import NeedsAdmin
from shared.settings import Settings
from tests.local.cloud import LocalCloud

GRAPH = "https://graph.microsoft.com"
REDIRECT = "https://app.example/signed-in"
VERIFIER = "a-verifier-of-at-least-forty-three-characters-here"
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=")


class Entra:
    """The simulator over HTTP, as a client of it sees it."""

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

    async def know(self, *users: Mapping[str, object], **more: object) -> None:
        body = {"tenant": self.tenant, "users": list(users), **more}
        (await self.http.post("/_sim/tenants", json=body)).raise_for_status()

    async def consent(self, **more: object) -> None:
        body = {"tenant": self.tenant, **more}
        (await self.http.post("/_sim/consent", json=body)).raise_for_status()

    async def claims(self, token: str, audience: str) -> dict[str, Any]:
        """The claims of a token, checked by the keys that are published."""
        found = jwt.PyJWKSet.from_dict(
            (await self.http.get("/organizations/discovery/v2.0/keys")).json()
        )
        key = found[jwt.get_unverified_header(token)["kid"]]
        return jwt.decode(token, key, algorithms=["RS256"], audience=audience)


@pytest.fixture
async def entra(cloud: LocalCloud) -> AsyncIterator[Entra]:
    async with httpx.AsyncClient(base_url=cloud.addresses["entra"]) as http:
        yield Entra(cloud, http)


def user(name: str = "ada", *roles: str) -> dict[str, Any]:
    return {"oid": str(uuid4()), "name": name, "username": f"{name}@x.example", "roles": roles}


def refusal(answer: httpx.Response, status: int, error: str, code: int) -> None:
    """Check a refusal, with all the fields that Entra's have."""
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [code])
    assert body["error_description"].startswith(f"AADSTS{code}: ")
    assert {"timestamp", "trace_id", "correlation_id"} <= set(body)


def location(answer: httpx.Response) -> dict[str, str]:
    """What a redirect tells the app."""
    assert answer.status_code == 302
    target = urlsplit(answer.headers["Location"])
    assert f"{target.scheme}://{target.netloc}{target.path}" == REDIRECT
    return {name: values[0] for name, values in parse_qs(target.query).items()}


async def test_metadata_and_keys_name_the_issuer_with_a_template_for_any_tenant(
    entra: Entra,
) -> None:
    await entra.know()
    for tenant, named in (("organizations", "{tenantid}"), (entra.tenant, entra.tenant)):
        path = f"/{tenant}/v2.0/.well-known/openid-configuration"
        metadata = (await entra.http.get(path)).json()
        keys = (await entra.http.get(urlsplit(metadata["jwks_uri"]).path)).json()["keys"]

        assert metadata["issuer"] == f"{entra.authority}/{named}/v2.0"
        assert [(k["kty"], k["use"], k["issuer"]) for k in keys] == [
            ("RSA", "sig", metadata["issuer"])
        ]


async def test_the_authority_is_served_by_https_to_who_trusts_it(
    entra: Entra, cloud: LocalCloud
) -> None:
    path = "/organizations/v2.0/.well-known/openid-configuration"
    trusted = ssl.create_default_context(cafile=cloud.environment["SSL_CERT_FILE"])
    async with httpx.AsyncClient(base_url=entra.authority, verify=trusted) as http:
        assert (await http.get(path)).status_code == 200
    async with httpx.AsyncClient(base_url=entra.authority) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(path)


async def test_an_unknown_tenant_is_refused(entra: Entra) -> None:
    path = f"/{entra.tenant}/v2.0/.well-known/openid-configuration"
    refusal(await entra.http.get(path), 400, "invalid_request", 90002)
    refusal(await entra.app_token(), 400, "invalid_request", 90002)


async def test_an_app_gets_no_token_before_an_admin_consents_nor_after(entra: Entra) -> None:
    await entra.know()
    refusal(await entra.app_token(), 400, "unauthorized_client", 700016)
    await entra.consent()
    granted = (await entra.app_token()).json()
    await entra.consent(granted=False)

    assert (granted["token_type"], granted["expires_in"]) == ("Bearer", 3599)
    refusal(await entra.app_token(), 400, "unauthorized_client", 700016)


async def test_an_apps_token_for_graph_carries_what_was_granted(entra: Entra) -> None:
    await entra.consent()
    all_of = await entra.claims((await entra.app_token()).json()["access_token"], GRAPH)
    await entra.consent(roles=["User.Read.All"])
    one_of = await entra.claims((await entra.app_token()).json()["access_token"], GRAPH)

    assert (all_of["tid"], all_of["appid"], all_of["idtyp"]) == (
        entra.tenant, entra.client_id, "app",
    )  # fmt: skip
    assert {"User.Read.All", "Contacts.ReadWrite"} <= set(all_of["roles"])
    assert one_of["roles"] == ["User.Read.All"]
    assert all_of["oid"] == one_of["oid"]


@pytest.mark.parametrize(
    ("form", "status", "error", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_id": "someone"}, 400, "unauthorized_client", 700016),
        ({"scope": "User.Read.All"}, 400, "invalid_scope", 1002012),
        ({"scope": "https://other.example/.default"}, 400, "invalid_resource", 500011),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"grant_type": "refresh_token"}, 400, "invalid_grant", 9002313),
        (
            {"client_assertion_type": "jwt-bearer", "client_assertion": "x.y.z"},
            401, "invalid_client", 700213,
        ),
    ],
)  # fmt: skip
async def test_a_wrong_request_for_a_token_is_refused(
    entra: Entra, form: dict[str, str], status: int, error: str, code: int
) -> None:
    await entra.consent()
    refusal(await entra.app_token(**form), status, error, code)


async def test_a_client_without_a_credential_is_refused(entra: Entra) -> None:
    await entra.consent()
    form = {"client_id": entra.client_id, "grant_type": "client_credentials"}
    answer = await entra.http.post(f"/{entra.tenant}/oauth2/v2.0/token", data=form)
    refusal(answer, 401, "invalid_client", 7000218)


async def test_an_apps_token_needs_a_tenant_of_its_own(entra: Entra) -> None:
    refusal(await entra.app_token("organizations"), 400, "invalid_request", 50059)


async def test_a_managed_identity_vouches_for_the_app_without_a_secret(
    entra: Entra, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.setenv(name, cloud.environment[name])
    environment = {**cloud.environment, "APP_CREDENTIAL": "managed-identity"}
    settings = Settings.from_environment(environment)
    async with ManagedIdentityCredential(client_id=settings.managed_identity_client_id) as identity:
        credentials = AppCredentials(settings, identity)
        await entra.consent()
        roles = await credentials.prove(entra.tenant)
        await credentials.close()

    assert "Contacts.ReadWrite" in roles


async def test_a_managed_identity_answers_only_the_app_on_its_own_machine(entra: Entra) -> None:
    assert (await entra.http.get("/msi/token?resource=x")).status_code == 401


async def test_a_sign_in_gives_tokens_for_the_app_and_its_api(entra: Entra) -> None:
    ada = user("ada", "Admin")
    await entra.know(ada)
    back = location(await entra.authorize(login_hint=ada["username"]))
    tokens = (await entra.redeem(back["code"])).json()
    access = await entra.claims(tokens["access_token"], entra.client_id)
    identity = await entra.claims(tokens["id_token"], entra.client_id)

    assert back["state"] == "s&t"
    assert (access["tid"], access["oid"], access["ver"]) == (entra.tenant, ada["oid"], "2.0")
    assert access["iss"] == f"{entra.authority}/{entra.tenant}/v2.0"
    assert (access["scp"], access["roles"], access["azp"]) == (
        "access_as_user", ["Admin"], entra.client_id,
    )  # fmt: skip
    assert (identity["nonce"], identity["name"]) == ("n", "ada")
    assert identity["preferred_username"] == "ada@x.example"
    assert identity["sub"] == access["sub"]
    assert "scp" not in identity


async def test_a_sign_in_without_a_scope_of_ours_gives_no_token_for_our_api(
    entra: Entra,
) -> None:
    ada = user()
    await entra.know(ada)
    back = location(await entra.authorize(login_hint=ada["oid"], scope="openid profile"))
    tokens = (await entra.redeem(back["code"])).json()

    assert (await entra.claims(tokens["access_token"], GRAPH))["scp"] == "User.Read"
    assert "refresh_token" not in tokens


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"code_verifier": "another"}, 501481),
        ({"redirect_uri": "https://evil.example/"}, 500112),
        ({"code": "guessed"}, 70000),
    ],
)
async def test_a_code_is_redeemed_only_by_who_asked_for_it(
    entra: Entra, form: dict[str, str], code: int
) -> None:
    ada = user()
    await entra.know(ada)
    back = location(await entra.authorize(login_hint=ada["oid"]))
    refusal(await entra.redeem(**{"code": back["code"], **form}), 400, "invalid_grant", code)


async def test_a_code_is_redeemed_once(entra: Entra) -> None:
    ada = user()
    await entra.know(ada)
    back = location(await entra.authorize(login_hint=ada["oid"]))
    assert (await entra.redeem(back["code"])).status_code == 200
    refusal(await entra.redeem(back["code"]), 400, "invalid_grant", 54005)


async def test_a_refresh_token_works_until_the_app_is_removed(entra: Entra) -> None:
    ada = user()
    await entra.know(ada)
    back = location(await entra.authorize(login_hint=ada["oid"]))
    refresh = (await entra.redeem(back["code"])).json()["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": refresh}
    renewed = await entra.token(**form)
    await entra.consent(granted=False)
    refused = await entra.token(**form)

    assert renewed.status_code == 200
    refusal(refused, 400, "invalid_grant", 65001)
    assert refused.json()["suberror"] == "consent_required"


async def test_a_person_picks_an_account_on_a_page(entra: Entra) -> None:
    ada, eve = user("ada"), user("<eve>")
    await entra.know(ada, eve)
    page = await entra.authorize(entra.tenant)
    links = re.findall(r'href="([^"]+)"', page.text)
    back = location(await entra.http.get(html.unescape(links[1])))

    assert page.status_code == 200
    assert "&lt;eve&gt;" in page.text
    assert len(links) == 2
    access = (await entra.redeem(back["code"])).json()["access_token"]
    assert (await entra.claims(access, entra.client_id))["oid"] == eve["oid"]


async def test_an_answer_may_be_posted_as_a_form(entra: Entra) -> None:
    ada = user()
    await entra.know(ada)
    page = await entra.authorize(login_hint=ada["oid"], response_mode="form_post")

    assert f'<form method="post" action="{REDIRECT}">' in page.text
    assert 'name="code"' in page.text
    assert 'name="state" value="s&amp;t"' in page.text


async def test_a_silent_sign_in_needs_a_person_and_a_consent(entra: Entra) -> None:
    ada = user()
    await entra.know(ada)
    nobody = location(await entra.authorize(prompt="none"))
    before = location(await entra.authorize(prompt="none", login_hint=ada["oid"]))
    await entra.consent()
    after = location(await entra.authorize(prompt="none", login_hint=ada["oid"]))

    assert nobody["error"] == "login_required"
    assert before["error"] == "interaction_required"
    assert "AADSTS65001" in before["error_description"]
    assert after["code"]


async def test_a_foreign_app_cannot_start_a_sign_in(entra: Entra) -> None:
    refusal(await entra.authorize(client_id="someone"), 400, "unauthorized_client", 700016)
    refusal(await entra.authorize(redirect_uri="nowhere"), 400, "invalid_request", 50011)


async def test_signing_in_lets_the_app_into_the_tenant_but_grants_it_nothing(
    entra: Entra, cloud: LocalCloud
) -> None:
    ada = user()
    await entra.know(ada)
    await entra.authorize(login_hint=ada["oid"])
    token = (await entra.app_token()).json()["access_token"]
    credentials = AppCredentials(Settings.from_environment(cloud.environment))

    assert "roles" not in await entra.claims(token, GRAPH)
    with pytest.raises(NeedsAdmin):
        await credentials.prove(entra.tenant)
    await credentials.close()


async def test_an_admin_accepts_or_declines_on_a_page(entra: Entra) -> None:
    await entra.know(name="Contoso")
    query = {"client_id": entra.client_id, "redirect_uri": REDIRECT, "state": "x"}
    page = await entra.http.get("/organizations/v2.0/adminconsent", params=query)
    links = {
        html.unescape(text): html.unescape(link)
        for link, text in re.findall(r'href="([^"]+)">([^<]+)<', page.text)
    }
    declined = location(await entra.http.get(links["Cancel"]))
    refusal(await entra.app_token(), 400, "unauthorized_client", 700016)
    accepted = location(await entra.http.get(links["Accept for Contoso"]))

    assert (declined["error"], declined["admin_consent"]) == ("access_denied", "True")
    assert accepted == {
        "admin_consent": "True", "tenant": entra.tenant, "state": "x",
        "scope": f"{GRAPH}/.default",
    }  # fmt: skip
    assert (await entra.app_token()).status_code == 200


async def test_signing_out_leads_back_to_the_app(entra: Entra) -> None:
    path = "/organizations/oauth2/v2.0/logout"
    there = await entra.http.get(path, params={"post_logout_redirect_uri": REDIRECT})

    assert location(there) == {}
    assert (await entra.http.get(path)).status_code == 200


async def test_the_control_interface_makes_tokens_good_and_bad(entra: Entra) -> None:
    async def made(**more: object) -> str:
        body = {"tenant": entra.tenant, "oid": "o", "name": "N", "roles": ["Admin"], **more}
        answer = await entra.http.post("/_sim/token", json=body)
        return str(answer.json()["access_token"])

    good = await entra.claims(await made(), entra.client_id)
    changed = await entra.claims(await made(claims={"name": "M", "scp": None}), entra.client_id)
    foreign, unsigned = await made(key="foreign"), await made(key="none")

    assert (good["tid"], good["oid"], good["roles"]) == (entra.tenant, "o", ["Admin"])
    assert changed["name"] == "M"
    assert "scp" not in changed
    with pytest.raises(KeyError):
        await entra.claims(foreign, entra.client_id)
    assert jwt.get_unverified_header(unsigned)["alg"] == "none"
    assert (await entra.http.post("/_sim/token", json={})).status_code == 400
