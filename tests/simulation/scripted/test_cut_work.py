"""Work that is too much for one message: the next one goes on where it ended."""

import asyncio
from datetime import timedelta

import pytest

from shared.adapters.storage.tables.names import Table
from shared.domain.errors import OutOfTime
from shared.services.importing import run_closing, run_start
from tests.simulation.scripted.scripts import (
    broken,
    company,
    contents,
    imported,
    quiet,
    run_script,
    settled,
)
from tests.simulation.simulation import Simulation


def test_run_that_took_long_to_decide_its_work_spreads_it_in_another_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_start, "BUDGET", timedelta())

    async def script(sim: Simulation) -> None:
        share, lines = await company(sim), list[str]()
        sim.trace(lines)
        await imported(sim, share)
        await quiet(sim, 1)
        assert sum(" run start_run " in line for line in lines) == 2
        assert all(len(contents(sim, user)) == 3 for user in sim.world.mailboxes)
        await settled(sim)

    assert not broken(run_script(script))


def test_run_with_many_results_is_deleted_in_several_tries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_closing, "ERASES_FOR", timedelta(seconds=0.05))

    async def script(sim: Simulation) -> None:
        share = await company(sim)
        await imported(sim, share)
        await quiet(sim, 1)
        [run] = (await sim.api(share.tenant, "GET", "runs")).body["items"]
        partition = f"{share.tenant}|{run['id']}"
        for number in range(3_000):
            row = {"PartitionKey": partition, "RowKey": f"{number:05}"}
            sim.tables.insert(Table.RESULTS, row)
        worker = sim.workers.start("sweep", lambda _: None)
        closing, tries = worker.app.importing.run_closing, 0
        while True:
            tries += 1
            erasing = closing.erase_run(share.tenant, run["id"])
            task = asyncio.get_running_loop().create_task(erasing, context=worker.context)
            try:
                await task
            except OutOfTime:
                assert (await sim.api(share.tenant, "GET", f"runs/{run['id']}")).status == 200
                continue
            break
        assert tries > 1
        assert not any(row[0] == partition for row in sim.tables.tables[Table.RESULTS].rows)
        assert (await sim.api(share.tenant, "GET", f"runs/{run['id']}")).status == 404

    run_script(script)
