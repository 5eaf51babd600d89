"""Fixtures of the tests of services."""

from collections.abc import AsyncIterator

import pytest

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.store import TENANT_ROW
from shared.domain.tenancy.tenants import Tenant, TenantStatus
from shared.wiring import app as wiring
from shared.wiring.ports import open_ports
from shared.wiring.settings import Settings
from tests.integration.services.checked import Checked, Unsent, Watch
from tests.integration.services.noticed import HOOK, URL, Company, no_check
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


@pytest.fixture
async def company(cloud: LocalCloud) -> AsyncIterator[Company]:
    """A company with a webhook whose consent is lost, which nobody has been told yet."""
    made = Company()
    settings = Settings.from_environment(cloud.environment)
    ports = open_ports(settings, lambda: wiring.utc_now() + made.ahead, wiring.new_id)
    object.__setattr__(ports, "webhooks", made.receiver)
    made.app = wiring.App(settings, ports)
    object.__setattr__(made.app.notices.watch, "_queues", made.sent)
    owner = Tenant(id=made.tenant, joined=wiring.utc_now(), status=TenantStatus.DISCONNECTED)
    await made.app.base.store.tenants.insert(made.tenant, TENANT_ROW, owner)
    await made.app.notices.preferences.set_receiver(made.caller, HOOK, URL)
    yield made
    # The host would go on to look at the tenant, and never be idle.
    await made.app.tenancy.tenant_data.erase(made.tenant, "", no_check)
    await made.app.base.store.tenants.delete(made.tenant, TENANT_ROW)
    await made.app.close()
