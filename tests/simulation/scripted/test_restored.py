"""Imports that change their kind of folder: a worker dies meanwhile, or tables are restored."""

from collections.abc import Awaitable, Callable

import pytest

from tests.simulation.acts import all_unwanted
from tests.simulation.scripted.scripts import (
    broken,
    company,
    contents,
    delete_import,
    imported,
    next_day,
    quiet,
    run_script,
    settled,
    when,
)
from tests.simulation.simulation import Simulation
from tests.simulation.world import Import


async def move(sim: Simulation, import_: Import, folder: str | None) -> None:
    """Move an import to its own folder, or (None) to the default one."""
    all_unwanted(sim, import_)
    import_.folder = folder
    body = {"destination": {"folder": folder}}
    assert (await sim.api(import_.tenant, "PATCH", f"imports/{import_.id}", body)).status == 200
    sim.world.touch(sim.now(), import_)


async def restore(sim: Simulation) -> None:
    """Restore the saved tables, while the app does not run."""
    assert sim.saved is not None
    tables, sim.world.service = sim.saved
    await sim.host.stand_still(600)
    sim.tables.restore(tables)
    for import_ in sim.world.service.imports:
        all_unwanted(sim, import_)
    sim.world.touch(sim.now())


def placed(sim: Simulation) -> list[int]:
    """How many contacts of ours each mailbox holds, in whatever folder."""
    boxes = [box for user in sim.world.mailboxes if (box := sim.mailbox(user))]
    return [len(list(sim.ours(box))) for box in boxes]


async def die(sim: Simulation, act: Callable[[], Awaitable[None]]) -> None:
    """Kill all workers once the mailbox is filled again, then act."""
    while placed(sim)[0]:
        await sim.wait(0.001)
    while not placed(sim)[0]:
        await sim.wait(0.001)
    for worker in sim.workers.all:
        if not worker.life.dead and worker.deliveries:
            sim.host.vanish(worker)
    await act()


@pytest.mark.parametrize("before", [None, "Contact Sync"])
@pytest.mark.parametrize("filled", [True, False])
def test_import_whose_move_was_restored_away_ends_with_one_contact_each(
    before: str | None,
    filled: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim)
        import_ = await imported(sim, share, destination={"folder": before})
        if filled:
            await quiet(sim)
        sim.saved = sim.tables.snapshot(), sim.world.saved()
        await quiet(sim)
        await move(sim, import_, None if before else "Contact Sync")
        await next_day(sim)
        await restore(sim)
        await next_day(sim)
        assert placed(sim) == [3, 3]
        await settled(sim)

    assert not broken(run_script(script))


@pytest.mark.parametrize("before", [None, "Contact Sync"])
def test_removal_finds_contacts_whose_move_was_restored_away(before: str | None) -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim)
        import_ = await imported(sim, share, destination={"folder": before})
        await quiet(sim)
        sim.saved = sim.tables.snapshot(), sim.world.saved()
        await move(sim, import_, None if before else "Contact Sync")
        await next_day(sim)
        await restore(sim)
        await delete_import(sim, sim.world.service.imports[0])
        await quiet(sim)
        assert placed(sim) == [0, 0]
        await settled(sim)

    assert not broken(run_script(script))


@pytest.mark.parametrize("first", [None, "Contact Sync"])
@pytest.mark.parametrize("moved", [True, False])
def test_contacts_of_a_killed_fill_are_removed_wherever_they_are(
    first: str | None,
    moved: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim, mailboxes=1)
        import_ = await imported(sim, share, destination={"folder": first})
        if moved:
            await quiet(sim)
            await move(sim, import_, None if first else "Contact Sync")

        async def delete() -> None:
            await delete_import(sim, import_)

        when(sim, "storage (insert|update) MailboxHeads", lambda: die(sim, delete))
        if moved:
            await next_day(sim)
        await quiet(sim)
        assert placed(sim) == [0]
        await settled(sim)

    assert not broken(run_script(script), "I5 failure")


def test_contacts_stay_in_one_place_when_the_worker_that_moves_them_dies() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim, mailboxes=1)
        import_ = await imported(sim, share, destination={"folder": None})

        async def change() -> None:
            await move(sim, import_, "Contact Sync")

        when(sim, "storage insert MailboxHeads", lambda: die(sim, change))
        await quiet(sim)
        await next_day(sim)
        assert placed(sim) == [3]
        [user] = sim.world.mailboxes
        assert len(contents(sim, user)) == 3
        await settled(sim)

    assert not broken(run_script(script), "I5 failure")
