"""The app authenticates with each of four credentials, in many tenants and during rotation."""

import asyncio
import base64
import logging
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from azure.identity.aio import CertificateCredential
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from shared.adapters.entra import credentials as module
from shared.adapters.entra.credentials import GRAPH_SCOPE
from shared.adapters.vault import REFRESH_PAUSE
from shared.domain.errors import Defect, NeedsAdmin, Unavailable
from shared.domain.reasons import Reason
from tests.integration.adapters.keys import Certificate, Keeper, certificate, keeper
from tests.local.cloud import LocalCloud
from tests.world import World

CHOICES = ["managed-identity", "key-vault-certificate", "key-vault-secret", "client-secret"]
OLD, NEW = certificate(), certificate()


async def prepare(keys: Keeper, choice: str) -> None:
    """Put exactly what a credential needs into the vault and the registration."""
    if choice == "key-vault-certificate":
        await keys.put(OLD.pfx, contentType="application/x-pkcs12", managed=True)
        await keys.register(certificates=[OLD.public], secrets=[])
    elif choice == "key-vault-secret":
        await keys.put("first-secret")
        await keys.register(secrets=["first-secret"])
    elif choice == "managed-identity":
        await keys.register(secrets=[])


@pytest.mark.parametrize("choice", CHOICES)
async def test_each_credential_gets_a_token_with_the_granted_permissions(
    keys: Keeper, choice: str
) -> None:
    await prepare(keys, choice)
    tenant = await keys.consent("User.Read.All", "Contacts.ReadWrite")
    withdrawn = await keys.consent()
    await keys.withdraw(withdrawn)
    async with keys.credentials(choice) as credentials:
        roles = await credentials.prove(tenant)
        with pytest.raises(NeedsAdmin):
            await credentials.prove(withdrawn)

    assert roles == frozenset({"User.Read.All", "Contacts.ReadWrite"})


async def test_simulator_accepts_the_sdks_certificate_credential(keys: Keeper) -> None:
    """The simulator accepts assertions that our own code did not build."""
    await keys.register(certificates=[OLD.public])
    tenant, environment = await keys.consent(), keys.environment
    async with CertificateCredential(
        tenant,
        environment["APP_CLIENT_ID"],
        certificate_data=base64.b64decode(OLD.pfx),
        authority=environment["ENTRA_AUTHORITY"],
    ) as credential:
        assert (await credential.get_token(GRAPH_SCOPE)).token


async def test_certificate_may_be_stored_as_pem(keys: Keeper) -> None:
    await keys.put(OLD.pem, contentType="application/x-pem-file", managed=True)
    await keys.register(certificates=[OLD.public])
    tenant = await keys.consent()
    async with keys.credentials("key-vault-certificate") as credentials:
        assert await credentials.prove(tenant)


@pytest.mark.parametrize(
    ("choice", "old", "new"),
    [
        ("key-vault-secret", "first-secret", "second-secret"),
        ("key-vault-certificate", OLD.pfx, NEW.pfx),
        ("key-vault-certificate", OLD.pfx, NEW.pem),
    ],
    ids=["a secret", "a certificate", "a certificate in another format"],
)
async def test_rotated_credential_is_picked_up_without_a_restart(
    keys: Keeper, choice: str, old: str, new: str
) -> None:
    def registered(*names: str) -> dict[str, list[str]]:
        if choice == "key-vault-secret":
            return {"secrets": list(names)}
        return {"certificates": [{old: OLD.public, new: NEW.public}[name] for name in names]}

    await keys.put(old)
    await keys.register(**registered(old))
    tenants = [await keys.consent() for _ in range(20)]
    async with keys.credentials(choice) as credentials:
        await credentials.prove(tenants[0])
        await keys.register(**registered(old, new))
        await keys.put(new)
        await credentials.prove(tenants[1])
        await keys.register(**registered(new))
        await keys.asked()
        # The app notices the rotation when Entra ID rejects it, and asks the vault once for all.
        await asyncio.gather(*(credentials.prove(tenant) for tenant in tenants[2:]))
        assert len(await keys.asked()) == 1
        await credentials.prove(tenants[0])


async def test_wrong_credential_raises_a_defect_and_the_vault_is_rarely_asked(
    keys: Keeper,
) -> None:
    await keys.put("wrong-secret")
    tenants = [await keys.consent() for _ in range(10)]
    async with keys.credentials("key-vault-secret") as credentials:
        for tenant in tenants:
            with pytest.raises(Defect, match="AADSTS7000215") as caught:
                await credentials.prove(tenant)
            assert "wrong-secret" not in str(caught.value)
        # A challenge at most, the first read, and one more.
        assert len(await keys.asked()) <= 3
        await keys.put(keys.client_secret)
        keys.later = REFRESH_PAUSE
        assert await credentials.prove(tenants[0])


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (90002, Reason.TENANT_NOT_FOUND),
        (53003, Reason.ACCESS_POLICY_BLOCKS),
        (501051, Reason.ASSIGNMENT_REQUIRED),
        (500014, Reason.GRAPH_DISABLED),
        (50105, Reason.ENTRA_REFUSED),
    ],
)
async def test_refusal_that_an_admin_can_fix_is_not_a_defect(
    keys: Keeper, code: int, reason: Reason
) -> None:
    tenant = await keys.consent()
    await keys.refuse(tenant, code)
    async with keys.credentials("client-secret") as credentials:
        with pytest.raises(NeedsAdmin, match=f"AADSTS{code}") as refused:
            await credentials.prove(tenant)

    assert refused.value.reason is reason


@pytest.mark.parametrize("kept", ["nothing-of-use", "bm8gY2VydGlmaWNhdGU=", "-----BEGIN NOTHING"])
async def test_invalid_certificate_raises_a_defect_without_its_content(
    keys: Keeper, kept: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await keys.put(kept)
    tenant = await keys.consent()
    async with keys.credentials("key-vault-certificate") as credentials:
        with pytest.raises(Defect, match=keys.name) as caught:
            await credentials.prove(tenant)

    assert kept not in f"{caught.value} {caplog.text}"


@pytest.mark.parametrize("kind", ["elliptic", "locked"])
async def test_a_certificate_needs_an_rsa_key_without_a_password(keys: Keeper, kind: str) -> None:
    made = certificate(elliptic=kind == "elliptic", locked=kind == "locked")
    tenant = await keys.consent()
    for kept in (made.pfx, made.pem):
        await keys.put(kept)
        async with keys.credentials("key-vault-certificate") as credentials:
            with pytest.raises(Defect, match="RSA"):
                await credentials.prove(tenant)


async def test_vault_outage_is_transient_and_denied_access_is_a_defect(
    keys: Keeper,
) -> None:
    await prepare(keys, "key-vault-secret")
    tenant = await keys.consent()
    async with keys.credentials("key-vault-secret") as credentials:
        await keys.fail(503)
        with pytest.raises(Unavailable):
            await credentials.prove(tenant)
        await keys.fail(None, 0)
        await keys.allow(granted=False)
        with pytest.raises(Defect, match="ForbiddenByRbac"):
            await credentials.prove(tenant)
        await keys.allow(granted=True)
        assert await credentials.prove(tenant)


@pytest.mark.parametrize("choice", CHOICES)
async def test_many_tenants_share_one_connection(keys: Keeper, choice: str) -> None:
    await prepare(keys, choice)
    tenants = [await keys.consent() for _ in range(25)]
    before = await keys.traffic()
    async with keys.credentials(choice) as credentials:
        for tenant in tenants:
            await credentials.prove(tenant)
    after = await keys.traffic()

    assert after["tokens"] - before["tokens"] == 25
    assert after["connections"] - before["connections"] == 1


async def test_a_tenants_token_is_cached_until_it_is_forgotten(keys: Keeper) -> None:
    tenant, other = await keys.consent("User.Read.All"), await keys.consent()
    async with keys.credentials("client-secret") as credentials:
        held = credentials.of(tenant)
        for one in (tenant, other, tenant):
            await credentials.prove(one)
        before = (await keys.traffic())["tokens"]
        await keys.grant(tenant, "User.Read.All", "Contacts.ReadWrite")
        cached = await credentials.prove(tenant)
        await credentials.prove(other)
        assert (await keys.traffic())["tokens"] == before
        credentials.forget(tenant)
        renewed = await credentials.prove(tenant)
        await credentials.prove(other)
        assert (await keys.traffic())["tokens"] == before + 1
        # A credential that was handed out before keeps working.
        token = await held.get_token(GRAPH_SCOPE)
        credentials.forget("never seen")

    assert cached == frozenset({"User.Read.All"})
    assert renewed == frozenset({"User.Read.All", "Contacts.ReadWrite"})
    claims = jwt.decode(token.token, options={"verify_signature": False})
    assert set(claims["roles"]) == renewed


async def test_evicted_tenants_keep_working_and_leave_no_connection_open(
    keys: Keeper, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setattr(module, "_TENANTS_KEPT", 3)
    tenants = [await keys.consent() for _ in range(8)]
    before = await keys.traffic()
    async with keys.credentials("client-secret") as credentials:
        first = credentials.of(tenants[0])
        for tenant in [*tenants, tenants[0]]:
            await credentials.prove(tenant)
        await first.close()
        assert await credentials.prove(tenants[1])
    after = await keys.traffic()

    assert after["connections"] - before["connections"] == 1
    assert not [w for w in recwarn if issubclass(w.category, ResourceWarning)]


@pytest.mark.parametrize("choice", CHOICES)
async def test_no_credential_is_ever_logged(
    keys: Keeper, choice: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await prepare(keys, choice)
    tenant = await keys.consent()
    async with keys.credentials(choice) as credentials:
        token = await credentials.of(tenant).get_token(GRAPH_SCOPE)
        await keys.register(secrets=["other"], certificates=[NEW.public])
        credentials.forget(tenant)
        if choice != "managed-identity":
            with pytest.raises(Defect):
                await credentials.prove(tenant)

    key = OLD.pem.split("-----")[2].strip()
    for secret in (OLD.pfx, key, key[:60], "first-secret", keys.client_secret, token.token):
        assert secret not in caplog.text
    assert caplog.records


def assertion(
    made: Certificate,
    keys: Keeper,
    tenant: str,
    header: dict[str, str] | None = None,
    **claims: Any,
) -> str:
    """Build a client assertion as Microsoft documents it, or an invalid one."""
    now, client = int(time.time()), keys.environment["APP_CLIENT_ID"]
    usual = {
        "aud": f"{keys.environment['ENTRA_AUTHORITY']}/{tenant}/oauth2/v2.0/token",
        "iss": client,
        "sub": client,
        "jti": str(uuid4()),
        "nbf": now,
        "exp": now + 600,
    }
    given = {name: value for name, value in {**usual, **claims}.items() if value is not None}
    digest = x509.load_pem_x509_certificate(made.public.encode()).fingerprint(hashes.SHA256())
    named = {"x5t#S256": base64.urlsafe_b64encode(digest).rstrip(b"=").decode()}
    key = load_pem_private_key(made.pem.split("-----BEGIN CERT")[0].encode(), None)
    headers = named if header is None else header
    return jwt.encode(given, key, algorithm="PS256", headers=headers)  # type: ignore[arg-type]


async def answer(keys: Keeper, tenant: str, signed: str) -> httpx.Response:
    return await keys.token(
        tenant,
        client_id=keys.environment["APP_CLIENT_ID"],
        grant_type="client_credentials",
        scope=GRAPH_SCOPE,
        client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        client_assertion=signed,
    )


EXPIRED = certificate(days=-1)
INVALID: dict[str, tuple[Certificate, dict[str, Any], int]] = {
    "an unknown certificate": (NEW, {}, 700027),
    "an expired certificate": (EXPIRED, {}, 700027),
    "no thumbprint": (OLD, {"header": {}}, 50027),
    "another's thumbprint": (OLD, {"header": {"x5t": "AAAA"}}, 700027),
    "another audience": (OLD, {"aud": "https://login.microsoftonline.com"}, 700023),
    "another subject": (OLD, {"sub": "someone"}, 700021),
    "no expiry": (OLD, {"exp": None}, 50027),
    "an expiry in the past": (OLD, {"nbf": 1, "exp": 1000}, 700024),
    "a start in the future": (OLD, {"nbf": 4_000_000_000, "exp": 4_000_000_600}, 700024),
}


@pytest.mark.parametrize(("made", "more", "code"), INVALID.values(), ids=INVALID.keys())
async def test_simulator_rejects_invalid_client_assertions(
    keys: Keeper, made: Certificate, more: dict[str, Any], code: int
) -> None:
    await keys.register(certificates=[OLD.public, EXPIRED.public])
    tenant = await keys.consent()
    refused = await answer(keys, tenant, assertion(made, keys, tenant, **more))
    taken = await answer(keys, tenant, assertion(OLD, keys, tenant))

    body = refused.json()
    assert (refused.status_code, body["error"], body["error_codes"]) == (
        401, "invalid_client", [code],
    )  # fmt: skip
    assert taken.status_code == 200


@pytest.mark.parametrize("choice", CHOICES[:3])
async def test_sync_works_with_each_production_credential(tmp_path: Path, choice: str) -> None:
    settings = {"APP_CREDENTIAL": choice, "APP_CLIENT_SECRET": ""}
    async with LocalCloud(build=tmp_path, settings=settings) as cloud, keeper(cloud) as keys:
        keys.name = "contact-sync-app"
        await prepare(keys, choice)
        world = await World.create(cloud.client, people=30, targets=2)
        share = await world.share()
        await world.import_(share["id"])
        for mailbox in world.targets:
            assert await world.names(mailbox) == world.expected()
        await keys.register(secrets=[], certificates=[])
        logged = (cloud.logs / "host.log").read_text("utf-8")

    assert not [text for text in ("first-secret", OLD.pfx) if text in logged]
