"""What a task for a range of partitions is: which rows it reads, and what it does about each."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.adapters.storage.tables.client import Row
from shared.adapters.storage.tables.conditions import PARTITION, ROW, Condition
from shared.adapters.storage.tables.names import Table
from shared.domain.events import Event
from shared.domain.importing.messages import MaintainRange


@dataclass(frozen=True, slots=True)
class RowStep:
    """What to do about one row; `do` may be repeated."""

    row: Row
    do: Callable[[], Awaitable[None]]


class RangeTask(ABC):
    """A task for one message: which rows it reads, what to do about them, what it counts."""

    table: Table
    columns: tuple[str, ...] | None = (PARTITION, ROW)
    """The columns it reads; None: all."""

    def conditions(self, at: datetime) -> Sequence[Condition]:
        """Return which rows it is about, for a timer that fired then."""
        del at
        return ()

    @abstractmethod
    async def steps(self, rows: Sequence[Row]) -> Sequence[RowStep]:
        """Return what is to be done about a page of rows, in their order."""

    @abstractmethod
    def event(self, message: MaintainRange) -> Event | None:
        """Return what the message has done; None if there is nothing to tell."""
