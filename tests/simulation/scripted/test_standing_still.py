"""Runs that stand still because their messages do not come, until an Admin or the tick acts."""

from datetime import timedelta
from typing import Any

import pytest

from shared.adapters.storage.records import Records, Stored
from shared.domain.errors import PreconditionFailed
from shared.domain.importing.messages import IMPORT_RUNS, MAILBOX_SYNCS, RUN_CLOSINGS
from shared.domain.importing.runs import Run, RunStatus
from tests.simulation.scripted.scripts import (
    broken,
    company,
    contents,
    imported,
    late,
    quiet,
    run_script,
    settled,
    twice,
)
from tests.simulation.simulation import Simulation
from tests.simulation.storage.queues import Message
from tests.simulation.world import Import

_LATE = timedelta(hours=12).total_seconds()


def test_admin_restarts_a_run_that_stands_still() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim)
        usual = sim.queues.sends
        late(sim, IMPORT_RUNS, _LATE, times=9)
        import_ = await imported(sim, share)
        run = await standing_still(sim, import_)

        sim.queues.sends = usual
        answer = await sim.api(share.tenant, "POST", f"runs/{run}/restart")
        assert answer.status == 202
        await sim.wait(60)
        assert (await one(sim, import_, run))["status"] == "succeeded"
        assert all(len(contents(sim, user)) == 3 for user in sim.world.mailboxes)
        await settled(sim)

    assert not broken(run_script(script))


def test_admin_ends_a_run_that_stands_still_and_starts_another() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim)
        import_ = await imported(sim, share)
        await quiet(sim, 1)
        usual = sim.queues.sends
        late(sim, IMPORT_RUNS, _LATE, times=9)
        await sim.api(share.tenant, "POST", f"imports/{import_.id}/runs")
        run = await standing_still(sim, import_)

        sim.queues.sends = usual
        answer = await sim.api(share.tenant, "POST", f"runs/{run}/stop")
        assert answer.status == 202
        assert (await one(sim, import_, run))["status"] == "stopped"
        next_ = (await sim.api(share.tenant, "POST", f"imports/{import_.id}/runs")).body["id"]
        await sim.wait(60)
        assert next_ != run
        assert (await one(sim, import_, next_))["status"] == "succeeded"
        await settled(sim)

    assert not broken(run_script(script))


def test_closings_that_the_queue_doubles_do_not_multiply_while_their_run_is_open() -> None:
    sent = 0

    async def script(sim: Simulation) -> None:
        nonlocal sent
        late(sim, MAILBOX_SYNCS, timedelta(hours=4).total_seconds(), times=2)
        twice(sim, RUN_CLOSINGS, 5, times=300)
        usual = sim.queues.sends

        def counted(queue: str, text: str, delay: float, lives: timedelta) -> Message:
            nonlocal sent
            sent += queue == RUN_CLOSINGS
            return usual(queue, text, delay, lives)

        sim.queues.sends = counted
        await imported(sim, await company(sim))
        await sim.wait(1_800)
        assert sim.host.waiting[RUN_CLOSINGS] <= 2
        await settled(sim)

    assert not broken(run_script(script))
    assert sent < 150


def test_start_whose_write_is_repeated_by_the_sdk_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    usual, lost = Records.replace, 0

    async def replace(
        self: Records[Any], partition: str, row: str, value: Any, etag: str
    ) -> Stored[Any]:
        nonlocal lost
        stored = await usual(self, partition, row, value, etag)
        if isinstance(value, Run) and value.status is RunStatus.RUNNING and not lost:
            lost += 1
            raise PreconditionFailed("changed_meanwhile")
        return stored

    async def script(sim: Simulation) -> None:
        share = await company(sim)
        await imported(sim, share)
        await sim.wait(60)
        assert lost == 1
        assert all(len(contents(sim, user)) == 3 for user in sim.world.mailboxes)
        await settled(sim)

    monkeypatch.setattr(Records, "replace", replace)
    assert not broken(run_script(script))


async def standing_still(sim: Simulation, import_: Import) -> str:
    """Wait until the newest run of an import is shown to stand still, and return its id."""
    await sim.wait(3 * 3_600)
    runs = await sim.api(import_.tenant, "GET", f"imports/{import_.id}/runs")
    run = str(runs.body["items"][0]["id"])
    assert (await one(sim, import_, run))["stalledSince"]
    return run


async def one(sim: Simulation, import_: Import, run: str) -> Any:
    """Return a run."""
    return (await sim.api(import_.tenant, "GET", f"runs/{run}")).body
