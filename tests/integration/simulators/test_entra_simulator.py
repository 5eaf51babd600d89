"""The Entra simulator issues tokens and words errors as Entra ID does."""

import ssl
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import httpx
import jwt
import pytest
from azure.identity.aio import ManagedIdentityCredential

from shared.adapters.entra.credentials import AppCredentials
from shared.wiring.settings import Settings
from tests.integration.adapters.entra import GRAPH, Entra, assert_rejected, connect, location, user
from tests.local.cloud import LocalCloud


@pytest.fixture
async def entra(cloud: LocalCloud) -> AsyncIterator[Entra]:
    async with connect(cloud) as made:
        yield made


async def test_metadata_and_keys_have_an_issuer_template_for_organizations(
    entra: Entra,
) -> None:
    await entra.create_tenant()
    for tenant, named in (("organizations", "{tenantid}"), (entra.tenant, entra.tenant)):
        path = f"/{tenant}/v2.0/.well-known/openid-configuration"
        metadata = (await entra.http.get(path)).json()
        keys = (await entra.http.get(urlsplit(metadata["jwks_uri"]).path)).json()["keys"]

        assert metadata["issuer"] == f"{entra.authority}/{named}/v2.0"
        assert [(k["kty"], k["use"], k["issuer"]) for k in keys] == [
            ("RSA", "sig", metadata["issuer"])
        ]


async def test_authority_is_served_over_https_with_its_own_certificate(
    entra: Entra, cloud: LocalCloud
) -> None:
    path = "/organizations/v2.0/.well-known/openid-configuration"
    trusted = ssl.create_default_context(cafile=cloud.environment["SSL_CERT_FILE"])
    async with httpx.AsyncClient(base_url=entra.authority, verify=trusted) as http:
        assert (await http.get(path)).status_code == 200
    async with httpx.AsyncClient(base_url=entra.authority) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(path)


async def test_unknown_tenant_is_rejected(entra: Entra) -> None:
    path = f"/{entra.tenant}/v2.0/.well-known/openid-configuration"
    assert_rejected(await entra.http.get(path), 400, "invalid_request", 90002)
    assert_rejected(await entra.app_token(), 400, "invalid_request", 90002)


async def test_app_gets_no_token_before_consent_or_after_its_withdrawal(entra: Entra) -> None:
    await entra.create_tenant()
    assert_rejected(await entra.app_token(), 400, "unauthorized_client", 700016)
    await entra.consent()
    granted = (await entra.app_token()).json()
    await entra.consent(granted=False)

    assert (granted["token_type"], granted["expires_in"]) == ("Bearer", 3599)
    assert_rejected(await entra.app_token(), 400, "unauthorized_client", 700016)


async def test_graph_token_contains_the_granted_roles(entra: Entra) -> None:
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
async def test_invalid_token_request_is_rejected(
    entra: Entra, form: dict[str, str], status: int, error: str, code: int
) -> None:
    await entra.consent()
    assert_rejected(await entra.app_token(**form), status, error, code)


async def test_client_without_a_credential_is_rejected(entra: Entra) -> None:
    await entra.consent()
    form = {"client_id": entra.client_id, "grant_type": "client_credentials"}
    answer = await entra.http.post(f"/{entra.tenant}/oauth2/v2.0/token", data=form)
    assert_rejected(answer, 401, "invalid_client", 7000218)


async def test_app_token_requires_a_specific_tenant(entra: Entra) -> None:
    assert_rejected(await entra.app_token("organizations"), 400, "invalid_request", 50059)


async def test_managed_identity_authenticates_the_app_without_a_secret(
    entra: Entra, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.setenv(name, cloud.environment[name])
    environment = {**cloud.environment, "APP_CREDENTIAL": "managed-identity"}
    settings = Settings.from_environment(environment)
    async with ManagedIdentityCredential(client_id=settings.managed_identity_client_id) as identity:
        credentials = AppCredentials(settings.app_credential, identity)
        await entra.consent()
        roles = await credentials.prove(entra.tenant)
        await credentials.close()

    assert "Contacts.ReadWrite" in roles


async def test_managed_identity_endpoint_requires_the_identity_header(entra: Entra) -> None:
    assert (await entra.http.get("/msi/token?resource=x")).status_code == 401


async def test_sign_in_returns_tokens_for_the_app_and_its_api(entra: Entra) -> None:
    ada = user("ada", "Admin")
    await entra.create_tenant(ada)
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
    assert identity["preferred_username"] == ada["username"]
    assert identity["sub"] == access["sub"]
    assert "scp" not in identity


async def test_sign_in_without_our_scope_returns_no_token_for_our_api(
    entra: Entra,
) -> None:
    ada = user()
    await entra.create_tenant(ada)
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
async def test_code_is_redeemed_only_with_its_verifier_and_redirect_uri(
    entra: Entra, form: dict[str, str], code: int
) -> None:
    ada = user()
    await entra.create_tenant(ada)
    back = location(await entra.authorize(login_hint=ada["oid"]))
    assert_rejected(
        await entra.redeem(**{"code": back["code"], **form}), 400, "invalid_grant", code
    )


async def test_code_is_redeemed_only_once(entra: Entra) -> None:
    ada = user()
    await entra.create_tenant(ada)
    back = location(await entra.authorize(login_hint=ada["oid"]))
    assert (await entra.redeem(back["code"])).status_code == 200
    assert_rejected(await entra.redeem(back["code"]), 400, "invalid_grant", 54005)


async def test_refresh_token_works_until_consent_is_withdrawn(entra: Entra) -> None:
    ada = user()
    await entra.create_tenant(ada)
    back = location(await entra.authorize(login_hint=ada["oid"]))
    refresh = (await entra.redeem(back["code"])).json()["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": refresh}
    renewed = await entra.token(**form)
    await entra.consent(granted=False)
    refused = await entra.token(**form)

    assert renewed.status_code == 200
    assert_rejected(refused, 400, "invalid_grant", 65001)
    assert refused.json()["suberror"] == "consent_required"


async def test_control_interface_issues_valid_and_invalid_tokens(entra: Entra) -> None:
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
