"""Key Vault, by the real SDK, over HTTPS: what is read, kept, and said when it cannot be read."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from azure.identity.aio import ManagedIdentityCredential
from azure.keyvault.secrets.aio import SecretClient

from shared.adapters.vault import ANEW, KEPT, OUTLIVES, Vault
from shared.domain.errors import Defect, Unavailable
from tests.integration.adapters.keys import Keeper
from tests.local.cloud import LocalCloud

HUSH = "hush-hush-value"


@pytest.fixture
async def vault(keys: Keeper) -> AsyncIterator[Vault]:
    async with keys.vault() as made:
        yield made


async def test_the_current_version_is_read_and_kept_for_an_hour(keys: Keeper, vault: Vault) -> None:
    first = await keys.put("one")
    read = await vault.current(keys.name)
    await keys.put("two")
    keys.later = KEPT - timedelta(seconds=5)
    kept = await vault.current(keys.name)
    asked = await keys.asked()
    keys.later = KEPT + timedelta(seconds=5)

    assert (read.version, read.value) == (first, "one")
    assert kept == read
    # One answer; the SDK asks once more if it has not met the vault's challenge in this process.
    assert len([path for path in asked if path.startswith("/secrets/")]) in {1, 2}
    assert (await vault.current(keys.name)).value == "two"


async def test_many_who_need_it_at_once_ask_once(keys: Keeper, vault: Vault) -> None:
    await keys.put("one")
    await vault.current(keys.name)
    await keys.put("two")
    await keys.asked()
    found = await asyncio.gather(*(vault.current(keys.name, anew=True) for _ in range(50)))

    assert {secret.value for secret in found} == {"two"}
    assert len(await keys.asked()) == 1


async def test_reading_anew_asks_at_once_but_not_again_and_again(
    keys: Keeper, vault: Vault
) -> None:
    await keys.put("one")
    await vault.current(keys.name)
    await keys.put("two")
    assert (await vault.current(keys.name, anew=True)).value == "two"
    await keys.put("three")
    assert (await vault.current(keys.name, anew=True)).value == "two"
    keys.later = ANEW + timedelta(seconds=1)
    assert (await vault.current(keys.name, anew=True)).value == "three"


async def test_versions_come_newest_first_without_those_that_may_not_be_used(
    keys: Keeper, vault: Vault
) -> None:
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


async def test_without_a_version_that_may_be_used_it_is_a_defect(
    keys: Keeper, vault: Vault
) -> None:
    await keys.put(HUSH, enabled=False)
    with pytest.raises(Defect, match="no version"):
        await vault.versions(keys.name)
    with pytest.raises(Defect, match="SecretDisabled"):
        await vault.current(keys.name)


async def test_a_missing_secret_and_a_missing_role_are_defects_that_say_what_to_do(
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
async def test_a_vault_that_is_down_or_busy_passes(
    keys: Keeper, vault: Vault, status: int | None
) -> None:
    await keys.put(HUSH)
    await keys.fail(status, retryAfter=7)
    with pytest.raises(Unavailable) as caught:
        await vault.current(keys.name)

    assert caught.value.retry_after == (7 if status == 429 else 10)
    assert keys.name in str(caught.value)


async def test_what_was_read_outlives_an_outage_for_a_day(keys: Keeper, vault: Vault) -> None:
    await keys.put("one")
    await vault.current(keys.name)
    await keys.fail(503)
    await keys.asked()
    keys.later = KEPT + timedelta(seconds=5)
    for _ in range(5):
        assert (await vault.current(keys.name)).value == "one"
    assert len(await keys.asked()) == 1  # an outage is not asked about at each use
    with pytest.raises(Unavailable):
        await vault.current(keys.name, anew=True)
    keys.later = OUTLIVES + timedelta(hours=1)
    with pytest.raises(Unavailable):
        await vault.current(keys.name)


async def test_a_role_that_is_taken_away_is_not_outlived(keys: Keeper, vault: Vault) -> None:
    await keys.put(HUSH)
    await vault.current(keys.name)
    await keys.allow(granted=False)
    keys.later = KEPT + timedelta(seconds=5)
    with pytest.raises(Defect):
        await vault.current(keys.name)


async def test_an_identity_that_gives_no_token_is_named_as_the_fault(
    keys: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", "wrong")
    await keys.put(HUSH)
    async with keys.vault() as vault:
        with pytest.raises(Defect, match="managed identity"):
            await vault.current(keys.name)


async def test_no_value_is_ever_logged(
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


async def test_the_sdk_takes_no_challenge_for_another_host_than_the_vaults(keys: Keeper) -> None:
    """Only on this machine is the check off; the simulator's challenge is as Azure's."""
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
async def test_the_simulator_refuses_as_the_vault_does(
    keys: Keeper, query: str, authorization: str | None, status: int, code: str
) -> None:
    await keys.put(HUSH)
    headers = {"Authorization": authorization} if authorization else {}
    answer = await keys.raw(f"/secrets/{keys.name}{query}", **headers)

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    challenge = answer.headers.get("WWW-Authenticate", "")
    assert (status != 401) or ('resource="https://vault.azure.net"' in challenge)


async def test_the_simulator_takes_only_tokens_that_are_meant_for_it(
    keys: Keeper, cloud: LocalCloud
) -> None:
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
