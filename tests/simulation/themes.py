"""Acts that belong together: situations that acts drawn one by one hardly ever meet.

A theme is all that people do during one run of a history. It waits for the runs that it causes.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

from shared.domain.importing.messages import (
    IMPORT_RUNS,
    MAILBOX_CHECKS,
    MAILBOX_SYNCS,
    RUN_CLOSINGS,
)
from tests.simulation.acts import Act, all_unwanted, runs
from tests.simulation.restoring import restore_tables, save_tables
from tests.simulation.simulation import Simulation
from tests.simulation.storage.queues import Message
from tests.simulation.world import Import

_LOOKS, _LOOK_EVERY = 120, 10.0
_COPIES: Final = 8
_LATEST_COPY: Final = 45.0
_REFUSES_FOR: Final = (3_600.0, 30 * 3_600.0, 54 * 3_600.0)
_UNTIL_SUPPRESSED: Final = (1.0, 60.0)
_DURING_A_RUN: Final = (0.2, 20.0)


async def approve_beside_late_closings(sim: Simulation) -> None:
    """An admin approves removals while closings of the run that was held still come."""
    for import_ in _one(sim):
        await _patch(sim, import_, {"guard": {"deletes": 0, "deleteShare": 0.0}})
        await _filled(sim, import_)
        _leave_some_out(sim, import_)
        with _closings_twice(sim):
            await _filled(sim, import_)
            for run, tenant in await runs(sim, "held"):
                await sim.api(tenant, "POST", f"runs/{run}/approve")
            await _until_quiet(sim)


async def recolor_under_a_strict_guard(sim: Simulation) -> None:
    """The category of an import changes that may change nothing of its contacts."""
    for import_ in _one(sim):
        await _patch(sim, import_, {"guard": {"changes": 0, "changeShare": 0.0}})
        await _filled(sim, import_)
        for category in ("Red", "Blue"):
            await _patch(sim, import_, {"destination": {"category": category}})
            sim.world.touch(sim.now(), import_)
            await _filled(sim, import_)


async def move_and_go_back(sim: Simulation) -> None:
    """An import moves to the other kind of folder; then tables return to the day before."""
    for import_ in _one(sim):
        await _filled(sim, import_)
        save_tables(sim)
        import_.folder = None if import_.folder is not None else "Contact Sync"
        all_unwanted(sim, import_)
        await _patch(sim, import_, {"destination": {"folder": import_.folder}})
        sim.world.touch(sim.now(), import_)
        await _filled(sim, import_)
        await restore_tables(sim)


async def suppress_while_no_run_comes(sim: Simulation) -> None:
    """A person is removed everywhere while an import is paused, and a mailbox may refuse."""
    for import_ in _one(sim):
        await _filled(sim, import_)
        await _patch(sim, import_, {"active": False})
        import_.active = False
        sim.world.touch(sim.now(), import_)
        await _until_quiet(sim)
        refuses = sim.themes.choice((None, *import_.targets))
        if refuses is not None:
            sim.outside.graph.denied[refuses] = "ErrorAccessDenied"
            sim.adversary.strikes["mailbox denied"] += 1
        await asyncio.sleep(sim.themes.choice(_UNTIL_SUPPRESSED))
        tenant = sim.themes.choice((import_.tenant, import_.share.tenant))
        person = sim.themes.choice(sim.world.groups[import_.share.group])
        sim.world.service.suppressed.setdefault(tenant, set()).add(person)
        sim.world.touch(sim.now())
        await sim.api(tenant, "DELETE", f"people/{person}")
        sim.world.touch(sim.now())
        await _until_quiet(sim)
        if refuses is not None:
            await asyncio.sleep(sim.themes.choice(_REFUSES_FOR))
            sim.outside.graph.denied.pop(refuses, None)


async def restore_the_middle_of_a_run(sim: Simulation) -> None:
    """Tables return to a moment at which a run was open, whose messages are gone by then."""
    for import_ in _one(sim):
        await _filled(sim, import_)
        _leave_some_out(sim, import_)
        await sim.api(import_.tenant, "POST", f"imports/{import_.id}/runs")
        await asyncio.sleep(sim.themes.uniform(*_DURING_A_RUN))
        save_tables(sim)
        await _until_quiet(sim)
        await restore_tables(sim)


async def change_a_group_between_two_starts(sim: Simulation) -> None:
    """A run's start comes twice, its other messages slowly, and people join a group meanwhile.

    The worker that checks mailboxes is replaced, so that it reads the run's snapshot again; those
    that sync mailboxes are not.
    """
    for import_ in _one(sim):
        await _filled(sim, import_)
        share, members = import_.share, sim.world.groups[import_.share.group]
        _leave_some_out(sim, import_)
        with _started_twice(sim):
            await sim.api(import_.tenant, "POST", f"imports/{import_.id}/runs")
            await asyncio.sleep(sim.themes.uniform(*_DURING_A_RUN))
            sim.set_group(share.tenant, share.group, members)
            sim.world.touch(sim.now())
            sim.host.stop(sim.host.worker("check_mailboxes/0"))
            await _until_quiet(sim)


THEMES: Final[tuple[Act, ...]] = (
    approve_beside_late_closings,
    recolor_under_a_strict_guard,
    move_and_go_back,
    suppress_while_no_run_comes,
    restore_the_middle_of_a_run,
    change_a_group_between_two_starts,
)


def _one(sim: Simulation) -> list[Import]:
    """Return an active import whose share has people, or nothing if there is none."""
    found = [i for i in sim.world.living() if i.active and not i.share.withdrawn]
    return [sim.themes.choice(found)] if found else []


async def _filled(sim: Simulation, import_: Import) -> None:
    """Run an import, and wait for the end of the run."""
    await _until_quiet(sim)
    await sim.api(import_.tenant, "POST", f"imports/{import_.id}/runs")
    await _until_quiet(sim)


async def _until_quiet(sim: Simulation) -> None:
    """Wait until no run is open, at most for a time."""
    for _ in range(_LOOKS):
        await asyncio.sleep(_LOOK_EVERY)
        if sim.host.nothing_open():
            return


def _leave_some_out(sim: Simulation, import_: Import) -> None:
    """Take half of the members out of the group that an import's share publishes."""
    share = import_.share
    members = sim.world.groups[share.group]
    sim.set_group(share.tenant, share.group, members[: max(1, len(members) // 2)])
    sim.world.touch(sim.now())


@contextmanager
def _started_twice(sim: Simulation) -> Iterator[None]:
    """Let each message that starts a run come a second time, and those of mailboxes late."""
    usual, slow = sim.queues.sends, {MAILBOX_CHECKS, MAILBOX_SYNCS, RUN_CLOSINGS}

    def send(queue: str, text: str, delay: float, lives: timedelta) -> Message:
        if queue in slow and not sim.adversary.calm:
            delay += sim.themes.choice((0.0, sim.themes.uniform(0.0, 2 * _LATEST_COPY)))
        if queue == IMPORT_RUNS and not sim.adversary.calm:
            sim.adversary.strikes["start twice"] += 1
            usual(queue, text, delay + sim.themes.uniform(_DURING_A_RUN[1], _LATEST_COPY), lives)
        return usual(queue, text, delay, lives)

    with sim.queues.sending(send):
        yield


@contextmanager
def _closings_twice(sim: Simulation) -> Iterator[None]:
    """Let the first few messages that close runs come a second time, a little later."""
    usual, left = sim.queues.sends, _COPIES

    def send(queue: str, text: str, delay: float, lives: timedelta) -> Message:
        nonlocal left
        if queue == RUN_CLOSINGS and left and not sim.adversary.calm:
            left -= 1
            sim.adversary.strikes["closing twice"] += 1
            usual(queue, text, delay + sim.themes.uniform(1.0, _LATEST_COPY), lives)
        return usual(queue, text, delay, lives)

    with sim.queues.sending(send):
        yield


async def _patch(sim: Simulation, import_: Import, body: object) -> None:
    await sim.api(import_.tenant, "PATCH", f"imports/{import_.id}", body)
