"""What table and queue storage promise, held by Azurite and by the storage of the simulation."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, cast
from uuid import uuid4

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.data.tables import TableErrorCode, UpdateMode
from azure.data.tables.aio import TableClient, TableServiceClient
from azure.storage.queue import TextBase64EncodePolicy
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from tests.local.cloud import LocalCloud
from tests.simulation.storage.clients import DirectLine, QueueService, TableService
from tests.simulation.storage.queues import QueueStore
from tests.simulation.storage.tables import TableStore

WHEN = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(params=["azurite", "simulation"])
async def tables(
    request: pytest.FixtureRequest, cloud: LocalCloud
) -> AsyncIterator[TableServiceClient]:
    if request.param == "simulation":
        service = TableService(TableStore(lambda: datetime.now(UTC)), DirectLine())
        yield cast("TableServiceClient", service)
        return
    text = cloud.environment["AzureWebJobsStorage"]
    async with TableServiceClient.from_connection_string(text) as service_client:
        yield service_client


@pytest.fixture(params=["azurite", "simulation"])
async def queues(
    request: pytest.FixtureRequest, cloud: LocalCloud
) -> AsyncIterator[QueueServiceClient]:
    if request.param == "simulation":
        service = QueueService(QueueStore(lambda: datetime.now(UTC)), DirectLine())
        yield cast("QueueServiceClient", service)
        return
    text = cloud.environment["AzureWebJobsStorage"]
    async with QueueServiceClient.from_connection_string(text) as service_client:
        yield service_client


@pytest.fixture
async def table(tables: TableServiceClient) -> TableClient:
    return await tables.create_table(f"T{uuid4().hex}")


@pytest.fixture
async def queue(queues: QueueServiceClient) -> QueueClient:
    name = f"q{uuid4().hex}"
    await queues.create_queue(name)
    return queues.get_queue_client(name, message_encode_policy=TextBase64EncodePolicy())


def entity(row: str, partition: str = "p", **columns: Any) -> dict[str, Any]:
    return {"PartitionKey": partition, "RowKey": row, **columns}


def code(error: pytest.ExceptionInfo[HttpResponseError]) -> str:
    found = getattr(error.value, "error_code", "")
    return str(getattr(found, "value", found))


async def rows(table: TableClient, query: str, **given: Any) -> list[str]:
    found = table.query_entities(query, parameters=given)
    return [str(one["RowKey"]) async for one in found]


async def test_entity_is_read_as_it_was_written(table: TableClient) -> None:
    columns: dict[str, Any] = {
        "text": "Ä'",
        "number": 7,
        "flag": True,
        "when": WHEN,
        "data": b"\x00\xff",
    }

    made = await table.create_entity(entity("r", **columns))

    found = await table.get_entity("p", "r")
    assert dict(found) == entity("r", **columns)
    assert found.metadata["etag"] == made["etag"]


async def test_entity_can_be_created_once(table: TableClient) -> None:
    await table.create_entity(entity("r"))

    with pytest.raises(ResourceExistsError):
        await table.create_entity(entity("r"))


async def test_missing_entities_and_tables_are_told_apart(
    tables: TableServiceClient, table: TableClient
) -> None:
    nowhere = tables.get_table_client(f"T{uuid4().hex}")

    with pytest.raises(ResourceNotFoundError) as no_entity:
        await table.get_entity("p", "r")
    with pytest.raises(ResourceNotFoundError) as no_table:
        await nowhere.get_entity("p", "r")

    assert code(no_entity) == "ResourceNotFound"
    assert code(no_table) == TableErrorCode.TABLE_NOT_FOUND.value


async def test_replacing_needs_the_current_etag(table: TableClient) -> None:
    first = (await table.create_entity(entity("r", a=1, b=1)))["etag"]
    options: dict[str, Any] = {
        "mode": UpdateMode.REPLACE,
        "match_condition": MatchConditions.IfNotModified,
    }

    second = (await table.update_entity(entity("r", a=2), etag=first, **options))["etag"]

    assert second != first
    with pytest.raises(ResourceModifiedError):
        await table.update_entity(entity("r", a=3), etag=first, **options)
    with pytest.raises(ResourceNotFoundError):
        await table.update_entity(entity("gone"), etag=first, **options)
    assert dict(await table.get_entity("p", "r")) == entity("r", a=2)


async def test_deleting_needs_the_etag_only_if_one_is_given(table: TableClient) -> None:
    etag = (await table.create_entity(entity("r")))["etag"]
    await table.upsert_entity(entity("r", a=1), mode=UpdateMode.REPLACE)

    with pytest.raises(ResourceModifiedError):
        await table.delete_entity(
            "p", "r", etag=etag, match_condition=MatchConditions.IfNotModified
        )
    await table.delete_entity("p", "r")
    await table.delete_entity("p", "r")

    assert await rows(table, "PartitionKey eq @p", p="p") == []


async def test_merging_keeps_other_properties(table: TableClient) -> None:
    await table.create_entity(entity("r", a=1, b=1))

    await table.upsert_entity(entity("r", a=2), mode=UpdateMode.MERGE)

    assert dict(await table.get_entity("p", "r")) == entity("r", a=2, b=1)


async def test_transaction_takes_effect_as_a_whole_or_not_at_all(table: TableClient) -> None:
    await table.create_entity(entity("old"))
    steps: list[Any] = [
        ("upsert", entity("new", a=1), {"mode": "replace"}),
        ("delete", entity("old")),
    ]

    await table.submit_transaction(steps)

    assert await rows(table, "PartitionKey eq @p", p="p") == ["new"]
    with pytest.raises(HttpResponseError) as failed:
        await table.submit_transaction([("upsert", entity("x")), ("delete", entity("old"))])
    assert failed.value.status_code == 404
    with pytest.raises(HttpResponseError) as twice:
        await table.submit_transaction([("create", entity("x")), ("create", entity("new"))])
    assert twice.value.status_code == 409
    assert await rows(table, "PartitionKey eq @p", p="p") == ["new"]


async def test_transaction_checks_etags(table: TableClient) -> None:
    etag = (await table.create_entity(entity("r")))["etag"]
    condition = {"etag": etag, "match_condition": MatchConditions.IfNotModified}
    step: Any = ("update", entity("r", a=1), {"mode": "replace", **condition})
    await table.submit_transaction([step])

    with pytest.raises(HttpResponseError) as failed:
        await table.submit_transaction([step])

    assert failed.value.status_code == 412


async def test_entities_come_in_the_order_of_their_keys(table: TableClient) -> None:
    for partition, row in (("b", "1"), ("a|2", "x"), ("a|1", "y"), ("a|1", "B"), ("a|1", "b")):
        await table.create_entity(entity(row, partition))

    found = [
        (one["PartitionKey"], one["RowKey"])
        async for one in table.query_entities(
            "PartitionKey ge @low and PartitionKey lt @high",
            parameters={"low": "a|", "high": "a}"},
        )
    ]

    assert found == [("a|1", "B"), ("a|1", "b"), ("a|1", "y"), ("a|2", "x")]


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("PartitionKey eq @p and number gt 1", ["b", "c"]),
        ("PartitionKey eq @p and flag eq true", ["a"]),
        ("PartitionKey eq @p and when lt @when", ["a"]),
        ("PartitionKey eq @p and text eq @text", ["b"]),
        ("PartitionKey eq @p and missing eq @text", []),
        ("PartitionKey eq @p and RowKey gt @row", ["b", "c"]),
        ("PartitionKey eq 'p' and (RowKey eq 'a' or RowKey eq 'c')", ["a", "c"]),
        ("PartitionKey eq 'p' and not (RowKey eq 'b')", ["a", "c"]),
        ("RowKey eq @row", ["a"]),
    ],
)
async def test_filters_find_what_they_say(
    table: TableClient, query: str, wanted: list[str]
) -> None:
    earlier = datetime(2026, 1, 1, tzinfo=UTC)
    await table.create_entity(entity("a", number=1, flag=True, when=earlier))
    await table.create_entity(entity("b", number=2, flag=False, when=WHEN, text="it's"))
    await table.create_entity(entity("c", number=3))
    parameters = {"p": "p", "when": WHEN, "text": "it's", "row": "a"}
    given = {name: value for name, value in parameters.items() if f"@{name}" in query}

    assert await rows(table, query, **given) == wanted


async def test_pages_go_on_where_the_last_one_ended(table: TableClient) -> None:
    for number in range(5):
        await table.create_entity(entity(f"{number}", odd=number % 2 == 1))
    query: dict[str, Any] = {"parameters": {"p": "p"}, "results_per_page": 2}
    found, token = list[list[str]](), None

    while not found or token is not None:
        pages: Any = table.query_entities("PartitionKey eq @p", **query).by_page(token)
        async for page in pages:
            found.append([str(one["RowKey"]) async for one in page])
            break
        token = pages.continuation_token

    assert found == [["0", "1"], ["2", "3"], ["4"]]


async def test_only_selected_properties_are_returned(table: TableClient) -> None:
    await table.create_entity(entity("r", a=1, b=2))

    found = table.query_entities(
        "PartitionKey eq @p", parameters={"p": "p"}, select=["RowKey", "b"]
    )

    assert [dict(one) async for one in found] == [{"RowKey": "r", "b": 2}]


async def test_message_is_received_once_until_its_hold_ends(queue: QueueClient) -> None:
    await queue.send_message("first")
    await queue.send_message("hidden", visibility_timeout=60)

    [held] = [m async for m in queue.receive_messages(max_messages=32, visibility_timeout=60)]

    assert held.dequeue_count == 1
    assert [m async for m in queue.receive_messages(max_messages=32)] == []
    assert (await queue.get_queue_properties()).approximate_message_count == 2
    assert await queue.peek_messages(max_messages=32) == []


async def test_released_message_comes_again_and_counts(queue: QueueClient) -> None:
    await queue.send_message("again")
    [held] = [m async for m in queue.receive_messages(visibility_timeout=60)]

    await queue.update_message(held, visibility_timeout=0)

    [again] = [m async for m in queue.receive_messages(visibility_timeout=60)]
    assert (again.id, again.dequeue_count) == (held.id, 2)
    assert again.pop_receipt != held.pop_receipt


async def test_message_is_deleted_by_its_last_receipt_only(queue: QueueClient) -> None:
    await queue.send_message("gone")
    [held] = [m async for m in queue.receive_messages(visibility_timeout=60)]
    renewed = await queue.update_message(held, visibility_timeout=60)

    with pytest.raises(HttpResponseError) as stale:
        await queue.delete_message(held.id, held.pop_receipt)
    await queue.delete_message(held.id, renewed.pop_receipt)
    with pytest.raises(ResourceNotFoundError):
        await queue.delete_message(held.id, renewed.pop_receipt)

    assert stale.value.status_code == 400
    assert (await queue.get_queue_properties()).approximate_message_count == 0


async def test_queue_that_is_missing_is_an_error(queues: QueueServiceClient) -> None:
    nowhere = queues.get_queue_client(f"q{uuid4().hex}")

    with pytest.raises(ResourceNotFoundError):
        await nowhere.send_message("lost")
    with pytest.raises(ResourceNotFoundError):
        await nowhere.get_queue_properties()
    await queues.create_queue(nowhere.queue_name)
    with pytest.raises(ResourceExistsError):
        await nowhere.create_queue()
