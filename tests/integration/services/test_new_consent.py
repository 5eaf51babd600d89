"""A consent that takes a while to become active, and one that is withdrawn."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.graph.transport import Meter
from shared.domain.errors import NeedsAdmin, Unavailable
from shared.domain.reasons import Reason
from shared.domain.tenancy.tenants import TenantStatus
from shared.services.tenancy import joining
from shared.services.tenancy.tenants import SETTLING, ConsentPending
from shared.wiring import app as wiring
from shared.wiring.ports import open_ports
from shared.wiring.settings import Settings
from tests.local.cloud import LocalCloud
from tests.world import World


class Watch:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return wiring.utc_now() + self.ahead


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.fixture
async def app(cloud: LocalCloud, watch: Watch) -> AsyncIterator[wiring.App]:
    settings = Settings.from_environment(cloud.environment)
    made = wiring.App(settings, open_ports(settings, watch.now, wiring.new_id))
    yield made
    await made.close()


async def test_new_consent_gets_time_before_the_tenant_is_disconnected(
    app: wiring.App, world: World, caller: Caller, watch: Watch
) -> None:
    tenants = app.tenancy.tenants
    await tenants.verify_consent(caller)
    await world.client.consent(world.tenant, granted=False)

    with pytest.raises(Unavailable) as early:
        await tenants.check_consent(world.tenant)
    during = (await tenants.read(world.tenant)).value.status
    watch.ahead = SETTLING + timedelta(minutes=1)
    await tenants.check_consent(world.tenant)

    assert early.value.retry_after >= 60
    assert during is TenantStatus.CONNECTED
    assert (await tenants.read(world.tenant)).value.status is TenantStatus.DISCONNECTED


async def test_admin_who_consented_is_told_to_wait_and_the_same_address_joins_later(
    app: wiring.App, world: World, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(joining, "_BETWEEN_TRIES", 0.0)
    await world.client.consent(world.tenant, granted=False)
    kept = {"state": "s", "tenant": caller.tenant, "oid": caller.oid}
    answer = {"state": "s", "admin_consent": "True", "tenant": caller.tenant}

    with pytest.raises(ConsentPending):
        await app.tenancy.joining.finish_consent(kept, caller, answer)
    await world.client.consent(world.tenant)
    joined = await app.tenancy.joining.finish_consent(kept, caller, answer)

    assert joined.value.status is TenantStatus.CONNECTED


async def test_subscriber_learns_only_that_the_publisher_is_unavailable(
    app: wiring.App, world: World, partner: World
) -> None:
    made = await world.share()
    publications = app.sharing.publications
    share, publisher = await publications.find(partner.tenant, made["shareId"])
    assert share is not None
    refusal = {"tenant": world.tenant, "refusal": 53003}
    (await world.client.send("POST", f"{world.client.entra}/_sim/consent", refusal)).expect(200)

    reasons = []
    for tenant in (world.tenant, partner.tenant):
        with pytest.raises(NeedsAdmin) as refused:
            await publications.resolve(tenant, share, publisher, Meter())
        reasons.append(refused.value.reason)

    assert reasons == [Reason.ACCESS_POLICY_BLOCKS, Reason.PUBLISHER_UNAVAILABLE]


async def test_first_calls_at_once_all_find_the_tenant_joined_once(
    app: wiring.App, world: World, caller: Caller
) -> None:
    tenants = app.tenancy.tenants

    known = await asyncio.gather(*(tenants.known(caller) for _ in range(24)))
    again = await asyncio.gather(*(tenants.verify_consent(caller) for _ in range(24)))

    assert {stored.value.id for stored in (*known, *again)} == {world.tenant}
    joined = await world.api.all("/ledger?action=tenant.joined")
    assert len(joined) == 1
