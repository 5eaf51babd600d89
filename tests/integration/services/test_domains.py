"""The verified domains of tenants, read again by the sweep."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from shared.adapters.entra.access_tokens import Caller
from shared.domain.importing.messages import MaintainRange, MaintenanceTask
from shared.services.maintenance.domains import DAYS
from shared.wiring import app as wiring
from shared.wiring.ports import open_ports
from shared.wiring.settings import Settings
from tests.local.cloud import LocalCloud
from tests.world import World


class Days:
    """A clock that a test moves on by days."""

    def __init__(self) -> None:
        self.ahead = 0

    def now(self) -> datetime:
        return wiring.utc_now() + timedelta(days=self.ahead)


@pytest.fixture
def days() -> Days:
    return Days()


@pytest.fixture
async def app(cloud: LocalCloud, days: Days) -> AsyncIterator[wiring.App]:
    settings = Settings.from_environment(cloud.environment)
    made = wiring.App(settings, open_ports(settings, days.now, wiring.new_id))
    yield made
    await made.close()


async def test_domain_is_read_again_once_a_week_and_a_change_is_in_the_ledger(
    app: wiring.App, world: World, caller: Caller, days: Days
) -> None:
    before = (await app.tenancy.tenants.verify_consent(caller)).value.domain
    after = "renamed.example"
    users = [{"id": id_, "userPrincipalName": f"{id_}@{after}"} for id_ in world.users]
    await world.client.change_tenant(world.tenant, users=users)
    asked: list[str] = []
    refresh = app.tenancy.domains.refresh

    async def noted(tenant: str) -> bool:
        asked.append(tenant)
        return await refresh(tenant)

    app.tenancy.domains.refresh = noted  # type: ignore[method-assign]
    for day in range(DAYS):
        days.ahead = day
        low, high = world.tenant[:-1], world.tenant
        task = MaintenanceTask.DOMAINS
        await app.maintenance.ranges.maintain(
            MaintainRange(task=task, low=low, high=high, at=days.now())
        )

    assert asked.count(world.tenant) == 1
    assert (await app.tenancy.tenants.read(world.tenant)).value.domain == after
    told = await world.api.all("/ledger?action=tenant.domain_changed")
    assert [e["detail"] for e in told] == [{"before": before, "after": after}]
    await world.client.consent(world.tenant, granted=False)
    assert not await refresh(world.tenant)
