"""People and shares that are taken back, though a mailbox cannot be reached at that moment."""

from tests.simulation.scripted.scripts import (
    broken,
    company,
    contents,
    imported,
    next_day,
    quiet,
    run_script,
    settled,
    suppress,
)
from tests.simulation.simulation import Simulation


async def pause(sim: Simulation) -> None:
    for import_ in sim.world.service.imports:
        path = f"imports/{import_.id}"
        assert (await sim.api(import_.tenant, "PATCH", path, {"active": False})).status == 200
        import_.active = False
        sim.world.touch(sim.now(), import_)


def test_suppressed_person_leaves_a_closed_mailbox_once_it_opens_though_the_import_is_paused() -> (
    None
):
    async def script(sim: Simulation) -> None:
        share = await company(sim)
        await imported(sim, share)
        await quiet(sim)
        person, closed = sim.world.groups[share.group][0], max(sim.world.mailboxes)
        sim.outside.graph.denied[closed] = "ErrorAccessDenied"
        await suppress(sim, share.tenant, person)
        await quiet(sim)
        await pause(sim)
        for _ in range(3):
            await next_day(sim)
        assert f"u-{person}" in contents(sim, closed)
        sim.outside.graph.denied.clear()
        await next_day(sim)
        assert f"u-{person}" not in contents(sim, closed)
        await settled(sim)

    assert not broken(run_script(script))


def test_suppressed_person_leaves_a_mailbox_that_exchange_gives_back() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim)
        await imported(sim, share)
        await quiet(sim)
        person, gone = sim.world.groups[share.group][0], max(sim.world.mailboxes)
        sim.outside.take_mailbox(share.tenant, gone)
        await suppress(sim, share.tenant, person)
        await quiet(sim)
        await pause(sim)
        for _ in range(2):
            await next_day(sim)
        sim.outside.return_mailbox(share.tenant, gone)
        await next_day(sim)
        assert contents(sim, gone)
        assert f"u-{person}" not in contents(sim, gone)
        await settled(sim)

    assert not broken(run_script(script))


def test_revocation_that_is_tried_again_asks_only_where_it_failed() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim)
        import_ = await imported(sim, share)
        await quiet(sim)
        person, closed = sim.world.groups[share.group][0], max(sim.world.mailboxes)
        sim.outside.graph.denied[closed] = "ErrorAccessDenied"
        await suppress(sim, share.tenant, person)
        await quiet(sim)
        await pause(sim)
        # On the first day nobody knows yet whether the revocation was ever asked for.
        for _ in range(3):
            await next_day(sim)
        found = await sim.api(share.tenant, "GET", f"imports/{import_.id}/runs")
        totals = [r["mailboxes"]["total"] for r in found.body["items"][:3]]
        assert totals == [1, 1, 2]

    run_script(script)
