"""Managers of contacts, for groups and tenants of any size."""

from collections.abc import Mapping

import pytest

from shared.adapters.graph import directory
from shared.adapters.graph.transport import Meter
from shared.wiring.app import App
from tests.world import World, person


async def company(world: World, size: int) -> Mapping[str, str]:
    """Add `size` people, some with a manager, and return the ids of managers by person."""
    users = [person(1_000 + n) for n in range(size)]
    managers: dict[str, str] = {}
    for before, user in zip(users[::10], users[1::10], strict=False):
        user["manager"] = {"id": before["id"]}
        managers[user["id"]] = before["id"]
    await world.client.change_tenant(world.tenant, users=users)
    world.people = [user["id"] for user in users]
    return managers


@pytest.mark.parametrize(("asked", "requests"), [(300, 1), (1_200, 4)])
async def test_managers_are_read_with_as_few_requests_as_possible(
    app: App, world: World, asked: int, requests: int
) -> None:
    managers = await company(world, asked)
    meter = Meter()

    found = await directory.managers_by_id(
        app.base.graph.session(world.tenant, meter), world.people
    )

    assert {user: manager["id"] for user, manager in found.items()} == managers
    assert meter.requests == requests
