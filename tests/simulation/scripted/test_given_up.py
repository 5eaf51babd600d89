"""Runs that end although mailboxes have no result."""

from datetime import timedelta

from shared.domain.importing.messages import IMPORT_RUNS, MAILBOX_SYNCS
from tests.simulation.scripted.scripts import (
    broken,
    company,
    contents,
    imported,
    late,
    run_script,
    settled,
)
from tests.simulation.simulation import Simulation
from tests.simulation.storage.queues import Message


def test_retry_reaches_the_mailboxes_that_a_run_gave_up() -> None:
    async def script(sim: Simulation) -> None:
        share, starts = await company(sim), list[str]()
        late(sim, MAILBOX_SYNCS, 7_200)
        usual = sim.queues.sends

        def send(queue: str, text: str, delay: float, lives: timedelta) -> Message:
            if queue == IMPORT_RUNS:
                starts.append(text)
            return usual(queue, text, delay, lives)

        sim.queues.sends = send
        await imported(sim, share)
        await sim.wait(60)
        sim.queues.put(f"{IMPORT_RUNS}-poison", starts[0], 0)
        await sim.wait(120)

        [run] = (await sim.api(share.tenant, "GET", "runs")).body["items"]
        found = (await sim.api(share.tenant, "GET", f"runs/{run['id']}/results")).body["items"]
        assert sorted(r["outcome"] for r in found) == ["failed", "succeeded"]
        assert run["mailboxes"]["failed"] == 1
        assert [r["reason"] for r in found if r["outcome"] == "failed"] == ["gave_up"]

        await sim.api(share.tenant, "POST", f"runs/{run['id']}/retry")
        await sim.wait(300)
        assert all(len(contents(sim, user)) == 3 for user in sim.world.mailboxes)
        await settled(sim)

    assert not broken(run_script(script))
