"""The Entra simulator's pages: sign-in, admin consent and redirects."""

import html
import re
from collections.abc import AsyncIterator
from urllib.parse import urlencode
from uuid import uuid4

import httpx
import pytest

from shared.adapters.entra.credentials import AppCredentials
from shared.adapters.entra.sign_in import SignIn
from shared.domain.errors import NeedsAdmin
from shared.wiring.settings import Settings
from tests.integration.adapters.entra import (
    GRAPH,
    REDIRECT,
    Entra,
    assert_rejected,
    connect,
    location,
    user,
)
from tests.local.cloud import LocalCloud
from tests.local.entra.tokens import GRAPH_PERMISSIONS
from tests.local.host.http import QUERY_LIMIT


@pytest.fixture
async def entra(cloud: LocalCloud) -> AsyncIterator[Entra]:
    async with connect(cloud) as made:
        yield made


async def test_application_of_one_tenant_signs_in_at_that_tenant(
    entra: Entra, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", cloud.environment["SSL_CERT_FILE"])
    await entra.create_tenant(user())
    settings = Settings.from_environment(
        {
            **cloud.environment,
            "SIGN_IN_TENANT": entra.tenant,
            "PORTAL_ORIGIN": "https://app.example",
        }
    )
    credentials = AppCredentials(settings.app_credential)
    only = {"singleTenant": True}
    (await entra.http.post("/_sim/registration", json=only)).raise_for_status()
    begun = [
        await SignIn(settings.entra_authority, settings.client_id, credentials, tenant).begin(
            REDIRECT
        )
        for tenant in ("organizations", settings.sign_in_tenant)
    ]
    async with httpx.AsyncClient(verify=False) as http:  # noqa: S501 - the simulator's own
        refused, shown = [await http.get(each.url) for each in begun]
    (await entra.http.post("/_sim/registration", json={})).raise_for_status()
    await credentials.close()

    assert_rejected(refused, 400, "invalid_request", 50194)
    assert shown.status_code == 200


async def test_user_picks_an_account_on_the_sign_in_page(entra: Entra) -> None:
    ada, eve = user("ada"), user("<eve>")
    await entra.create_tenant(ada, eve)
    page = await entra.authorize(entra.tenant)
    links = re.findall(r'href="([^"]+)"', page.text)
    back = location(await entra.http.get(html.unescape(links[1])))

    assert page.status_code == 200
    assert "&lt;eve&gt;" in page.text
    assert len(links) == 2
    access = (await entra.redeem(back["code"])).json()["access_token"]
    assert (await entra.claims(access, entra.client_id))["oid"] == eve["oid"]


async def test_response_may_be_posted_as_a_form(entra: Entra) -> None:
    ada = user()
    await entra.create_tenant(ada)
    page = await entra.authorize(login_hint=ada["oid"], response_mode="form_post")

    assert f'<form method="post" action="{REDIRECT}">' in page.text
    assert 'name="code"' in page.text
    assert 'name="state" value="s&amp;t"' in page.text


async def test_code_and_errors_are_as_long_as_those_of_entra(entra: Entra) -> None:
    ada = user()
    await entra.create_tenant(ada)
    page = await entra.authorize(login_hint=ada["oid"], response_mode="form_post")
    nobody = await entra.authorize(prompt="none", response_mode="form_post")

    (code,) = re.findall(r'name="code" value="([^"]+)"', page.text)
    assert len(code) == 2_500
    assert (await entra.redeem(code)).status_code == 200
    assert 'name="error" value="login_required"' in nobody.text
    assert 'name="error_description" value="AADSTS50058' in nobody.text


async def test_silent_sign_in_requires_a_user_and_consent(entra: Entra) -> None:
    ada = user()
    await entra.create_tenant(ada)
    nobody = location(await entra.authorize(prompt="none"))
    before = location(await entra.authorize(prompt="none", login_hint=ada["oid"]))
    await entra.consent()
    after = location(await entra.authorize(prompt="none", login_hint=ada["oid"]))

    assert nobody["error"] == "login_required"
    assert before["error"] == "interaction_required"
    assert "AADSTS65001" in before["error_description"]
    assert after["code"]


async def test_unknown_client_or_redirect_uri_cannot_start_a_sign_in(entra: Entra) -> None:
    assert_rejected(await entra.authorize(client_id="someone"), 400, "unauthorized_client", 700016)
    assert_rejected(await entra.authorize(redirect_uri="nowhere"), 400, "invalid_request", 50011)


async def test_sign_in_adds_the_app_to_the_tenant_without_permissions(
    entra: Entra, cloud: LocalCloud
) -> None:
    ada = user()
    await entra.create_tenant(ada)
    await entra.authorize(login_hint=ada["oid"])
    token = (await entra.app_token()).json()["access_token"]
    credentials = AppCredentials(Settings.from_environment(cloud.environment).app_credential)

    assert "roles" not in await entra.claims(token, GRAPH)
    with pytest.raises(NeedsAdmin):
        await credentials.prove(entra.tenant)
    await credentials.close()


async def test_admin_accepts_or_declines_on_the_consent_page(entra: Entra) -> None:
    await entra.create_tenant(name="Contoso")
    query = {"client_id": entra.client_id, "redirect_uri": REDIRECT, "state": "x"}
    page = await entra.http.get("/organizations/v2.0/adminconsent", params=query)
    links = {
        html.unescape(text): html.unescape(link)
        for link, text in re.findall(r'href="([^"]+)">([^<]+)<', page.text)
    }
    declined = location(await entra.http.get(links["Cancel"]))
    assert_rejected(await entra.app_token(), 400, "unauthorized_client", 700016)
    accepted = location(await entra.http.get(links["Accept for Contoso"]))

    assert (declined["error"], declined["admin_consent"]) == ("access_denied", "True")
    # Entra ID does not post this response: the gateway has to accept it as a query.
    for values in (declined, {**accepted, "state": "x" * 32}):
        assert len(urlencode(values)) < QUERY_LIMIT
    assert accepted == {
        "admin_consent": "True", "tenant": entra.tenant, "state": "x",
        "scope": " ".join(f"{GRAPH}/{permission}" for permission in GRAPH_PERMISSIONS),
    }  # fmt: skip
    assert (await entra.app_token()).status_code == 200


@pytest.mark.parametrize(
    "target", [f"{REDIRECT}/", "https://app.example", "https://evil.example", "nowhere", ""]
)
async def test_unregistered_redirect_uri_is_rejected(entra: Entra, target: str) -> None:
    await entra.create_tenant()
    query = {"client_id": entra.client_id, "redirect_uri": target}
    consent = await entra.http.get(f"/{entra.tenant}/v2.0/adminconsent", params=query)

    assert_rejected(await entra.authorize(redirect_uri=target), 400, "invalid_request", 50011)
    assert_rejected(consent, 400, "invalid_request", 50011)


async def test_non_admin_cannot_consent_for_the_tenant(entra: Entra) -> None:
    helpdesk = "729827e3-9c14-49f7-bb1b-9608f156bbb8"
    bob = user("bob", "Admin", wids=[helpdesk])
    await entra.create_tenant(bob)
    await entra.authorize(login_hint=bob["oid"])
    path = f"/{entra.tenant}/v2.0/adminconsent"
    query = {"client_id": entra.client_id, "redirect_uri": REDIRECT, "state": "x"}
    page = await entra.http.get(path, params=query)
    forced = await entra.http.get(path, params={**query, "answer": "accept"})
    (link,) = re.findall(r'href="([^"]+)"', page.text)
    back = location(await entra.http.get(html.unescape(link)))

    assert "Need admin approval" in page.text
    assert_rejected(forced, 403, "access_denied", 90094)
    assert (back["error"], back["admin_consent"], back["state"]) == ("access_denied", "True", "x")
    assert "roles" not in await entra.claims(
        (await entra.app_token()).json()["access_token"], GRAPH
    )


@pytest.mark.parametrize(
    "wid", ["62e90394-69f5-4237-9190-012177145e10", "e8611ab8-c189-46e8-94e1-60213ab1f814"]
)
async def test_signed_in_admin_consents_only_for_their_own_tenant(entra: Entra, wid: str) -> None:
    ada, other = user(wids=[wid]), str(uuid4())
    await entra.create_tenant(ada)
    (await entra.http.post("/_sim/tenants", json={"tenant": other})).raise_for_status()
    await entra.authorize(login_hint=ada["oid"])
    query = {"client_id": entra.client_id, "redirect_uri": REDIRECT, "answer": "accept"}
    foreign = await entra.http.get(f"/{other}/v2.0/adminconsent", params=query)
    own = await entra.http.get("/organizations/v2.0/adminconsent", params=query)

    assert_rejected(foreign, 400, "invalid_request", 50020)
    assert location(own)["tenant"] == entra.tenant
    assert (await entra.app_token()).status_code == 200


async def test_directory_roles_are_in_both_tokens(entra: Entra) -> None:
    ada = user(wids=["62e90394-69f5-4237-9190-012177145e10"])
    await entra.create_tenant(ada)
    back = location(await entra.authorize(login_hint=ada["oid"]))
    tokens = (await entra.redeem(back["code"])).json()

    for kind in ("access_token", "id_token"):
        assert (await entra.claims(tokens[kind], entra.client_id))["wids"] == ada["wids"]


async def test_sign_out_redirects_to_the_app(entra: Entra) -> None:
    path = "/organizations/oauth2/v2.0/logout"
    there = await entra.http.get(path, params={"post_logout_redirect_uri": REDIRECT})

    assert location(there) == {}
    assert (await entra.http.get(path)).status_code == 200
