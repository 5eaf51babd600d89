"""A lease that its holder never gave back ends by itself, and whoever waits for it notices."""

from datetime import timedelta

from tests.simulation.scripted.scripts import (
    broken,
    company,
    contents,
    imported,
    run_script,
    settled,
    when,
)
from tests.simulation.simulation import Simulation


def test_mailbox_is_synced_as_soon_as_the_lease_of_a_killed_worker_ends() -> None:
    async def script(sim: Simulation) -> None:
        share = await company(sim, mailboxes=1)
        killed = []

        def kill() -> None:
            killed.append(sim.now())
            for worker in list(sim.workers.all):
                if worker.deliveries and worker.life.name.startswith("sync_mailbox"):
                    sim.host.vanish(worker)

        when(sim, "storage insert Leases", kill)
        await imported(sim, share)
        while not killed:
            await sim.wait(1)
        other = await imported(sim, share)
        [user] = sim.world.mailboxes
        mailbox = sim.mailbox(user)
        assert mailbox is not None
        while not any(import_ == other.id for import_, _, _ in sim.ours(mailbox)):
            await sim.wait(1)
        assert sim.now() - killed[0] < timedelta(minutes=5, seconds=30)
        assert contents(sim, user)
        await settled(sim)

    assert not broken(run_script(script))
