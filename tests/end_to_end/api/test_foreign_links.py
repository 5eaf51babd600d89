"""Links in Graph's answers: they are followed to Graph's own host only."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from tests.local.ports import free_port
from tests.world import World


@pytest.fixture
async def stranger() -> AsyncIterator[tuple[str, list[web.Request]]]:
    """A server that is not Graph, and the requests that reached it."""
    seen: list[web.Request] = []

    async def note(request: web.Request) -> web.Response:
        seen.append(request)
        return web.json_response({"value": []})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", note)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}/v1.0", seen
    await runner.cleanup()


@pytest.mark.parametrize(
    ("path", "link", "statuses"),
    [
        ("transitiveMembers", "@odata.nextLink", ("failed", "succeeded")),
        ("contacts/delta", "@odata.deltaLink", ("succeeded", "succeeded")),
    ],
)
async def test_link_to_another_host_is_not_followed_and_gets_no_token(
    world: World,
    stranger: tuple[str, list[web.Request]],
    path: str,
    link: str,
    statuses: tuple[str, str],
) -> None:
    address, seen = stranger
    body = {"value": [], link: f"{address}/users?$skiptoken=1"}
    effect = {"status": 200, "body": body}
    await world.client.fault(path, effect, times=1000, tenant=world.tenant)
    made = await world.import_((await world.share())["id"], settle=False)
    await world.client.settle(120)
    first = await world.api.get(f"/runs/{made['firstRun']}")
    await world.client.clear_faults()

    await world.next_day()

    # A run that would have to follow a next link fails. A stored link is dropped, and the folder
    # is read as a whole.
    second = await world.last_run(made["id"])
    assert second["id"] != first["id"]
    assert (first["status"], second["status"]) == statuses
    assert seen == []
