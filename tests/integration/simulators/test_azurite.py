"""Azurite finds rows by their keys (azurite_preload.cjs), and answers as it does by itself."""

from collections.abc import AsyncIterator
from itertools import product
from uuid import uuid4

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables.aio import TableClient, TableServiceClient

from tests.local.cloud import LocalCloud

PARTITIONS = ("10", "1e1", "010", "a", "")
"""Azurite's indexes take the first three for one number."""
ROWS = ("5", "5.0", "05", "x", "")
KEYS = frozenset(product(PARTITIONS, ROWS))


@pytest.fixture
async def table(cloud: LocalCloud) -> AsyncIterator[TableClient]:
    """A table with a row for each pair of keys."""
    async with TableServiceClient.from_connection_string(cloud.addresses["storage"]) as service:
        made = await service.create_table(f"Keys{uuid4().hex}")
        for partition, row in KEYS:
            await made.create_entity(
                {"PartitionKey": partition, "RowKey": row, "said": f"{partition}|{row}"}
            )
        yield made
        await service.delete_table(made.table_name)


async def test_each_row_is_read_changed_and_deleted_by_its_own_keys(table: TableClient) -> None:
    for partition, row in KEYS:
        found = await table.get_entity(partition, row)
        assert found["said"] == f"{partition}|{row}"

    await table.upsert_entity({"PartitionKey": "1e1", "RowKey": "05", "said": "changed"})
    await table.delete_entity("10", "5.0")

    with pytest.raises(ResourceNotFoundError):
        await table.get_entity("10", "5.0")
    left = {(e["PartitionKey"], e["RowKey"]): e["said"] async for e in table.list_entities()}
    expected = {keys: "|".join(keys) for keys in KEYS - {("10", "5.0")}}
    assert left == expected | {("1e1", "05"): "changed"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("PartitionKey eq '10'", set(product(("10",), ROWS))),
        ("RowKey ge '05' and (PartitionKey eq 'a' and RowKey le '5')", {("a", "05"), ("a", "5")}),
        ("PartitionKey eq '10' and PartitionKey eq 'a'", set()),
        ("PartitionKey eq '10' or RowKey eq 'x'", {k for k in KEYS if k[0] == "10" or k[1] == "x"}),
        ("not (PartitionKey eq '10')", {k for k in KEYS if k[0] != "10"}),
        ("said eq 'a|x'", {("a", "x")}),
        ("PartitionKey eq 'missing'", set()),
    ],
)
async def test_a_query_returns_the_rows_that_it_describes(
    table: TableClient, query: str, found: set[tuple[str, str]]
) -> None:
    rows = [(e["PartitionKey"], e["RowKey"]) async for e in table.query_entities(query)]
    assert rows == sorted(found)
