"""Share operations that are interrupted between two writes are completed by a repeat."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from azure.data.tables.aio import TableServiceClient
from azure.storage.queue.aio import QueueServiceClient

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.ledger_rows import LedgerRows
from shared.adapters.storage.mailbox_state import MailboxStates
from shared.adapters.storage.models import ShareLocation
from shared.adapters.storage.queues import Queues
from shared.adapters.storage.records import Records
from shared.adapters.storage.snapshots import Snapshots
from shared.adapters.storage.store import OWNER_ROW, Store
from shared.adapters.storage.tables.client import Tables
from shared.domain.errors import Conflict, NotFound, Unavailable
from shared.domain.sharing.shares import ShareInput, Sources
from shared.services.idempotency import Idempotency
from shared.services.importing.run_book import RunBook
from shared.services.sharing import shares as shares_module
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
        Idempotency(store, now, new_id),
        Ledger(store, LedgerRows(store, new_id), now, new_id),
        Subscribers(store, now),
        Revocations(
            store,
            MailboxStates(store.tables),
            RunBook(store, queues, Snapshots(store.tables), now),
            now,
        ),
    )
    await queues.close()


@pytest.fixture
def caller() -> Caller:
    return Caller(str(uuid4()), "ada", "Ada", frozenset({"Admin"}))


async def outage(*_: object) -> None:
    message = "storage went away"
    raise Unavailable(message, 5.0)


def make_unavailable(records: Records[Any], method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, method, outage)


async def test_interrupted_creation_is_completed_by_a_repeat(
    store: Store, shares: Shares, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as interrupted:
        make_unavailable(store.shares, "insert", interrupted)
        with pytest.raises(Unavailable):
            await shares.create(caller, WANTED, "key")
    assert (await shares.page(caller, 10, None)).items == ()

    first = await shares.create(caller, WANTED, "key")
    second = await shares.create(caller, WANTED, "key")

    assert first == second
    assert len((await shares.page(caller, 10, None)).items) == 1
    located = await store.share_index.get(first.value.id, OWNER_ROW)
    assert located is not None
    assert located.value == ShareLocation(publisher=caller.tenant)


async def test_interrupted_withdrawal_is_completed_by_a_repeat(
    store: Store, shares: Shares, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    share = await shares.create(caller, WANTED, "key")
    with monkeypatch.context() as interrupted:
        make_unavailable(store.shares, "delete", interrupted)
        with pytest.raises(Unavailable):
            await shares.withdraw(caller, share.value.id, None)

    await shares.withdraw(caller, share.value.id, None)

    with pytest.raises(NotFound):
        await shares.read(caller, share.value.id)
    located = await store.share_index.get(share.value.id, OWNER_ROW)
    assert located is not None
    assert located.value.withdrawn == WHEN
    with pytest.raises(Conflict):
        await shares.create(caller, WANTED, "key")


async def test_ledger_records_who_did_what(store: Store, shares: Shares, caller: Caller) -> None:
    share = await shares.create(caller, WANTED)
    await shares.withdraw(caller, share.value.id, None)

    entries = [entry.value async for entry in store.ledger.all(caller.tenant)]

    assert {entry.action for entry in entries} == {"share.created", "share.withdrawn"}
    assert {(entry.subject, entry.actor_name) for entry in entries} == {(share.value.id, "Ada")}


async def test_number_of_shares_per_tenant_is_limited(
    shares: Shares, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shares_module, "MAX_SHARES", 2)
    first = await shares.create(caller, WANTED, "key")
    await shares.create(caller, WANTED)

    with pytest.raises(Conflict, match="too_many_shares"):
        await shares.create(caller, WANTED)
    again = await shares.create(caller, WANTED, "key")
    await shares.withdraw(caller, first.value.id, None)
    await shares.create(caller, WANTED)

    assert again.value.id == first.value.id


@pytest.mark.parametrize("at", ["subscribers.upsert", "shares.delete"])
async def test_interrupted_rotation_is_completed_by_a_repeat_with_one_new_id(
    store: Store, shares: Shares, caller: Caller, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    table, method = at.split(".")
    old = await shares.create(caller, WANTED)
    subscribers = Subscribers(store, now)
    await subscribers.note(caller.tenant, old.value.id, "stays", "i1", 3)
    await subscribers.note(caller.tenant, old.value.id, "goes", "i2", 4)
    with monkeypatch.context() as interrupted:
        make_unavailable(getattr(store, table), method, interrupted)
        with pytest.raises(Unavailable):
            await shares.rotate(caller, old.value.id, ["stays"])

    new = await shares.rotate(caller, old.value.id, ["stays"])

    listed = await shares.page(caller, 10, None)
    assert [stored.value.id for stored in listed.items] == [new.value.id]
    found = await subscribers.of(caller.tenant, new.value.id)
    assert [(c.tenant, c.mailboxes) for c in found] == [("stays", 3)]
    assert await subscribers.of(caller.tenant, old.value.id) == []
    location = await store.share_index.get(old.value.id, "owner")
    assert location is not None
    assert (location.value.moved_to, location.value.keep) == (new.value.id, ["stays"])
