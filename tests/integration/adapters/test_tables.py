"""Tables on Azurite: ETags, pages, sizes, keys and errors."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

import pytest
from azure.data.tables.aio import TableServiceClient
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.storage.models import ShareLocation
from shared.adapters.storage.records import Records
from shared.adapters.storage.store import OWNER_ROW, Store
from shared.adapters.storage.tables.client import (
    BYTES_PER_ROW,
    Row,
    Tables,
    pack_bytes,
    unpack_bytes,
)
from shared.adapters.storage.tables.conditions import Condition
from shared.adapters.storage.tables.names import Table
from shared.adapters.storage.tables.transactions import (
    DeleteRow,
    InsertRow,
    Operation,
    ReplaceRow,
    UpsertRow,
)
from shared.domain.errors import Conflict, Defect, InvalidInput, PreconditionFailed, Unavailable
from shared.domain.model import Model
from shared.domain.tenancy.tenants import Seat
from tests.local.cloud import LocalCloud
from tests.local.ports import free_port

WHEN = datetime(2026, 11, 23, 12, tzinfo=UTC)
TABLE = Table.LEASES


class Note(Model):
    text: str


@pytest.fixture
async def tables(cloud: LocalCloud) -> AsyncIterator[Tables]:
    text = cloud.environment["AzureWebJobsStorage"]
    opened = Tables(TableServiceClient.from_connection_string(text))
    yield opened
    await opened.close()


@pytest.fixture
def partition() -> str:
    """A separate partition for each test."""
    return uuid4().hex


async def test_row_is_read_as_it_was_written(tables: Tables, partition: str) -> None:
    columns = {"text": "Ä😀\n'", "number": 7, "flag": True, "when": WHEN, "data": b"\x00\xff"}

    etag = await tables.insert(TABLE, partition, "row", columns)

    found = await tables.get(TABLE, partition, "row")
    assert found is not None
    assert (dict(found.columns), found.etag) == (columns, etag)
    assert await tables.get(TABLE, partition, "other") is None
    assert await tables.get(cast("Table", f"T{partition}"), partition, "row") is None


async def test_second_insert_of_a_row_raises_conflict(tables: Tables, partition: str) -> None:
    await tables.insert(TABLE, partition, "row", {"n": 1})

    with pytest.raises(Conflict):
        await tables.insert(TABLE, partition, "row", {"n": 2})

    found = await tables.get(TABLE, partition, "row")
    assert found is not None
    assert found.columns["n"] == 1


async def test_replace_and_delete_require_a_matching_etag(tables: Tables, partition: str) -> None:
    old = await tables.insert(TABLE, partition, "row", {"a": 1, "b": 1})
    new = await tables.replace(TABLE, partition, "row", {"a": 2}, old)

    with pytest.raises(PreconditionFailed):
        await tables.replace(TABLE, partition, "row", {"a": 3}, old)
    with pytest.raises(PreconditionFailed):
        await tables.delete(TABLE, partition, "row", old)
    with pytest.raises(PreconditionFailed):
        await tables.replace(TABLE, partition, "gone", {"a": 3}, old)

    found = await tables.get(TABLE, partition, "row")
    assert found is not None
    assert dict(found.columns) == {"a": 2}
    await tables.delete(TABLE, partition, "row", new)
    await tables.delete(TABLE, partition, "row")
    assert await tables.get(TABLE, partition, "row") is None


async def test_more_rows_than_one_transaction_holds_are_written_and_deleted(
    tables: Tables, partition: str
) -> None:
    await tables.write_many(TABLE, partition, {f"{n:04d}": {"n": n} for n in range(250)})

    read = [row.columns["n"] async for row in tables.partition(TABLE, partition)]
    await tables.delete_partition(TABLE, partition)

    assert read == list(range(250))
    assert [row async for row in tables.partition(TABLE, partition)] == []


async def test_row_that_was_written_since_it_was_read_is_not_erased(
    tables: Tables, partition: str
) -> None:
    await tables.write_many(TABLE, partition, {name: {"n": 1} for name in "abc"})
    page = await tables.page(
        TABLE, "PartitionKey eq @p", {"p": partition}, select=["PartitionKey", "RowKey"]
    )
    await tables.upsert(TABLE, partition, "b", {"n": 2})

    await tables.erase_as_read(TABLE, page.rows)

    assert [row.row async for row in tables.partition(TABLE, partition)] == ["b"]


async def contents(tables: Tables, table: Table, partition: str) -> dict[str, dict[str, Any]]:
    return {row.row: dict(row.columns) async for row in tables.partition(table, partition)}


async def test_transaction_applies_every_kind_of_operation_and_returns_etags(
    tables: Tables, partition: str
) -> None:
    await tables.insert(TABLE, partition, "counter", {"n": 1, "old": True})
    etags = {"changed": await tables.insert(TABLE, partition, "changed", {"n": 1, "old": True})}
    for row in ("gone", "gone with etag", "upserted"):
        etags[row] = await tables.insert(TABLE, partition, row, {"old": True})

    written = await tables.transact(
        TABLE,
        partition,
        [
            InsertRow("inserted", {"n": 2}),
            ReplaceRow("changed", {"n": 3}, etags["changed"]),
            UpsertRow("upserted", {"n": 4}),
            UpsertRow("upserted new", {"n": 5}),
            DeleteRow("gone"),
            DeleteRow("gone with etag", etags["gone with etag"]),
        ],
    )

    assert await contents(tables, TABLE, partition) == {
        "counter": {"n": 1, "old": True},
        "inserted": {"n": 2},
        "changed": {"n": 3},
        "upserted": {"n": 4},
        "upserted new": {"n": 5},
    }
    assert set(written) == {"inserted", "changed", "upserted", "upserted new"}
    await tables.replace(TABLE, partition, "changed", {"n": 6}, written["changed"])


@pytest.mark.parametrize(
    ("lost", "error"),
    [
        (InsertRow("there", {"n": 9}), Conflict),
        (ReplaceRow("there", {"n": 9}, "old"), PreconditionFailed),
        (ReplaceRow("missing", {"n": 9}, "old"), PreconditionFailed),
        (DeleteRow("there", "old"), PreconditionFailed),
        (DeleteRow("missing"), PreconditionFailed),
    ],
    ids=repr,
)
@pytest.mark.parametrize("position", [0, 1, 3])
async def test_one_lost_race_undoes_the_whole_transaction(
    tables: Tables, partition: str, lost: Operation, error: type[Exception], position: int
) -> None:
    etag = await tables.insert(TABLE, partition, "there", {"n": 1})
    await tables.upsert(TABLE, partition, "there", {"n": 2})
    other = await tables.insert(TABLE, partition, "other", {"n": 1})
    await tables.insert(TABLE, partition, "doomed", {"n": 1})
    if isinstance(lost, ReplaceRow | DeleteRow) and lost.etag == "old":
        lost = replace(lost, etag=etag)
    operations: list[Operation] = [
        InsertRow("new", {"n": 1}),
        ReplaceRow("other", {"n": 2}, other),
        DeleteRow("doomed"),
    ]
    operations.insert(position, lost)

    with pytest.raises(error):
        await tables.transact(TABLE, partition, operations)

    assert await contents(tables, TABLE, partition) == {
        "there": {"n": 2},
        "other": {"n": 1},
        "doomed": {"n": 1},
    }


async def test_transaction_creates_its_table_and_takes_100_rows(
    tables: Tables, partition: str
) -> None:
    table = cast("Table", f"T{partition}")

    etags = await tables.transact(table, partition, [InsertRow(f"{n:03d}", {}) for n in range(100)])

    assert list(await contents(tables, table, partition)) == list(etags)


@pytest.mark.parametrize("rows", [[], ["a", "a"], [f"{n}" for n in range(101)]], ids=len)
async def test_transaction_of_no_row_a_repeated_row_or_101_rows_raises_a_defect(
    tables: Tables, partition: str, rows: list[str]
) -> None:
    with pytest.raises(Defect):
        await tables.transact(TABLE, partition, [UpsertRow(row, {}) for row in rows])


async def test_of_many_transactions_on_one_etag_exactly_one_takes_effect(
    tables: Tables, partition: str
) -> None:
    etag = await tables.insert(TABLE, partition, "counter", {"n": 0})

    async def try_(number: int) -> bool:
        counter, row = ReplaceRow("counter", {"n": number}, etag), InsertRow(f"row{number}", {})
        try:
            await tables.transact(TABLE, partition, [counter, row])
        except PreconditionFailed:
            return False
        return True

    won = await asyncio.gather(*(try_(number) for number in range(1, 11)))

    (winner,) = (number for number, took_effect in enumerate(won, 1) if took_effect)
    assert await contents(tables, TABLE, partition) == {
        "counter": {"n": winner},
        f"row{winner}": {},
    }


async def test_records_of_one_table_change_together(tables: Tables, partition: str) -> None:
    notes, seats = Records(tables, TABLE, Note), Records(tables, TABLE, Seat)
    old = await notes.insert(partition, "old", Note(text="old"))
    seat = Seat(mailbox="m", since=WHEN)

    await notes.transact(
        partition,
        [
            notes.replacing("old", Note(text="new"), old.etag),
            notes.upserting("note", Note(text="note")),
            seats.inserting("seat", seat),
        ],
    )

    found = [await notes.get(partition, row) for row in ("old", "note")]
    assert [stored.value.text for stored in found if stored] == ["new", "note"]
    stored = await seats.get(partition, "seat")
    assert stored is not None
    assert stored.value == seat


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
async def test_pages_of_a_filtered_list_contain_each_row_once(
    tables: Tables, partition: str, size: int
) -> None:
    seats = Records[Seat](tables, Table.SEATS, Seat, {"odd": lambda s: int(s.mailbox) % 2 == 1})
    await seats.write_many(
        partition, {f"{n:03d}": Seat(mailbox=f"{n:03d}", since=WHEN) for n in range(21)}
    )
    token, found, pages = None, list[str](), 0
    while pages == 0 or token is not None:
        odd = Condition("odd", "eq", value=True)
        page = await seats.page(partition, size=size, token=token, where=[odd])
        found += [stored.value.mailbox for stored in page.items]
        token, pages = page.token, pages + 1
        assert len(page.items) <= size

    assert found == [f"{n:03d}" for n in range(1, 21, 2)]


async def test_query_of_a_column_that_rows_do_not_have_raises_a_defect(tables: Tables) -> None:
    runs = Store(tables).runs

    with pytest.raises(Defect, match="Runs has no column outcome"):
        await runs.page("p", size=1, where=[Condition("outcome", "eq", "failed")])
    with pytest.raises(Defect, match="Runs has no column outcome"):
        await runs.read_columns("p", ["outcome"], pages=1)


async def test_page_token_is_valid_only_for_its_list(tables: Tables, partition: str) -> None:
    query = "PartitionKey eq @p"
    await tables.write_many(TABLE, partition, {"a": {}, "b": {}})
    page = await tables.page(TABLE, query, {"p": partition}, size=1)
    assert page.token is not None

    rest = await tables.page(TABLE, query, {"p": partition}, size=1, token=page.token)

    assert [row.row for row in rest.rows] == ["b"]
    for wrong in (page.token, "x", "", "e30=", "bnVsbA==", "é"):
        with pytest.raises(InvalidInput):
            await tables.page(TABLE, query, {"p": "foreign"}, size=1, token=wrong)


@pytest.mark.parametrize("key", ["", "a/b", "a\\b", "a#b", "a?b", "a\nb", "x" * 513])
async def test_invalid_table_key_raises_a_defect(tables: Tables, key: str) -> None:
    with pytest.raises(Defect):
        await tables.insert(TABLE, key, "row", {})
    with pytest.raises(Defect):
        await tables.insert(TABLE, "partition", key, {})


@pytest.mark.parametrize(
    "columns",
    [
        {f"c{n}": n for n in range(251)},
        {"text": "x" * 32_769},
        {"text": "😀" * 16_385},
        {"data": b"x" * 65_537},
        {f"c{n}": "x" * 30_000 for n in range(20)},
    ],
    ids=["columns", "text", "wide text", "bytes", "whole"],
)
async def test_row_too_large_for_azure_raises_a_defect(
    tables: Tables, partition: str, columns: dict[str, object]
) -> None:
    with pytest.raises(Defect):
        await tables.insert(TABLE, partition, "row", columns)


@given(st.binary(max_size=200_000))
def test_packed_bytes_are_unpacked_unchanged(data: bytes) -> None:
    assert unpack_bytes(Row("p", "r", "", pack_bytes(data))) == data


def test_packing_more_bytes_than_a_row_holds_raises_a_defect() -> None:
    with pytest.raises(Defect):
        pack_bytes(b"x" * (BYTES_PER_ROW + 1))


@pytest.mark.parametrize("letter", ["x", "Ä", "😀", '"'])
async def test_long_model_is_stored_in_several_columns_and_read_unchanged(
    tables: Tables, partition: str, letter: str
) -> None:
    notes = Records(tables, TABLE, Note)

    stored = await notes.insert(partition, "row", Note(text=letter * 60_000))

    assert await notes.get(partition, "row") == stored


async def test_shorter_version_replaces_a_longer_one_completely(
    tables: Tables, partition: str
) -> None:
    notes = Records(tables, TABLE, Note)
    await notes.insert(partition, "row", Note(text="x" * 100_000))

    await notes.upsert(partition, "row", Note(text="short"))

    found = await notes.get(partition, "row")
    assert found is not None
    assert found.value.text == "short"


async def test_row_with_unknown_fields_of_a_newer_version_can_be_read(
    tables: Tables, partition: str
) -> None:
    body = '{"publisher": "p", "withdrawn": null, "added later": 1}'
    await tables.insert(Table.SHARE_INDEX, partition, OWNER_ROW, {"body00": body})

    found = await Store(tables).share_index.get(partition, OWNER_ROW)

    assert found is not None
    assert found.value == ShareLocation(publisher="p")


async def test_unreachable_storage_raises_unavailable() -> None:
    address = f"http://127.0.0.1:{free_port()}/devstoreaccount1"
    text = f"AccountName=devstoreaccount1;AccountKey=eA==;TableEndpoint={address};"
    unreachable = Tables(TableServiceClient.from_connection_string(text, retry_total=0))

    with pytest.raises(Unavailable):
        await unreachable.get(TABLE, "p", "r")

    await unreachable.close()
