"""A repeat by its Idempotency-Key is answered like the first call, and nothing is done twice."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, cast

import pytest
from azure.data.tables.aio import TableServiceClient
from cryptography.fernet import Fernet

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.sealing import GivenKeys, Seal
from shared.adapters.storage.store import Store
from shared.adapters.storage.tables.client import Tables
from shared.domain.errors import Busy, ContactSyncError, KeyInUse, KeyReused, NotFound
from shared.services.idempotency import KEPT, Execution, Idempotency
from shared.web import repeats
from shared.web.operations import ApiResponse
from shared.web.views import Tagged
from tests.simulation.storage.clients import DirectLine, TableService
from tests.simulation.storage.tables import TableStore

NAME = "Grace Hopper"
ADA = Caller("contoso", "ada", "Ada", frozenset({"Admin"}))


class Made(Tagged):
    name: str
    id: str


class Calls:
    """Calls of one operation, which makes something new each time that it is executed."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 30, 12, tzinfo=UTC)
        self.made: list[Execution] = []
        self.failure: ContactSyncError | None = None
        self.effect = True
        self.name = NAME
        self.wait: asyncio.Event | None = None
        self.tables = TableStore(lambda: self.now)
        numbers = count()
        service = TableService(self.tables, DirectLine())
        self.idempotency = Idempotency(
            Store(Tables(cast("TableServiceClient", service))),
            lambda: self.now,
            lambda: f"{next(numbers):032x}",
            Seal(GivenKeys([Fernet.generate_key().decode()]), lambda: self.now),
        )

    async def call(
        self,
        request: str = "body",
        key: str | None = "key",
        caller: Caller = ADA,
        operation: str = "make",
    ) -> ApiResponse:
        return await repeats.answered_once(
            self.idempotency, caller, operation, key, request, self._handle
        )

    async def _handle(self, execution: Execution) -> ApiResponse:
        if self.wait is not None:
            await self.wait.wait()
        if self.failure is not None:
            raise self.failure
        self.made.append(execution)
        body = Made(etag=f'W/"{len(self.made)}"', name=self.name, id=execution.new_id("thing"))
        return ApiResponse(body, 201, at=f"things/{body.id}", effect=self.effect)

    @property
    def rows(self) -> list[Any]:
        return [row.properties for row in self.tables.tables["Idempotency"].rows.values()]


async def test_repeat_gets_status_body_etag_and_location_of_the_first_answer() -> None:
    calls = Calls()
    first = await calls.call()
    assert isinstance(first.body, Made)

    again = await calls.call()

    assert len(calls.made) == 1
    assert (again.status, again.at, again.headers) == (201, first.at, {"ETag": first.body.etag})
    assert again.content is not None
    assert again.content.data == first.body.model_dump_json(by_alias=True).encode()


async def test_key_counts_for_one_request_of_one_caller_and_operation() -> None:
    calls = Calls()
    await calls.call()

    with pytest.raises(KeyReused):
        await calls.call("another body")
    await calls.call(caller=replace(ADA, oid="bob"))
    await calls.call(caller=replace(ADA, tenant="fabrikam"))
    await calls.call(operation="remake")
    await calls.call(key="another key")
    await calls.call(key=None)
    await calls.call(key=None)

    assert len({execution.new_id("thing") for execution in calls.made}) == 7


async def test_repeat_of_a_call_under_way_waits() -> None:
    calls = Calls()
    calls.wait = asyncio.Event()
    first = asyncio.create_task(calls.call())
    await asyncio.sleep(0.01)

    with pytest.raises(KeyInUse) as refused:
        await calls.call()
    calls.wait.set()
    await first

    assert 1 <= refused.value.retry_after <= 5
    assert (await calls.call()).status == 201
    assert len(calls.made) == 1


async def test_refused_call_and_dry_run_leave_the_key_free() -> None:
    calls = Calls()
    calls.failure = NotFound("unknown_id")
    with pytest.raises(NotFound):
        await calls.call()
    calls.failure, calls.effect = None, False
    await calls.call("dry run")
    assert calls.rows == []

    calls.effect = True
    await calls.call("body")
    assert len(calls.made) == 2


async def test_failed_call_is_executed_again_with_the_same_ids() -> None:
    calls = Calls()
    calls.failure = Busy("storage", 1.0)
    with pytest.raises(Busy):
        await calls.call()
    seed = calls.rows[0]["body00"]
    calls.failure = None

    await calls.call()

    assert calls.made[0].again
    assert calls.made[0].seed in seed


async def test_killed_call_is_executed_again_after_a_minute() -> None:
    calls = Calls()
    calls.wait = asyncio.Event()
    first = asyncio.create_task(calls.call())
    await asyncio.sleep(0.01)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    calls.wait = None
    began = calls.now

    calls.now += timedelta(seconds=59)
    with pytest.raises(KeyInUse):
        await calls.call()
    calls.now += timedelta(seconds=1)
    await calls.call()

    assert (calls.made[0].again, calls.made[0].began) == (True, began)


async def test_kept_answer_is_unreadable_at_rest_and_ends_after_a_day() -> None:
    calls = Calls()
    first = await calls.call()
    assert NAME not in str(calls.rows)

    calls.now += KEPT
    second = await calls.call("another body")

    assert (len(calls.made), len(calls.rows)) == (2, 1)
    assert first.at != second.at


async def test_answer_too_long_for_a_row_is_made_again_from_the_same_ids() -> None:
    calls = Calls()
    calls.name = "".join(chr(0x4E00 + (n * 7919) % 20_000) for n in range(400_000))
    first = await calls.call()
    second = await calls.call()

    assert (first.at, first.status) == (second.at, second.status)
    assert calls.made[1].again


async def test_note_of_the_first_execution_stays() -> None:
    calls = Calls()
    calls.failure = Busy("storage", 1.0)
    began = await calls.idempotency.begin(ADA, "make", "key", "body")
    assert isinstance(began, Execution)
    assert await began.first("") == ""
    await calls.idempotency.give_up(began, unchanged=False)

    again = await calls.idempotency.begin(ADA, "make", "key", "body")

    assert isinstance(again, Execution)
    assert await again.first("later") == ""
