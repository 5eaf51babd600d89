"""Readiness checks the vault if it keeps the app's credential, through the real SDKs."""

from collections.abc import AsyncIterator

import pytest
from azure.core.settings import settings as azure_settings

from shared.wiring import app as wiring
from shared.wiring.ports import open_ports
from shared.wiring.settings import Settings
from tests.integration.adapters.keys import Keeper
from tests.local.cloud import LocalCloud


@pytest.fixture
async def app(
    cloud: LocalCloud, keys: Keeper, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[wiring.App]:
    """The app with its credential in the vault."""
    # Trust the Entra simulator as the host's process does.
    monkeypatch.setenv("SSL_CERT_FILE", cloud.environment["SSL_CERT_FILE"])
    choice = {"APP_CREDENTIAL": "key-vault-secret", "APP_KEY_VAULT_SECRET": keys.name}
    settings = Settings.from_environment({**cloud.environment, **choice})
    made = wiring.App(settings, open_ports(settings, wiring.utc_now, wiring.new_id))
    yield made
    await made.close()


async def test_readiness_passes_if_the_vault_has_the_secret(keys: Keeper, app: wiring.App) -> None:
    await keys.put("hush")

    found = await app.insight.readiness.look()

    assert {check.name: check.ok for check in found} == {
        "tables": True,
        "queues": True,
        "token_keys": True,
        "key_vault": True,
    }


async def test_azure_sdks_create_no_spans(app: wiring.App) -> None:
    del app

    assert not azure_settings.tracing_enabled()


async def test_readiness_fails_if_the_vault_lacks_the_secret(app: wiring.App) -> None:
    found = await app.insight.readiness.look()

    assert [check.name for check in found if not check.ok] == ["key_vault"]
