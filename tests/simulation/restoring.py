"""Tables that are restored to an older day, with what admins have asked of the service till then.

The app does not run meanwhile; its messages stay.
"""

from typing import Final

from tests.simulation.acts import all_unwanted
from tests.simulation.simulation import Simulation

_RESTORING: Final = 600.0
"""How long the app is stopped while tables are restored: no request is under way any more."""


def save_tables(sim: Simulation) -> None:
    """Save all tables."""
    sim.saved = sim.tables.snapshot(), sim.world.saved()


async def restore_tables(sim: Simulation) -> None:
    """Bring all tables back to when they were saved last."""
    assert sim.saved is not None
    tables, service = sim.saved
    sim.saved = None
    await sim.host.stand_still(_RESTORING)
    sim.note("tables restored")
    sim.adversary.strikes["tables restored"] += 1
    sim.tables.restore(tables)
    world = sim.world
    world.service = service
    world.ended.clear()
    for import_ in service.imports:
        all_unwanted(sim, import_)
    world.touch(sim.now())
