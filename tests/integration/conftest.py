"""Fixtures that the integration tests share."""

from collections.abc import AsyncIterator

import pytest

from shared.adapters.entra.access_tokens import Caller
from shared.wiring import app as wiring
from shared.wiring.ports import open_ports
from shared.wiring.settings import Settings
from tests.integration.adapters.keys import Keeper, keeper
from tests.local.cloud import LocalCloud
from tests.world import World


@pytest.fixture
async def keys(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Keeper]:
    """Control of the vault and of the app's registration in Entra ID."""
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.setenv(name, cloud.environment[name])
    async with keeper(cloud) as found:
        yield found


@pytest.fixture
async def app(cloud: LocalCloud) -> AsyncIterator[wiring.App]:
    """The wired app in this process, beside the one in the host."""
    settings = Settings.from_environment(cloud.environment)
    made = wiring.App(settings, open_ports(settings, wiring.utc_now, wiring.new_id))
    yield made
    await made.close()


@pytest.fixture
def caller(world: World) -> Caller:
    """An admin of the world's tenant, signed in to the portal."""
    return Caller(world.tenant, "ada", "Ada Admin", frozenset({"Admin"}), origin="portal")
