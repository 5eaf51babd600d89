"""Runs in order: late messages, removals during a fill, kills, time limits, and what work costs."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from shared.domain.contacts.fields import Contact
from shared.domain.errors import Busy, OutOfTime, TransientError
from shared.domain.importing.messages import SyncMailbox, Task
from shared.domain.importing.runs import Outcome
from shared.domain.reasons import Reason
from tests.integration.engine.box import Box, assert_holds_exactly
from tests.integration.engine.engine import UNLIMITED, Engine, contact
from tests.local.cloud import LocalCloud
from tests.world import World

KILLED_FILL = int(os.environ.get("KILLED_FILL", "1500"))
"""Contacts of the first fill whose workers are killed; 10,000 takes minutes."""
_SNAPSHOT_READS = 4
"""Meta and one row each of contacts and job; a worker keeps them for all mailboxes of its run."""


@pytest.fixture
async def engine(cloud: LocalCloud) -> AsyncIterator[Engine]:
    async with Engine(cloud.environment) as made:
        yield made


class Import:
    """One import in a new mailbox of the world's tenant."""

    def __init__(self, engine: Engine, world: World, id_: str) -> None:
        self.engine = engine
        self.world = world
        self.id = id_
        self.place = (world.tenant, id_, world.targets[0])

    async def publish(self, share: dict[str, Contact]) -> SyncMailbox:
        return await self.engine.publish(*self.place, list(share.values()))

    async def remove(self) -> SyncMailbox:
        """Open a removal run, which supersedes any other."""
        return (await self.publish({})).copy_with(task=Task.REMOVE)

    async def look(self) -> Box:
        return await Box.look(self.world.client, self.world.tenant, self.world.targets[0])

    async def known(self) -> bool:
        """Whether a removal would visit the mailbox."""
        return bool(await self.engine.mailboxes(self.world.tenant, self.id))

    async def end(self, message: SyncMailbox, of_graph: int = UNLIMITED) -> int:
        """Deliver a message until it ends, killing each worker; return the requests to Graph."""
        spent = 0
        for _ in range(60):
            try:
                await self.engine.run(message, of_graph=of_graph)
            except TransientError as error:
                self.engine.now += timedelta(seconds=error.retry_after)
            spent += self.engine.of_graph.used
            if self.engine.of_graph.left > 0 and await self.engine.result(message) is not None:
                return spent
            self.engine.now += timedelta(minutes=11)
            # The simulator's window of ten minutes ends too; it forgets when it is reset.
            await self.world.client.reset_requests()
        raise AssertionError


async def new_import(engine: Engine, world: World, folder: str | None = "Contact Sync") -> Import:
    other = await World.create(world.client, people=0, targets=1)
    await world.client.add_contact(other.tenant, other.targets[0], displayName="Oma")
    return Import(engine, other, await engine.add_import(other.tenant, other.targets[0], folder))


def share_of(count: int, **more: str) -> dict[str, Contact]:
    keys = [f"u-{number:05d}" for number in range(count)]
    return {key: contact(key, {"displayName": f"Person {key}", **more}) for key in keys}


async def test_late_message_of_an_older_run_changes_nothing(engine: Engine, world: World) -> None:
    one = await new_import(engine, world)
    older = await one.publish(share_of(5))
    await one.end(older)
    late = await one.publish(share_of(5))
    newer = await one.publish(share_of(3))
    await one.end(newer)
    for message in (late, older):
        await engine.run(message)
        assert_holds_exactly(await one.look(), one.id, share_of(3))
    assert await engine.result(late) is None
    result = await engine.result(newer)
    assert result is not None
    assert (await engine.run(await one.publish(share_of(3)))) > 0
    assert_holds_exactly(await one.look(), one.id, share_of(3))


async def test_late_message_leaves_no_trace_in_a_new_mailbox(engine: Engine, world: World) -> None:
    one = await new_import(engine, world)
    late = await one.publish(share_of(5))
    await one.publish(share_of(5))
    await engine.run(late)
    assert (await one.look()).contacts(one.id) == []
    assert not await one.known()
    assert await engine.result(late) is None


async def test_removal_after_a_crash_at_any_request_of_a_first_fill_leaves_nothing(
    engine: Engine, world: World
) -> None:
    probe = await new_import(engine, world)
    whole = await engine.run(await probe.publish(share_of(25)))
    for k in range(1, whole + 1):
        one = await new_import(engine, world)
        fill = await one.publish(share_of(25))
        await engine.run(fill, k)
        if not await one.known():
            assert (await one.look()).contacts(one.id) == []
            continue
        removal = await one.remove()
        engine.now += timedelta(minutes=11)
        await one.end(removal)
        await engine.run(fill)
        assert (await one.look()).contacts(one.id) == []
        assert not await one.known()
        assert await engine.rows_of_contacts(*one.place) == []


async def test_removal_that_takes_over_an_expired_lease_looks_again_one_lease_later(
    engine: Engine, world: World
) -> None:
    one = await new_import(engine, world)
    fill = await one.publish(share_of(45))
    await engine.run(fill, of_graph=4)
    assert (await one.look()).contacts(one.id)
    removal = await one.remove()
    engine.now += timedelta(minutes=6)
    with pytest.raises(Busy) as given_back:
        await engine.run(removal)
    assert (await one.look()).contacts(one.id) == []
    assert await one.known()
    assert await engine.result(removal) is None
    assert 200 < given_back.value.retry_after <= 300
    engine.now += timedelta(seconds=given_back.value.retry_after + 1)
    await engine.run(removal)
    result = await engine.result(removal)
    assert result is not None
    assert result.contacts.deleted > 0
    assert not await one.known()


async def test_unanswered_request_lets_the_lease_run_out(engine: Engine, world: World) -> None:
    one = await new_import(engine, world)
    fill = await one.publish(share_of(5))
    tenant = one.world.tenant
    # The first batch reads.
    await world.client.fault(r"^/\$batch", {"drop": "after"}, after=1, times=1, tenant=tenant)
    await one.end(fill)
    again = await one.publish(share_of(6))
    with pytest.raises(Busy):
        await engine.run(again)
    engine.now += timedelta(minutes=6)
    await one.end(again)
    assert_holds_exactly(await one.look(), one.id, share_of(6))


async def test_newer_run_stops_a_long_fill_at_its_next_checkpoint(
    engine: Engine, world: World
) -> None:
    one = await new_import(engine, world)
    await world.client.latency(5)
    fill = await one.publish(share_of(600))
    worker = asyncio.create_task(engine.run(fill))
    async with asyncio.timeout(60):
        while not (await one.look()).contacts(one.id):  # noqa: ASYNC110 - the simulator tells
            await asyncio.sleep(0.05)
    removal = await one.remove()
    await worker
    await world.client.latency(0)
    assert 0 < len((await one.look()).contacts(one.id)) < 600
    assert await engine.result(fill) is None
    assert await one.known()
    await one.end(removal)
    assert (await one.look()).contacts(one.id) == []
    assert not await one.known()


async def test_worker_gives_its_message_back_after_four_minutes_with_its_progress(
    engine: Engine, world: World
) -> None:
    one, share = await new_import(engine, world), share_of(200)
    message = await one.publish(share)
    engine.tick = timedelta(seconds=25)
    tries = 0
    while await engine.result(message) is None:
        tries += 1
        with contextlib.suppress(OutOfTime):
            await engine.run(message)
    engine.tick = timedelta()
    assert 1 < tries < 10
    assert_holds_exactly(await one.look(), one.id, share)
    result = await engine.result(message)
    assert result is not None
    assert result.contacts.created == 200


async def test_kills_cost_little_and_every_first_fill_ends(engine: Engine, world: World) -> None:
    share = share_of(KILLED_FILL)
    calm = await new_import(engine, world)
    without = await calm.end(await calm.publish(share))
    one = await new_import(engine, world)
    spent = await one.end(await one.publish(share), of_graph=70)
    assert_holds_exactly(await one.look(), one.id, share)
    assert spent <= 1.3 * without, (spent, without)


async def test_changed_mailbox_costs_ten_table_operations_whatever_it_holds(
    engine: Engine, world: World
) -> None:
    """Each operation has its reason.

    Lease read and written, head, intent, state of the runs, contacts, journal row, head, result,
    lease given back.
    """
    for count in (30, 700):
        one = await new_import(engine, world)
        await one.end(await one.publish(share_of(count)))
        changed = {**share_of(count), "u-00000": contact("u-00000", {"displayName": "New"})}
        message = await one.publish(changed)
        used = await engine.run(message)
        result = await engine.result(message)
        assert result is not None
        assert (result.outcome, result.contacts.updated) == (Outcome.SUCCEEDED, 1)
        assert used - engine.of_graph.used - _SNAPSHOT_READS <= 10


async def test_purge_removes_a_person_also_where_our_state_does_not_know_the_contact(
    engine: Engine, world: World
) -> None:
    one = await new_import(engine, world)
    fill = await one.publish(share_of(30))
    await engine.run(fill, of_graph=4)  # killed: some contacts are in the mailbox only
    engine.now += timedelta(minutes=11)
    present = sorted((await one.look()).by_key(one.id))
    assert present
    purge = await engine.purge(*one.place, frozenset({present[0], "u-00999"}))
    await one.end(purge)
    assert sorted((await one.look()).by_key(one.id)) == present[1:]
    result = await engine.result(purge)
    assert result is not None
    assert (result.outcome, result.contacts.deleted) == (Outcome.SUCCEEDED, 1)
    await one.end(await one.publish(share_of(30)))
    assert_holds_exactly(await one.look(), one.id, share_of(30))


async def test_purge_completes_after_a_crash_at_any_request(engine: Engine, world: World) -> None:
    async def filled() -> tuple[Import, SyncMailbox]:
        one = await new_import(engine, world)
        await one.end(await one.publish(share_of(5)))
        return one, await engine.purge(*one.place, frozenset({"u-00000"}))

    _, purge = await filled()
    for k in range(1, await engine.run(purge) + 1):
        one, purge = await filled()
        await engine.run(purge, k)
        engine.now += timedelta(minutes=11)
        await one.end(purge)
        left = {key: value for key, value in share_of(5).items() if key != "u-00000"}
        assert_holds_exactly(await one.look(), one.id, left)
        await one.end(await one.publish(left))
        assert_holds_exactly(await one.look(), one.id, left)


async def test_journal_is_folded_and_leaves_no_rows_behind(engine: Engine, world: World) -> None:
    one = await new_import(engine, world)
    for day in range(43):
        changed = {**share_of(5), "u-00000": contact("u-00000", {"displayName": f"Day {day}"})}
        await one.end(await one.publish(changed))
    rows = await engine.rows_of_contacts(*one.place)
    assert 1 <= len(rows) <= 4, rows
    assert_holds_exactly(await one.look(), one.id, changed)


async def test_removal_remembers_a_mailbox_that_does_not_exist_for_35_days(
    engine: Engine, world: World
) -> None:
    one = await new_import(engine, world)
    await one.end(await one.publish(share_of(5)))
    user = {"id": one.world.targets[0], "displayName": "Gone", "mail": None, "mailbox": False}
    await world.client.change_tenant(one.world.tenant, users=[user])
    for day in (0, 30, 36):
        engine.now += timedelta(days=day) if day else timedelta()
        removal = await one.remove()
        await engine.run(removal)
        result = await engine.result(removal)
        assert result is not None
        assert (result.outcome, result.reason) == (Outcome.SKIPPED, Reason.NO_MAILBOX)
        assert await one.known() == (day < 36)


async def test_refused_contacts_are_counted_and_a_hundred_are_listed(
    engine: Engine, world: World
) -> None:
    one = await new_import(engine, world)
    message = await one.publish(share_of(150))
    tenant = one.world.tenant
    await world.client.fault("/contacts$", {"status": 400}, times=10_000, tenant=tenant)
    await one.end(message)
    await world.client.clear_faults()
    result = await engine.result(message)
    assert result is not None
    assert (len(result.rejected), result.rejected_count) == (100, 150)
