"""Fixtures of the tests of services."""

from collections.abc import AsyncIterator

import pytest

from shared.adapters.entra.access_tokens import Caller
from shared.wiring import app as wiring
from shared.wiring.ports import open_ports
from shared.wiring.settings import Settings
from tests.integration.services.checked import Checked, Unsent, Watch
from tests.local.cloud import LocalCloud
from tests.world import World


@pytest.fixture
async def checked(
    cloud: LocalCloud, world: World, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Checked]:
    """The check of the world's tenant, which is connected."""
    watch, settings = Watch(), Settings.from_environment(cloud.environment)
    made = wiring.App(
        settings, open_ports(settings, lambda: wiring.utc_now() + watch.ahead, wiring.new_id)
    )
    await made.tenancy.tenants.verify_consent(caller)
    monkeypatch.setattr(made.checks.tenant_checks, "_queues", Unsent())
    yield Checked(made, world, caller, watch)
    await made.close()
