"""Withdrawn consent: the tenant is disconnected, nothing is removed, new consent reconnects it."""

from typing import Any

import pytest

from tests.end_to_end.checks import problem
from tests.local.client import Json
from tests.world import World

DIRECTORY_ONLY = ["User.Read.All", "GroupMember.Read.All", "OrgContact.Read.All"]
ONE_LEFT = DIRECTORY_ONLY[:1]


async def withdraw(world: World, how: str) -> None:
    """Withdraw the consent: remove the app, or only its permissions."""
    body: Json = {"tenant": world.tenant, "granted": how != "removed"}
    if how == "no roles":
        body["roles"] = []
    reply = await world.client.send("POST", f"{world.client.entra}/_sim/consent", body)
    reply.expect(200)


async def status(world: World) -> Any:
    return (await world.api.get("/tenant"))["status"]


@pytest.mark.parametrize("how", ["removed", "no roles"])
async def test_withdrawn_consent_disconnects_tenant_and_removes_nothing(
    world: World, how: str
) -> None:
    made = await world.import_((await world.share())["id"])
    await withdraw(world, how)
    # A cached token keeps working until it expires, as in reality.
    await world.client.fault(".*", {"status": 403}, times=1000, tenant=world.tenant)
    await world.next_day()
    failed = await world.last_run(made["id"])
    await world.client.clear_faults()

    seen = await world.api.get("/tenant")

    assert (failed["status"], failed["reason"]) == ("failed", "consent_missing")
    assert seen["status"] == "disconnected"
    assert seen["remedy"]
    for mailbox in world.targets:
        assert await world.names(mailbox) == world.expected()
    entry = (await world.api.all("/ledger?action=tenant.disconnected"))[0]
    assert entry["actor"] == "service"


async def test_imports_of_disconnected_tenant_are_suspended_with_reason(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    await withdraw(world, "removed")
    await world.client.fault(".*", {"status": 403}, times=1000, tenant=world.tenant)
    await world.next_day()
    await world.client.clear_faults()
    runs = await world.api.all(f"/imports/{made['id']}/runs")

    await world.next_day()

    assert await world.api.all(f"/imports/{made['id']}/runs") == runs
    assert (await world.api.get(f"/imports/{made['id']}"))["suspended"] == "consent_missing"


@pytest.mark.parametrize("by", ["daily", "call"])
async def test_new_consent_reconnects_tenant(world: World, by: str) -> None:
    made = await world.import_((await world.share())["id"])
    await withdraw(world, "removed")
    await world.client.fault(".*", {"status": 403}, times=1000, tenant=world.tenant)
    await world.next_day()
    await world.client.clear_faults()
    assert await status(world) == "disconnected"
    still = await world.api.send("POST", "/tenant/consent")

    await world.client.consent(world.tenant)
    await world.change(world.people[0], displayName="Newly Named")
    if by == "call":
        assert (await world.api.post("/tenant/consent", None, 200))["status"] == "connected"
    await world.next_day()

    problem(still, 403, "consent-missing")
    assert await status(world) == "connected"
    assert (await world.last_run(made["id"]))["status"] == "succeeded"
    assert "Newly Named" in await world.names(world.targets[0])
    assert (await world.api.get(f"/imports/{made['id']}"))["suspended"] is None


async def test_403_from_one_mailbox_does_not_disconnect_tenant(world: World) -> None:
    await world.client.fault(
        f"/users/{world.targets[0]}/", {"status": 403}, times=1000, tenant=world.tenant
    )
    made = await world.import_((await world.share())["id"])

    results = await world.results((await world.last_run(made["id"]))["id"])

    assert results[world.targets[0]]["outcome"] == "failed"
    assert results[world.targets[1]]["outcome"] == "succeeded"
    assert await status(world) == "connected"


async def test_partner_run_fails_with_publisher_consent_missing_and_deletes_nothing(
    world: World, partner: World
) -> None:
    share = await world.share()
    made = await partner.import_(share["shareId"])
    await withdraw(world, "removed")
    await world.client.fault(".*", {"status": 403}, times=1000, tenant=world.tenant)
    await partner.next_day()
    failed = await partner.last_run(made["id"])

    assert (failed["status"], failed["reason"]) == ("failed", "publisher_consent_missing")
    assert "no longer connected" in failed["remedy"]
    assert await partner.names(partner.targets[0]) == world.expected()
    assert await status(world) == "disconnected"
    assert await status(partner) == "connected"
    await world.client.clear_faults()
    await world.client.consent(world.tenant)
    await partner.next_day()
    assert (await partner.last_run(made["id"]))["status"] == "succeeded"
    assert await status(world) == "connected"


async def test_partly_withdrawn_consent_disconnects_tenant(world: World) -> None:
    made = await world.import_((await world.share())["id"])
    await world.client.consent(world.tenant, roles=ONE_LEFT)
    await world.client.fault("^/groups", {"status": 403}, times=1000, tenant=world.tenant)
    await world.next_day()
    await world.client.clear_faults()

    failed = await world.last_run(made["id"])

    assert (failed["status"], failed["reason"]) == ("failed", "consent_missing")
    assert await status(world) == "disconnected"
    assert await world.names(world.targets[0]) == world.expected()


@pytest.mark.parametrize("by", ["daily", "call"])
async def test_tenant_reconnects_only_when_all_required_permissions_are_granted(
    world: World, by: str
) -> None:
    await world.import_((await world.share())["id"])
    await withdraw(world, "removed")
    await world.client.fault(".*", {"status": 403}, times=1000, tenant=world.tenant)
    await world.next_day()
    await world.client.clear_faults()
    seen: list[Any] = []

    for roles in (ONE_LEFT, DIRECTORY_ONLY):
        await world.client.consent(world.tenant, roles=roles)
        if by == "daily":
            await world.next_day()
        else:
            await world.api.send("POST", "/tenant/consent")
        seen.append(await status(world))

    assert seen == ["disconnected", "connected"]
