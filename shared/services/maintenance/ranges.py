"""Doing a task for a range of partitions: one page of rows a message, the rest in new messages.

A message reads one page. If there is more, it first sends what follows: the rest of the partition
in which the page ends, and the rest of the range in a few parts. So a small service needs one
message, and a large one is divided until each message has a page. Tasks read what is stored and may
be repeated, so a message that comes twice, late, or after a newer one does no harm.
"""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import batched
from typing import Final

from shared.adapters.storage.queues import Queues
from shared.adapters.storage.tables.client import Row, RowPage, Tables
from shared.adapters.storage.tables.conditions import PARTITION, ROW, Condition, query_of
from shared.adapters.telemetry import emit
from shared.domain.errors import TransientError
from shared.domain.importing.messages import MAINTENANCE, MaintainRange
from shared.domain.key_ranges import KeyRange
from shared.services.maintenance.range_tasks import RangeTask, RowStep
from shared.services.maintenance.tasks import Tasks

_log = logging.getLogger(__name__)
BUDGET: Final = timedelta(seconds=30)
"""After this time, a message sends the rest of its rows in another one."""
_PARTS: Final = 4
_AT_ONCE: Final = 16


class Ranges:
    """Does the tasks of messages of the queue `maintenance`."""

    def __init__(
        self,
        tables: Tables,
        queues: Queues,
        tasks: Tasks,
        clock: Callable[[], datetime],
    ) -> None:
        self._tables = tables
        self._queues = queues
        self._tasks = tasks
        self._clock = clock

    async def begin(self, message: MaintainRange) -> None:
        """Do the first part of a task at once, or queue it if storage is not responding."""
        try:
            await self.maintain(message)
        except TransientError as error:
            await self._queues.send(MAINTENANCE, message, error.retry_after)

    async def maintain(self, message: MaintainRange) -> None:
        """Do the task of a message for one page of rows, and send messages for the others.

        A row whose step fails gets a message of its own, so that it cannot hinder the others.
        """
        task, until = self._tasks.of(message), self._clock() + BUDGET
        page = await self._page(task, message, until)
        if page.token is not None and not page.rows:
            await self._queues.send(MAINTENANCE, message.copy_with(token=page.token))
            return
        if page.token is not None:
            await self._send_rest(message, page.rows[-1])
        done: RowStep | None = None
        for part in batched(await task.steps(page.rows), _AT_ONCE, strict=False):
            if done is not None and self._clock() >= until:
                await self._send_unfinished(message, done.row, page.rows[-1])
                break
            await asyncio.gather(*(self._do(message, step) for step in part))
            done = part[-1]
        if (event := task.event(message)) is not None:
            emit(event)

    async def _page(self, task: RangeTask, message: MaintainRange, until: datetime) -> RowPage:
        """Read rows; a page may be empty although more follow."""
        where = [Condition(PARTITION, "gt", message.low), Condition(PARTITION, "le", message.high)]
        if message.after or message.row:
            where = [Condition(PARTITION, "eq", message.low)]
            where += [Condition(ROW, "gt", message.after)] if message.after else []
            where += [Condition(ROW, "eq", message.row)] if message.row else []
        query, given = query_of((*where, *task.conditions(message.at)))
        token = message.token
        while True:
            page = await self._tables.page(
                task.table, query, given, token=token, select=task.columns
            )
            token = page.token
            if page.rows or token is None or self._clock() >= until:
                return page

    async def _send_rest(self, message: MaintainRange, last: Row) -> None:
        rest = [_part(message, last.partition, last.partition, after=last.row)]
        if not message.after and last.partition < message.high:
            parts = KeyRange(last.partition, message.high).parts(_PARTS)
            rest += [_part(message, part.low, part.high) for part in parts]
        for part in rest:
            await self._queues.send(MAINTENANCE, part)

    async def _send_unfinished(self, message: MaintainRange, done: Row, last: Row) -> None:
        """Send what is left of a page; the end of its last partition is done twice."""
        left = [_part(message, done.partition, done.partition, after=done.row)]
        if done.partition < last.partition:
            left.append(_part(message, done.partition, last.partition))
        for part in left:
            await self._queues.send(MAINTENANCE, part)

    async def _do(self, message: MaintainRange, step: RowStep) -> None:
        try:
            await step.do()
        except TransientError as error:
            _log.info("%s is left to the next time: %s", message.task, error)
        except Exception as error:
            if message.row:
                raise
            _log.warning("%s failed in a row: %s", message.task, type(error).__name__)
            single = _part(message, step.row.partition, step.row.partition, row=step.row.row)
            await self._queues.send(MAINTENANCE, single)


def _part(
    message: MaintainRange, low: str, high: str, *, after: str = "", row: str = ""
) -> MaintainRange:
    return message.copy_with(low=low, high=high, after=after, row=row, token=None, attempt=0)
