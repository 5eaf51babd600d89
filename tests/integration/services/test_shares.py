"""Share operations that are interrupted between two writes are completed by a repeat."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from azure.data.tables.aio import TableServiceClient
from azure.storage.queue.aio import QueueServiceClient

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.ledger_rows import LedgerRows
from shared.adapters.storage.mailboxes.mailbox_state import MailboxStates
from shared.adapters.storage.models import ShareLocation
from shared.adapters.storage.queues import Queues
from shared.adapters.storage.records import Records
from shared.adapters.storage.snapshots import Snapshots
from shared.adapters.storage.store import COUNT_OF_OBJECTS, OWNER_ROW, Store
from shared.adapters.storage.tables.client import Tables
from shared.adapters.storage.tables.names import Table
from shared.domain.errors import Conflict, NotFound, Unavailable
from shared.domain.sharing.shares import MAX_RETIRED, ShareInput, Sources
from shared.services.idempotency import Execution
from shared.services.importing.run_book import RunBook
from shared.services.maintenance.sweeps import share_ids
from shared.services.sharing.revocations import Revocations
from shared.services.sharing.shares import Shares
from shared.services.sharing.subscribers import Subscribers
from shared.services.tenancy.ledger import Ledger
from shared.wiring.app import new_id
from tests.local.cloud import LocalCloud

WHEN = datetime(2026, 11, 23, 12, tzinfo=UTC)
WANTED = ShareInput(name="People", sources=Sources(all_users=True))


def now() -> datetime:
    return WHEN


def once() -> Execution:
    return Execution(new_id(), WHEN)


@pytest.fixture
async def store(cloud: LocalCloud) -> AsyncIterator[Store]:
    text = cloud.environment["AzureWebJobsStorage"]
    tables = Tables(TableServiceClient.from_connection_string(text))
    yield Store(tables)
    await tables.close()


@pytest.fixture
async def shares(cloud: LocalCloud, store: Store) -> AsyncIterator[Shares]:
    text = cloud.environment["AzureWebJobsStorage"]
    queues = Queues(QueueServiceClient.from_connection_string(text))
    yield Shares(
        store,
        now,
        Ledger(store, LedgerRows(store, new_id), now, new_id),
        Subscribers(
            store,
            MailboxStates(store.tables),
            now,
            Ledger(store, LedgerRows(store, new_id), now, new_id),
        ),
        Revocations(
            store,
            MailboxStates(store.tables),
            RunBook(store, queues, Snapshots(store.tables), now),
            now,
        ),
    )
    await queues.close()


@pytest.fixture
def same() -> Execution:
    return once()


@pytest.fixture
def caller() -> Caller:
    return Caller(str(uuid4()), "ada", "Ada", frozenset({"Admin"}))


async def outage(*_: object) -> None:
    message = "storage went away"
    raise Unavailable(message, 5.0)


def make_unavailable(records: Records[Any], method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, method, outage)


async def test_interrupted_creation_is_completed_by_a_repeat(
    store: Store, shares: Shares, caller: Caller, same: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as interrupted:
        make_unavailable(store.shares, "transact", interrupted)
        with pytest.raises(Unavailable):
            await shares.create(caller, WANTED, same)
    assert (await shares.page(caller, 10, None)).items == ()

    first = await shares.create(caller, WANTED, same)
    second = await shares.create(caller, WANTED, same)

    assert first == second
    assert len((await shares.page(caller, 10, None)).items) == 1
    for id_ in (first.value.id, first.value.share_id):
        located = await store.share_index.get(id_, OWNER_ROW)
        assert located is not None
        assert located.value == ShareLocation(publisher=caller.tenant, share=first.value.id)


async def test_interrupted_withdrawal_is_completed_by_a_repeat(
    store: Store, shares: Shares, caller: Caller, same: Execution, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = await shares.create(caller, WANTED, same)
    with monkeypatch.context() as interrupted:
        make_unavailable(store.shares, "transact", interrupted)
        with pytest.raises(Unavailable):
            await shares.withdraw(caller, share.value.id, None)

    await shares.withdraw(caller, share.value.id, None)

    with pytest.raises(NotFound):
        await shares.read(caller, share.value.id)
    for id_ in (share.value.id, share.value.share_id):
        located = await store.share_index.get(id_, OWNER_ROW)
        assert located is not None
        assert located.value.withdrawn == WHEN
    with pytest.raises(Conflict):
        await shares.create(caller, WANTED, same)


async def test_ledger_records_who_did_what(store: Store, shares: Shares, caller: Caller) -> None:
    share = await shares.create(caller, WANTED, once())
    await shares.withdraw(caller, share.value.id, None)

    entries = [entry.value async for entry in store.ledger.all(caller.tenant)]

    assert {entry.action for entry in entries} == {"share.created", "share.withdrawn"}
    assert {(entry.subject, entry.actor_name) for entry in entries} == {(share.value.id, "Ada")}


async def test_number_of_shares_is_limited_however_many_come_at_once(
    store: Store, shares: Shares, caller: Caller, same: Execution
) -> None:
    store.share_numbers.most = 3
    first = await shares.create(caller, WANTED, same)

    answers = await asyncio.gather(
        *(shares.create(caller, WANTED, once()) for _ in range(8)), return_exceptions=True
    )
    again = await shares.create(caller, WANTED, same)
    refused = [answer for answer in answers if isinstance(answer, Conflict)]
    assert (len(refused), {e.code for e in refused}) == (6, {"too_many_shares"})
    assert len((await shares.page(caller, 10, None)).items) == 3

    await shares.withdraw(caller, first.value.id, None)
    await shares.create(caller, WANTED, once())

    assert again.value.id == first.value.id
    assert await store.shares.count(caller.tenant) == 3


async def test_limit_counts_what_is_there_if_the_number_is_lost(
    store: Store, shares: Shares, caller: Caller
) -> None:
    await shares.create(caller, WANTED, once())
    await shares.create(caller, WANTED, once())
    await store.tables.delete(Table.SHARES, caller.tenant, f"{COUNT_OF_OBJECTS}count")
    store.share_numbers.most = 2

    with pytest.raises(Conflict, match="too_many_shares"):
        await shares.create(caller, WANTED, once())


async def test_sweep_keeps_the_ids_of_a_share_whose_withdrawal_was_refused(
    store: Store, shares: Shares, caller: Caller
) -> None:
    kept, gone = (
        await shares.create(caller, WANTED, once()),
        await shares.create(caller, WANTED, once()),
    )
    await shares.withdraw(caller, gone.value.id, None)
    for share in (kept.value.id, gone.value.id, gone.value.share_id):
        old = ShareLocation(
            publisher=caller.tenant,
            share=kept.value.id if share == kept.value.id else gone.value.id,
            withdrawn=WHEN - timedelta(days=200),
        )
        await store.share_index.upsert(share, OWNER_ROW, old)

    ids = {kept.value.id, gone.value.id, gone.value.share_id}
    rows = store.tables.rows(Table.SHARE_INDEX, "PartitionKey ge @p", {"p": ""})
    for step in await share_ids(store).steps([row async for row in rows if row.partition in ids]):
        await step.do()

    located = await store.share_index.get(kept.value.id, OWNER_ROW)
    assert located is not None
    assert located.value.withdrawn is None
    assert await store.share_index.get(gone.value.id, OWNER_ROW) is None
    assert await store.share_index.get(gone.value.share_id, OWNER_ROW) is None
    noted = {s.value.share async for s in store.share_ids.all(caller.tenant)}
    assert noted == {kept.value.id, kept.value.share_id}


async def test_oldest_share_id_ends_after_fifty_rotations(
    store: Store, shares: Shares, caller: Caller
) -> None:
    share = await shares.create(caller, WANTED, once())
    many = share.value.copy_with(retired=[f"{n:032x}" for n in range(MAX_RETIRED)])
    await store.shares.upsert(caller.tenant, share.value.id, many)
    await store.share_index.upsert(f"{0:032x}", OWNER_ROW, ShareLocation(publisher="p"))

    made = (await shares.rotate(caller, share.value.id, None, once())).value

    assert len(made.retired) == MAX_RETIRED
    assert made.retired[-1] == share.value.share_id
    assert await store.share_index.get(f"{0:032x}", OWNER_ROW) is None
