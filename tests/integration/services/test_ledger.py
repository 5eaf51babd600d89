"""The ledger as a program copies it: by number, with a cursor that misses nothing."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, cast

import pytest
from azure.data.tables.aio import TableServiceClient

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.ledger_rows import SETTLED, LedgerRows
from shared.adapters.storage.store import Store
from shared.adapters.storage.tables.client import Tables
from shared.adapters.storage.tables.continuation import opaque
from shared.adapters.storage.tenant_data import TenantData
from shared.domain.errors import InvalidInput
from shared.domain.tenancy.tenants import LedgerAction, LedgerEntry
from shared.services.tenancy.ledger import Ledger, LedgerFilter
from shared.services.tenancy.reads import MOST_SUBJECTS, Reads
from tests.simulation.storage.clients import DirectLine, TableService
from tests.simulation.storage.tables import TableStore

ADA = Caller("contoso", "ada", "Ada Admin", frozenset({"Admin"}))
ALL = LedgerFilter()
NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


class LossyLine(DirectLine):
    """A line on which some answers are lost, and the SDK's next try meets its own effect."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    async def call[T](self, name: str, effect: Callable[[], T]) -> T:
        await asyncio.sleep(0)
        answer = effect()
        lost = name.startswith("transaction") and self._random.random() < 0.3
        return effect() if lost else answer


class Instances:
    """Instances of the app that share storage, each with a clock of its own."""

    def __init__(self, line: DirectLine | None = None, skews: tuple[float, ...] = (0.0,)) -> None:
        self.now = NOW
        self._numbers = count()
        service = TableService(TableStore(lambda: self.now), line or DirectLine())
        tables = Tables(cast("TableServiceClient", service))
        self.data = TenantData(tables)
        self.stores = [Store(tables) for _ in skews]
        self.ledgers = list(map(self._ledger, self.stores, skews))

    def _ledger(self, store: Store, skew: float) -> Ledger:
        def new_id() -> str:
            return f"{next(self._numbers):08d}{'0' * 24}"

        rows = LedgerRows(store, new_id)
        return Ledger(store, rows, lambda: self.now + timedelta(seconds=skew), new_id)

    async def write(self, number: int, by: int = 0) -> None:
        async with self.ledgers[by].change(ADA, LedgerAction.SHARE_CHANGED, f"s{number}"):
            await asyncio.sleep(0)

    async def poll(
        self, cursor: str | None, size: int = 100, wanted: LedgerFilter = ALL
    ) -> tuple[list[LedgerEntry], str]:
        page = await self.ledgers[0].after(ADA, size, cursor, wanted)
        assert page.token is not None
        return [stored.value for stored in page.items], page.token


async def refusal(poll: Any) -> str:
    with pytest.raises(InvalidInput) as refused:
        await poll
    return refused.value.errors[0].code


@pytest.mark.parametrize("seed", range(5))
async def test_poller_gets_each_entry_once_whatever_the_clocks_of_its_writers_say(
    seed: int,
) -> None:
    instances = Instances(LossyLine(seed), skews=(0.0, -7200.0, 900.0))
    seen: list[LedgerEntry] = []
    cursor: str | None = None
    made: list[int] = []

    async def write(number: int) -> None:
        try:
            await instances.write(number, number % 3)
        except Exception:  # noqa: BLE001 - a change that could not be recorded was not made
            return
        made.append(number)

    async def poll() -> None:
        nonlocal cursor
        for _ in range(60):
            found, cursor = await instances.poll(cursor, size=3)
            seen.extend(found)
            await asyncio.sleep(0)

    await asyncio.gather(poll(), *(write(number) for number in range(40)))
    instances.now += 2 * SETTLED
    while found := (await instances.poll(cursor))[0]:
        seen.extend(found)
        _, cursor = await instances.poll(cursor)

    assert len({entry.id for entry in seen}) == len(seen)
    assert [entry.number for entry in seen] == sorted(entry.number for entry in seen)
    assert {f"s{number}" for number in made} <= {entry.subject for entry in seen if entry.done}
    assert cursor == (await instances.poll(cursor))[1]


async def test_entry_appears_when_its_change_has_ended_and_holds_back_those_after_it() -> None:
    instances = Instances()
    ledger = instances.ledgers[0]
    async with ledger.change(ADA, LedgerAction.SHARE_CREATED, "s1") as entry:
        await instances.write(2)
        during, cursor = await instances.poll(None, wanted=LedgerFilter(subject="s9"))
        entry.subject = "s9"

    after, cursor = await instances.poll(cursor, wanted=LedgerFilter(subject="s9"))
    everything, _ = await instances.poll(None)

    assert during == []
    assert [e.subject for e in after] == ["s9"]
    assert [(e.subject, e.done) for e in everything] == [("s9", True), ("s2", True)]


async def test_refused_change_is_never_seen_and_one_that_died_is_seen_as_not_done() -> None:
    instances = Instances()
    ledger = instances.ledgers[0]
    with pytest.raises(RuntimeError):
        async with ledger.change(ADA, LedgerAction.SHARE_CREATED, "refused"):
            raise RuntimeError
    with pytest.raises(asyncio.CancelledError):
        async with ledger.change(ADA, LedgerAction.SHARE_CREATED, "killed"):
            raise asyncio.CancelledError
    soon, cursor = await instances.poll(None)
    instances.now += SETTLED

    later, _ = await instances.poll(cursor)

    assert soon == []
    assert [(e.subject, e.done) for e in later] == [("killed", False)]


async def test_filter_moves_the_cursor_past_what_it_leaves_out() -> None:
    instances = Instances()
    for number in range(30):
        await instances.write(number)

    found, cursor = await instances.poll(None, 2, LedgerFilter(subject="s20"))

    assert [e.subject for e in found] == ["s20"]
    assert (await instances.poll(cursor, 100))[0] == []


async def test_reading_is_noted_once_an_hour_for_each_subject_and_never_floods_the_ledger() -> None:
    instances = Instances()
    reads = Reads(instances.stores[0], instances.ledgers[0], lambda: instances.now)
    grace = Caller("contoso", "grace", "Grace", frozenset({"Reader"}))

    for _ in range(3):
        await reads.note(ADA, LedgerAction.PREVIEWED, "share")
        await reads.note(grace, LedgerAction.PREVIEWED, "share")
    for number in range(500):
        await reads.note(grace, LedgerAction.PERSON_READ, f"p{number}")
    await reads.note(ADA, LedgerAction.PERSON_READ, "=HYPERLINK(1)")
    await reads.signed_in(ADA)
    first, cursor = await instances.poll(None, 1_000)
    instances.now += timedelta(hours=1)
    await reads.note(ADA, LedgerAction.PREVIEWED, "share")
    later, _ = await instances.poll(cursor)

    counts = Counter((e.actor, e.action) for e in first)
    assert counts == {
        ("ada", "access.previewed"): 1,
        ("grace", "access.previewed"): 1,
        ("grace", "access.person"): MOST_SUBJECTS + 1,
        ("ada", "access.person"): 1,
    }
    assert [e.subject for e in first[-2:]] == ["more", "more"]
    assert [e.action for e in later] == ["access.previewed"]


async def test_cursor_is_too_old_after_retention_or_leaving_and_an_invented_one_is_foreign() -> (
    None
):
    instances = Instances()
    ledger = instances.ledgers[0]
    _, empty = await instances.poll(None)
    await instances.write(1)
    _, first = await instances.poll(None)
    await instances.write(2)
    instances.now += timedelta(days=366)
    await instances.write(3)

    await ledger.sweep(ADA.tenant, instances.now - timedelta(days=365))

    assert await refusal(instances.poll(first)) == "cursor_too_old"
    assert await refusal(instances.poll(empty)) == "cursor_too_old"
    left, latest = await instances.poll(None)
    assert [e.subject for e in left] == ["s3"]
    assert (await instances.poll(latest))[0] == []

    async def go_on() -> None:
        await asyncio.sleep(0)

    await instances.data.erase(ADA.tenant, "", go_on)
    assert await refusal(instances.poll(latest)) == "cursor_too_old"
    await instances.write(4)
    assert await refusal(instances.poll(latest)) == "cursor_too_old"
    assert [e.subject for e in (await instances.poll(None))[0]] == ["s4"]
    for invented in ("x", "\ud800", opaque(["a"]), opaque(["a", -1]), opaque(["a", True])):
        assert await refusal(instances.poll(invented)) == "token_foreign"
    for foreign in (opaque(["a", 10**30]), opaque(["", 1])):
        assert await refusal(instances.poll(foreign)) == "cursor_too_old"
