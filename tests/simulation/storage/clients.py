"""Clients with the interface of the Azure SDK's, over storage in memory.

Every call crosses a `Line`, which decides how long it takes, whether it fails, and whether it took
effect nevertheless.
"""

import base64
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.data.tables import TableEntity, TransactionOperation, UpdateMode

from tests.simulation.storage.queues import WEEK, Message, QueueStore
from tests.simulation.storage.tables import MOST_IN_PAGE, Key, TableStore


class Line(Protocol):
    """The way from a client to storage and back."""

    async def call[T](self, name: str, effect: Callable[[], T]) -> T:
        """Let a call take effect and return its result, as the SDK does after its retries."""

    def page_size(self, size: int) -> int:
        """Return how many entities storage puts on a page where `size` were asked for."""


class DirectLine:
    """A line on which nothing takes time or fails."""

    async def call[T](self, name: str, effect: Callable[[], T]) -> T:
        del name
        return effect()

    def page_size(self, size: int) -> int:
        return size


class TableService:
    """Stands for `TableServiceClient`."""

    def __init__(self, store: TableStore, line: Line) -> None:
        self.store = store
        self.line = line

    def get_table_client(self, table_name: str) -> "TableClient":
        return TableClient(self, table_name)

    async def create_table(self, table_name: str) -> "TableClient":
        await self.line.call("create table", partial(self.store.create, table_name))
        return self.get_table_client(table_name)

    async def create_table_if_not_exists(self, table_name: str) -> "TableClient":
        try:
            return await self.create_table(table_name)
        except ResourceExistsError:
            return self.get_table_client(table_name)

    async def close(self) -> None:
        pass


class TableClient:
    """Stands for `TableClient`."""

    def __init__(self, service: TableService, table: str) -> None:
        self._store = service.store
        self._line = service.line
        self.table_name = table

    async def get_entity(
        self, partition_key: str, row_key: str, *, select: Sequence[str] | None = None
    ) -> TableEntity:
        work = partial(self._store.get, self.table_name, (partition_key, row_key), select)
        return await self._call("get", (partition_key, row_key), work)

    async def create_entity(self, entity: Mapping[str, Any]) -> dict[str, Any]:
        work = partial(self._store.insert, self.table_name, dict(entity))
        return {"etag": await self._call("insert", _key(entity), work)}

    async def upsert_entity(
        self, entity: Mapping[str, Any], mode: UpdateMode = UpdateMode.MERGE
    ) -> dict[str, Any]:
        work = partial(
            self._store.upsert, self.table_name, dict(entity), merge=mode == UpdateMode.MERGE
        )
        return {"etag": await self._call("upsert", _key(entity), work)}

    async def update_entity(
        self,
        entity: Mapping[str, Any],
        mode: UpdateMode = UpdateMode.MERGE,
        *,
        etag: str | None = None,
        match_condition: MatchConditions | None = None,
    ) -> dict[str, Any]:
        match = etag if match_condition == MatchConditions.IfNotModified else None
        merge = mode == UpdateMode.MERGE
        work = partial(self._store.update, self.table_name, dict(entity), match, merge=merge)
        return {"etag": await self._call("update", _key(entity), work)}

    async def delete_entity(
        self,
        partition_key: str,
        row_key: str,
        *,
        etag: str | None = None,
        match_condition: MatchConditions | None = None,
    ) -> None:
        match = etag if match_condition == MatchConditions.IfNotModified else None
        key = (partition_key, row_key)
        try:
            await self._call(
                "delete", key, partial(self._store.delete, self.table_name, key, match)
            )
        except ResourceNotFoundError:
            # The SDK takes every 404 here for success.
            return

    async def submit_transaction(self, operations: Iterable[Any]) -> list[Any]:
        steps, keys = list[Callable[[], str | None]](), list[Key]()
        for kind, entity, *rest in operations:
            options: Mapping[str, Any] = rest[0] if rest else {}
            steps.append(self._step(TransactionOperation(kind), dict(entity), options))
            keys.append(_key(entity))
        work = partial(self._store.transact, self.table_name, steps)
        return await self._call(f"transaction of {len(keys)}", min(keys), work)

    def query_entities(
        self,
        query_filter: str,
        *,
        parameters: Mapping[str, Any] | None = None,
        results_per_page: int | None = None,
        select: Sequence[str] | None = None,
    ) -> "Found":
        return Found(self, query_filter, parameters or {}, results_per_page, select)

    def list_entities(
        self, *, results_per_page: int | None = None, select: Sequence[str] | None = None
    ) -> "Found":
        return Found(self, "", {}, results_per_page, select)

    def _step(
        self, kind: TransactionOperation, entity: Mapping[str, Any], options: Mapping[str, Any]
    ) -> Callable[[], str | None]:
        merge = options.get("mode", UpdateMode.MERGE) in {UpdateMode.MERGE, "merge"}
        conditional = options.get("match_condition") == MatchConditions.IfNotModified
        etag = options.get("etag") if conditional else None
        match kind:
            case TransactionOperation.CREATE:
                return partial(self._store.insert, self.table_name, entity)
            case TransactionOperation.UPSERT:
                return partial(self._store.upsert, self.table_name, entity, merge=merge)
            case TransactionOperation.UPDATE:
                return partial(self._store.update, self.table_name, entity, etag, merge=merge)
            case TransactionOperation.DELETE:
                return partial(self._store.delete, self.table_name, _key(entity), etag)

    async def _call[T](self, name: str, key: Key, work: Callable[[], T]) -> T:
        return await self._line.call(f"{name} {self.table_name} {key[0]} {key[1]}", work)


class Found:
    """What a query finds, to be read page by page or one by one."""

    def __init__(
        self,
        table: TableClient,
        query: str,
        parameters: Mapping[str, Any],
        size: int | None,
        select: Sequence[str] | None,
    ) -> None:
        self._table = table
        self._query = query
        self._parameters = parameters
        self._size = min(size or MOST_IN_PAGE, MOST_IN_PAGE)
        self._select = select

    def by_page(self, continuation_token: Any = None) -> "Pages":
        return Pages(self, continuation_token)

    async def __aiter__(self) -> AsyncIterator[TableEntity]:
        async for page in self.by_page():
            async for entity in page:
                yield entity


class Pages:
    """The pages of a query; `continuation_token` is where the next one begins."""

    def __init__(self, found: Found, token: Mapping[str, Any] | None) -> None:
        self._found = found
        self._ended = False
        self.continuation_token: dict[str, str] | None = dict(token) if token else None

    def __aiter__(self) -> "Pages":
        return self

    async def __anext__(self) -> AsyncIterator[TableEntity]:
        if self._ended:
            raise StopAsyncIteration
        found, token = self._found, self.continuation_token
        table = found._table
        start = (token.get("PartitionKey") or "", token.get("RowKey") or "") if token else None
        work = partial(
            table._store.query,
            table.table_name,
            found._query,
            found._parameters,
            table._line.page_size(found._size),
            start,
            found._select,
        )
        page = await table._line.call(f"query {table.table_name} {found._query}", work)
        key = page.following
        self.continuation_token = {"PartitionKey": key[0], "RowKey": key[1]} if key else None
        self._ended = key is None
        return _each(page.entities)


class QueueService:
    """Stands for `QueueServiceClient`."""

    def __init__(self, store: QueueStore, line: Line) -> None:
        self.store = store
        self.line = line

    def get_queue_client(self, queue: str, **options: Any) -> "QueueClient":
        return QueueClient(self, queue, encoded=options.get("message_encode_policy") is not None)

    async def create_queue(self, name: str) -> "QueueClient":
        await self.line.call(f"create queue {name}", partial(self.store.create, name))
        return self.get_queue_client(name)

    async def close(self) -> None:
        pass


@dataclass(frozen=True, slots=True)
class QueueProperties:
    """The properties of a queue."""

    name: str
    approximate_message_count: int


@dataclass(frozen=True, slots=True)
class SeenMessage:
    """A message as the SDK shows it."""

    id: str
    content: str
    inserted_on: datetime
    expires_on: datetime
    next_visible_on: datetime
    dequeue_count: int
    pop_receipt: str


class QueueClient:
    """Stands for `QueueClient`, with a policy that encodes messages in base64 or with none."""

    def __init__(self, service: QueueService, queue: str, *, encoded: bool) -> None:
        self._store = service.store
        self._line = service.line
        self._encoded = encoded
        self.queue_name = queue

    async def create_queue(self) -> None:
        work = partial(self._store.create, self.queue_name)
        await self._line.call(f"create queue {self.queue_name}", work)

    async def get_queue_properties(self) -> QueueProperties:
        work = partial(self._store.count, self.queue_name)
        count = await self._line.call(f"count {self.queue_name}", work)
        return QueueProperties(self.queue_name, count)

    async def send_message(
        self,
        content: str,
        *,
        visibility_timeout: float | None = None,
        time_to_live: float | None = None,
    ) -> SeenMessage:
        text = base64.b64encode(content.encode()).decode() if self._encoded else content
        lives = WEEK if time_to_live is None else WEEK * (time_to_live / WEEK.total_seconds())
        delay = visibility_timeout or 0
        if delay >= lives.total_seconds():
            raise _bad_request("OutOfRangeQueryParameterValue")
        work = partial(self._store.put, self.queue_name, text, delay, lives)
        return self._seen(await self._line.call(f"send {self.queue_name} {content}", work))

    async def peek_messages(self, max_messages: int = 1) -> list[SeenMessage]:
        work = partial(self._store.peek, self.queue_name, max_messages)
        found = await self._line.call(f"peek {self.queue_name}", work)
        return [self._seen(message) for message in found]

    async def receive_messages(
        self, *, max_messages: int = 1, visibility_timeout: float = 30, **options: Any
    ) -> AsyncIterator[SeenMessage]:
        del options
        work = partial(self._store.receive, self.queue_name, max_messages, visibility_timeout)
        for message in await self._line.call(f"receive {self.queue_name}", work):
            yield self._seen(message)

    async def update_message(
        self, message: SeenMessage, *, visibility_timeout: float
    ) -> SeenMessage:
        work = partial(
            self._store.update,
            self.queue_name,
            message.id,
            message.pop_receipt,
            visibility_timeout,
        )
        return self._seen(await self._line.call(f"update {self.queue_name}", work))

    async def delete_message(
        self, message: SeenMessage | str, pop_receipt: str | None = None
    ) -> None:
        id_ = message if isinstance(message, str) else message.id
        receipt = pop_receipt if isinstance(message, str) else message.pop_receipt
        work = partial(self._store.delete, self.queue_name, id_, str(receipt))
        await self._line.call(f"delete {self.queue_name}", work)

    def _seen(self, message: Message) -> SeenMessage:
        text = message.text
        if self._encoded:
            text = base64.b64decode(text).decode()
        return SeenMessage(
            id=message.id,
            content=text,
            inserted_on=message.inserted,
            expires_on=message.expires,
            next_visible_on=message.visible,
            dequeue_count=message.count,
            pop_receipt=message.receipt,
        )


def _bad_request(code: str) -> HttpResponseError:
    error = HttpResponseError(message=code)
    error.status_code = 400
    return error


async def _each(entities: Sequence[TableEntity]) -> AsyncIterator[TableEntity]:
    for entity in entities:
        yield entity


def _key(entity: Mapping[str, Any]) -> Key:
    return entity["PartitionKey"], entity["RowKey"]
