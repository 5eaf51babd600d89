"""Runs that wait for an admin: what is applied meanwhile, and what an approval covers."""

from typing import Any

from tests.simulation.acts import runs
from tests.simulation.scripted.scripts import (
    broken,
    company,
    contents,
    imported,
    next_day,
    quiet,
    run_script,
    settled,
    when,
)
from tests.simulation.simulation import Simulation
from tests.simulation.world import Share

STRICT: dict[str, Any] = {"deletes": 1, "deleteShare": 0.0}


async def held_removal(sim: Simulation) -> tuple[Share, list[str]]:
    """Hold the removal of the last three of eight people; return the share, and all eight."""
    share = await company(sim, people=8)
    await imported(sim, share, guard=STRICT)
    await quiet(sim)
    people = list(sim.world.groups[share.group])
    sim.set_group(share.tenant, share.group, people[:5])
    sim.world.touch(sim.now())
    await next_day(sim)
    assert len(await runs(sim, "held")) == 1
    return share, people


def keys_in(sim: Simulation) -> set[str]:
    """The keys in the mailboxes, which all hold the same."""
    [keys] = {frozenset(contents(sim, user)) for user in sim.world.mailboxes}
    return set(keys)


def keys_of(people: list[str]) -> set[str]:
    return {f"u-{person}" for person in people}


def test_additions_and_changes_are_applied_while_a_removal_waits() -> None:
    async def script(sim: Simulation) -> None:
        share, people = await held_removal(sim)
        [added] = sim.add_people(share.tenant, 1)
        sim.set_group(share.tenant, share.group, [*people[:5], added])
        sim.rename(share.tenant, people[0])
        sim.world.touch(sim.now())
        await next_day(sim)

        assert keys_in(sim) == keys_of([*people, added])
        for user in sim.world.mailboxes:
            assert contents(sim, user)[f"u-{people[0]}"] == sim.world.people[people[0]]
        assert len(await runs(sim, "held")) == 1

    run_script(script)


def test_approval_covers_what_was_shown_and_holds_only_the_rest() -> None:
    async def script(sim: Simulation) -> None:
        share, people = await held_removal(sim)
        sim.set_group(share.tenant, share.group, people[:4])
        sim.world.touch(sim.now())
        [(run, tenant)] = await runs(sim, "held")
        await sim.api(tenant, "POST", f"runs/{run}/approve")
        await quiet(sim)

        assert keys_in(sim) == keys_of(people[:5])
        assert [found for found, _ in await runs(sim, "held")] == [run]

        await sim.api(tenant, "POST", f"runs/{run}/approve")
        await quiet(sim)
        assert keys_in(sim) == keys_of(people[:4])
        assert not await runs(sim, "held")
        await settled(sim)

    assert not broken(run_script(script))


def test_approved_run_that_begins_again_approves_nothing_more() -> None:
    async def script(sim: Simulation) -> None:
        share, people = await held_removal(sim)
        sim.set_group(share.tenant, share.group, people[:3])
        sim.world.touch(sim.now())
        [(run, tenant)] = await runs(sim, "held")
        # The run asks about the rest, and then has to begin again.
        when(
            sim,
            "storage upsert HeldPlans",
            lambda: sim.api(tenant, "DELETE", f"people/{people[0]}"),
        )
        await sim.api(tenant, "POST", f"runs/{run}/approve")
        await quiet(sim)

        assert keys_in(sim) == keys_of(people[1:5])
        assert [found for found, _ in await runs(sim, "held")] == [run]

    run_script(script)


def test_approval_covers_a_subset_of_what_was_shown() -> None:
    async def script(sim: Simulation) -> None:
        share, people = await held_removal(sim)
        sim.set_group(share.tenant, share.group, people[:6])
        sim.world.touch(sim.now())
        [(run, tenant)] = await runs(sim, "held")
        await sim.api(tenant, "POST", f"runs/{run}/approve")
        await quiet(sim)

        assert keys_in(sim) == keys_of(people[:6])
        assert not await runs(sim, "held")

    run_script(script)


def test_approval_of_the_older_of_two_runs_covers_what_that_one_showed() -> None:
    async def script(sim: Simulation) -> None:
        share, people = await held_removal(sim)
        [(older, tenant)] = await runs(sim, "held")
        sim.set_group(share.tenant, share.group, people[:3])
        sim.world.touch(sim.now())
        await next_day(sim)
        assert len(await runs(sim, "held")) == 2
        await sim.api(tenant, "POST", f"runs/{older}/approve")
        await quiet(sim)

        assert keys_in(sim) == keys_of(people[:5])
        assert older not in [run for run, _ in await runs(sim, "held")]

    run_script(script)


def test_discarded_changes_are_not_asked_about_again_if_fewer_are_left() -> None:
    async def script(sim: Simulation) -> None:
        share, people = await held_removal(sim)
        [(run, tenant)] = await runs(sim, "held")
        await sim.api(tenant, "POST", f"runs/{run}/discard")
        sim.set_group(share.tenant, share.group, people[:6])
        sim.world.touch(sim.now())
        await next_day(sim)

        assert keys_in(sim) == keys_of(people)
        assert not await runs(sim, "held")

    run_script(script)


def test_held_changes_are_stored_once_per_run_and_erased_with_it() -> None:
    async def script(sim: Simulation) -> None:
        await held_removal(sim)
        assert len(sim.tables.tables["HeldPlans"].rows) == 1

    run_script(script)
