"""Seats under contention: runs of several imports assign and release at once, in any order."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, cast
from unittest.mock import patch

import pytest
from azure.data.tables.aio import TableServiceClient
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.adapters.storage.store import SEATS_ROW, TENANT_ROW, Store
from shared.adapters.storage.tables.client import Tables
from shared.adapters.storage.tables.names import Table
from shared.domain.errors import PreconditionFailed, Unavailable
from shared.domain.importing.import_life import ImportRuns, OpenRun
from shared.domain.importing.messages import RunMessage
from shared.domain.importing.runs import RunTrigger
from shared.domain.tenancy.licensing import Terms
from shared.domain.tenancy.tenants import Tenant
from shared.services.licensing.seats import SeatBook
from shared.services.sync.mailbox_work import LEASE
from tests.simulation.runtime.loop import SimulatedLoop
from tests.simulation.runtime.workers import START
from tests.simulation.storage.clients import TableService
from tests.simulation.storage.tables import TableStore

TENANT: Final = "tenant"
IMPORTS: Final = ("a", "b", "c")
NOW: Final = START + timedelta(days=100)
TERMS: Final = Terms(timedelta(days=30), timedelta(days=14))
MAILBOXES: Final = st.frozensets(st.sampled_from([f"m{n}" for n in range(8)]))


@dataclass(frozen=True, slots=True)
class Wish:
    """What a run wants: seats for some mailboxes, of which some turn out not to exist."""

    mailboxes: frozenset[str]
    missing: frozenset[str]
    twice: bool


NOTHING: Final = Wish(frozenset(), frozenset(), twice=False)
GONE: Final = Wish(frozenset({"m0"}), frozenset({"m0"}), twice=False)
WISHES: Final = st.lists(st.builds(Wish, MAILBOXES, MAILBOXES, st.booleans()), max_size=3)


class Slow:
    """A connection on which each call takes a random time, before and after its effect."""

    def __init__(self, rng: random.Random, checked: Callable[[], None]) -> None:
        self._rng = rng
        self._checked = checked

    async def call[T](self, name: str, effect: Callable[[], T]) -> T:
        del name
        await asyncio.sleep(self._rng.random())
        try:
            return effect()
        finally:
            self._checked()
            await asyncio.sleep(self._rng.random())

    def page_size(self, size: int) -> int:
        return min(size, 3)


class Seats:
    """The seats of a tenant in memory, with a book that many runs use at once."""

    def __init__(self, seed: int, booked: int) -> None:
        self.booked = booked
        self.memory = TableStore(lambda: NOW)
        line = Slow(random.Random(seed), self.check)
        self.rng = random.Random(seed + 1)
        self.store = Store(Tables(cast("TableServiceClient", TableService(self.memory, line))))
        self.book = SeatBook(self.store, lambda: NOW, TERMS)

    async def prepare(self, newest: dict[str, int]) -> None:
        owner = Tenant(id=TENANT, joined=START, booked=self.booked, trial_started=START)
        await self.store.tenants.insert(TENANT, TENANT_ROW, owner)
        for import_id, number in newest.items():
            run = OpenRun(
                id=f"r{number}",
                trigger=RunTrigger.REQUEST,
                queued=NOW,
                number=number,
                sent=NOW,
                progressed=NOW,
            )
            state = ImportRuns(import_id=import_id, sequence=number, open=run)
            await self.store.import_runs.insert(TENANT, import_id, state)

    async def work(self, import_id: str, number: int, wish: Wish) -> None:
        """Do what a run does, sooner or later."""
        await asyncio.sleep(self.rng.uniform(0, 20))
        run = RunMessage(tenant=TENANT, import_id=import_id, run=f"r{number}", number=number)
        for _ in range(2 if wish.twice else 1):
            await self.book.serve(run, wish.mailboxes)
            for mailbox in sorted(wish.missing):
                await self.book.release(run, mailbox)

    def rows(self) -> dict[str, dict[str, Any]]:
        table = self.memory.tables.get(Table.SEATS)
        found = table.rows if table is not None else {}
        return {row: dict(one.properties) for (_, row), one in found.items()}

    def check(self) -> None:
        """The count is that of the rows, and no more seats are assigned than are booked."""
        rows = self.rows()
        seats = [row for name, row in rows.items() if not name.startswith("~")]
        assigned = [row for row in seats if '"waiting":null' in row["body00"]]
        count = rows.get(f"~{SEATS_ROW}", {"body00": '{"wanted":0}'})["body00"]
        assert count == f'{{"wanted":{len(seats)}}}'
        assert len(assigned) <= self.booked


def run_simulated(script: Coroutine[Any, Any, None]) -> None:
    loop = SimulatedLoop()
    try:
        loop.finish(script)
    finally:
        loop.close()


class Fast(random.Random):
    """Lets each call of storage take twenty milliseconds."""

    def random(self) -> float:
        return 0.01


def test_seat_of_one_mailbox_is_given_up_long_before_its_lease_ends() -> None:
    async def changing(*_: object) -> None:
        raise PreconditionFailed("changed_meanwhile")

    async def script() -> None:
        seats = Seats(1, 10)
        line = Slow(Fast(), seats.check)
        store = Store(Tables(cast("TableServiceClient", TableService(seats.memory, line))))
        seats.book = SeatBook(store, lambda: NOW, TERMS)
        await seats.prepare({"a": 1})
        begun = asyncio.get_running_loop().time()
        run = RunMessage(tenant=TENANT, import_id="a", run="r1", number=1)
        with patch.object(SeatBook, "_transact", changing), pytest.raises(Unavailable):
            await seats.book.add(run, "m1")
        assert asyncio.get_running_loop().time() - begun < LEASE.total_seconds() / 10

    run_simulated(script())


@settings(max_examples=60, deadline=None)
@example(
    wishes={"a": [NOTHING] * 3, "b": [NOTHING] * 3, "c": [NOTHING, GONE, NOTHING]},
    booked=0,
    seed=3_253_950,
)
@given(
    wishes=st.fixed_dictionaries(dict.fromkeys(IMPORTS, WISHES)),
    booked=st.integers(0, 9),
    seed=st.integers(0, 1 << 32),
)
def test_seats_are_counted_once_however_runs_interleave(
    wishes: dict[str, list[Wish]], booked: int, seed: int
) -> None:
    async def script() -> None:
        seats = Seats(seed, booked)
        await seats.prepare({i: len(wishes[i]) for i in IMPORTS})
        works = [
            seats.work(import_id, number, wish)
            for import_id in IMPORTS
            for number, wish in enumerate(wishes[import_id], 1)
        ]
        await asyncio.gather(*works, seats.book.settle(TENANT))
        await seats.book.settle(TENANT)
        wanted = {i: wishes[i][-1].mailboxes - wishes[i][-1].missing for i in IMPORTS if wishes[i]}
        found = {s.value.mailbox: s.value async for s in seats.store.seats.all(TENANT)}
        claims = {i: {m for m, s in found.items() if i in s.imports} for i in wanted}
        assert claims == wanted
        assert found.keys() == frozenset[str]().union(*wanted.values())
        assert await seats.book.wanted(TENANT) == len(found)
        assigned = [s for s in found.values() if s.waiting is None]
        assert len(assigned) == min(booked, len(found))

    run_simulated(script())


def test_late_message_of_an_older_run_releases_nothing() -> None:
    async def script() -> None:
        seats = Seats(0, booked=9)
        await seats.prepare({"a": 2})
        older, newer = (
            RunMessage(tenant=TENANT, import_id="a", run=f"r{n}", number=n) for n in (1, 2)
        )
        await seats.book.serve(older, ["m1"])
        await seats.book.serve(newer, ["m1", "m2"])

        late = await seats.book.serve(older, ["m1", "m3"])
        await seats.book.release(older, "m2")

        assert late.served == {"m1"}
        assert seats.rows().keys() == {"m1", "m2", f"~{SEATS_ROW}", "~import|a"}

    run_simulated(script())


def test_run_that_decides_after_its_import_was_deleted_leaves_no_seats() -> None:
    async def script() -> None:
        seats = Seats(0, booked=9)
        await seats.prepare({})
        run = RunMessage(tenant=TENANT, import_id="a", run="r1", number=1)

        await seats.book.serve(run, ["m1"])

        assert not seats.rows()

    run_simulated(script())


def test_thousand_mailboxes_take_seats_in_several_transactions() -> None:
    async def script() -> None:
        seats = Seats(0, booked=250)
        await seats.prepare({"a": 1})
        run = RunMessage(tenant=TENANT, import_id="a", run="r1", number=1)
        mailboxes = [f"m{n:04}" for n in range(1_000)]

        given_seats = await seats.book.serve(run, mailboxes)

        assert given_seats.served == set(mailboxes[:250])
        assert await seats.book.wanted(TENANT) == 1_000

    run_simulated(script())
