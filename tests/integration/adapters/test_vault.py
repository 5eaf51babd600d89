"""Key Vault through the real SDK over HTTPS: reading, caching and errors."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from azure.identity.aio import ManagedIdentityCredential
from azure.keyvault.secrets.aio import SecretClient

from shared.adapters.vault import KEPT, OUTLIVES, REFRESH_PAUSE, Vault
from shared.domain.errors import Defect, Unavailable
from tests.integration.adapters.keys import Keeper
from tests.local.cloud import LocalCloud

HUSH = "hush-hush-value"


@pytest.fixture
async def vault(keys: Keeper) -> AsyncIterator[Vault]:
    async with keys.vault() as made:
        yield made


async def test_current_version_is_read_and_cached_for_an_hour(keys: Keeper, vault: Vault) -> None:
    first = await keys.put("one")
    read = await vault.current(keys.name)
    await keys.put("two")
    keys.later = KEPT - timedelta(seconds=5)
    kept = await vault.current(keys.name)
    asked = await keys.asked()
    keys.later = KEPT + timedelta(seconds=5)

    assert (read.version, read.value) == (first, "one")
    assert kept == read
    # One read; the SDK's first request in a process gets a challenge and is repeated.
    assert len([path for path in asked if path.startswith("/secrets/")]) in {1, 2}
    assert (await vault.current(keys.name)).value == "two"


async def test_concurrent_reads_send_one_request(keys: Keeper, vault: Vault) -> None:
    await keys.put("one")
    await vault.current(keys.name)
    await keys.put("two")
    await keys.asked()
    found = await asyncio.gather(*(vault.current(keys.name, refresh=True) for _ in range(50)))

    assert {secret.value for secret in found} == {"two"}
    assert len(await keys.asked()) == 1


async def test_forced_read_asks_the_vault_at_most_once_per_interval(
    keys: Keeper, vault: Vault
) -> None:
    await keys.put("one")
    await vault.current(keys.name)
    await keys.put("two")
    assert (await vault.current(keys.name, refresh=True)).value == "two"
    await keys.put("three")
    assert (await vault.current(keys.name, refresh=True)).value == "two"
    keys.later = REFRESH_PAUSE + timedelta(seconds=1)
    assert (await vault.current(keys.name, refresh=True)).value == "three"


async def test_usable_versions_are_listed_newest_first(keys: Keeper, vault: Vault) -> None:
    now = int(keys.now().timestamp())
    for age in range(30):
        await keys.put(f"{age} old", created=now - 10_000 - age)
    disabled = await keys.put("disabled", created=now - 5)
    await keys.enable(disabled, enabled=False)
    await keys.put("expired", created=now - 4, exp=now - 1)
    await keys.put("not begun", created=now - 3, nbf=now + 600)
    await keys.put("newest", created=now - 9, exp=now + 600)
    found = await vault.versions(keys.name)
    listed = [path for path in await keys.asked() if path.endswith("/versions")]

    assert [secret.value for secret in found] == ["newest", "0 old", "1 old"]
    assert len({secret.version for secret in found}) == 3
    assert len(listed) >= 2  # pages of 25


async def test_secret_without_a_usable_version_raises_a_defect(keys: Keeper, vault: Vault) -> None:
    await keys.put(HUSH, enabled=False)
    with pytest.raises(Defect, match="no version"):
        await vault.versions(keys.name)
    with pytest.raises(Defect, match="SecretDisabled"):
        await vault.current(keys.name)


async def test_missing_secret_and_missing_role_raise_defects_with_a_remedy(
    keys: Keeper, vault: Vault
) -> None:
    with pytest.raises(Defect, match="404 SecretNotFound") as missing:
        await vault.current(keys.name)
    await keys.put(HUSH)
    await keys.allow(granted=False)
    with pytest.raises(Defect, match="403 ForbiddenByRbac") as forbidden:
        await vault.current(keys.name)

    for caught in (missing, forbidden):
        assert keys.uri in str(caught.value)
        assert keys.name in str(caught.value)
    assert "Key Vault Secrets User" in str(forbidden.value)


@pytest.mark.parametrize("status", [None, 429, 500, 503])
async def test_vault_outage_or_throttling_raises_unavailable_with_retry_after(
    keys: Keeper, vault: Vault, status: int | None
) -> None:
    await keys.put(HUSH)
    await keys.fail(status, retryAfter=7)
    with pytest.raises(Unavailable) as caught:
        await vault.current(keys.name)

    assert caught.value.retry_after == (7 if status == 429 else 10)
    assert keys.name in str(caught.value)


async def test_cached_secret_is_used_for_a_day_during_an_outage(keys: Keeper, vault: Vault) -> None:
    await keys.put("one")
    await vault.current(keys.name)
    await keys.fail(503)
    await keys.asked()
    keys.later = KEPT + timedelta(seconds=5)
    for _ in range(5):
        assert (await vault.current(keys.name)).value == "one"
    assert len(await keys.asked()) == 1  # the vault is not asked at each use during an outage
    with pytest.raises(Unavailable):
        await vault.current(keys.name, refresh=True)
    keys.later = OUTLIVES + timedelta(hours=1)
    with pytest.raises(Unavailable):
        await vault.current(keys.name)


async def test_cached_secret_is_not_used_after_access_is_denied(keys: Keeper, vault: Vault) -> None:
    await keys.put(HUSH)
    await vault.current(keys.name)
    await keys.allow(granted=False)
    keys.later = KEPT + timedelta(seconds=5)
    with pytest.raises(Defect):
        await vault.current(keys.name)


async def test_failing_managed_identity_is_named_in_the_error(
    keys: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", "wrong")
    await keys.put(HUSH)
    async with keys.vault() as vault:
        with pytest.raises(Defect, match="managed identity"):
            await vault.current(keys.name)


async def test_secret_values_are_never_logged(
    keys: Keeper, vault: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await keys.put(HUSH)
    secret = await vault.current(keys.name)
    await vault.versions(keys.name)
    await keys.fail(503)
    keys.later = KEPT + timedelta(seconds=5)
    await vault.current(keys.name)

    assert HUSH not in caplog.text
    assert HUSH not in f"{secret!r}"
    assert caplog.records


async def test_sdk_rejects_a_challenge_for_another_domain(keys: Keeper) -> None:
    """The check is off only in the local cloud; its challenge is the same as Azure's."""
    await keys.put(HUSH)
    async with ManagedIdentityCredential() as identity, SecretClient(keys.uri, identity) as strict:
        with pytest.raises(ValueError, match="does not match the requested domain"):
            await strict.get_secret(keys.name)
    assert not any(path.endswith(HUSH) for path in await keys.asked())


@pytest.mark.parametrize(
    ("query", "authorization", "status", "code"),
    [
        ("", None, 400, "BadParameter"),
        ("?api-version=1", None, 400, "BadParameter"),
        ("?api-version=7.4", None, 401, "Unauthorized"),
        ("?api-version=7.4", "Bearer x.y.z", 401, "Unauthorized"),
    ],
)
async def test_simulator_rejects_requests_as_key_vault_does(
    keys: Keeper, query: str, authorization: str | None, status: int, code: str
) -> None:
    await keys.put(HUSH)
    headers = {"Authorization": authorization} if authorization else {}
    answer = await keys.raw(f"/secrets/{keys.name}{query}", **headers)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    challenge = answer.headers.get("WWW-Authenticate", "")
    assert (status != 401) or ('resource="https://vault.azure.net"' in challenge)


async def test_simulator_accepts_only_tokens_for_key_vault(keys: Keeper, cloud: LocalCloud) -> None:
    await keys.put(HUSH)
    answers = []
    for resource in ("https://vault.azure.net", "https://vault.azure.net/", "https://x.example"):
        async with httpx.AsyncClient(base_url=cloud.addresses["entra"]) as http:
            header = {"X-IDENTITY-HEADER": cloud.environment["IDENTITY_HEADER"]}
            given = await http.get("/msi/token", params={"resource": resource}, headers=header)
        bearer = f"Bearer {given.json()['access_token']}"
        path = f"/secrets/{keys.name}?api-version=7.6"
        answers.append(await keys.raw(path, Authorization=bearer))

    assert [answer.status_code for answer in answers] == [200, 401, 401]
    assert "AKV10022" in answers[1].text
