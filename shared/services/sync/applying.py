"""Applies a plan to one mailbox, batch by batch, whatever Graph answers.

One batch is in flight at a time. Operations that Graph throttled or could not do yet are sent
again, alone, after the longest Retry-After. If it is unknown whether a create took effect, the
contact is looked up by its mark before another try, so that it is never created twice.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.adapters.graph.batch import BATCH_SIZE, longest_wait
from shared.adapters.graph.mailbox import FolderGoneError, Mailbox, missing_mailbox
from shared.adapters.graph.transport import LONGEST_WAIT, GraphResponse
from shared.domain.contacts.plan import Create, Delete, Operation, SetPhoto, Update
from shared.domain.errors import Throttled, TransientError, Unavailable
from shared.domain.importing.runs import ContactCounts, RejectedContact
from shared.domain.pacing import weight

_FRUITLESS_ROUNDS: Final = 4


@dataclass(slots=True)
class ApplyProgress:
    """The part of a plan that took effect so far; kept even if applying is interrupted."""

    done: list[tuple[Operation, str]] = field(default_factory=list)
    rejected: list[RejectedContact] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)

    @property
    def counts(self) -> ContactCounts:
        """Return the number of contacts created, updated and deleted."""
        operations = [operation for operation, _ in self.done]
        return ContactCounts(
            created=sum(isinstance(o, Create) for o in operations),
            updated=sum(isinstance(o, Update) for o in operations),
            deleted=sum(isinstance(o, Delete) for o in operations),
        )

    @property
    def photos(self) -> int:
        """Return the number of photos sent."""
        return sum(isinstance(operation, SetPhoto) for operation, _ in self.done)


async def apply_plan(
    mailbox: Mailbox,
    operations: Sequence[Operation],
    progress: ApplyProgress,
    category: str | None,
    may_send: Callable[[int, int, int], Awaitable[None]],
) -> None:
    """Apply the operations; `progress` grows as they take effect.

    `may_send` is awaited before each batch, with the number of its requests, their weight, and the
    number of requests still to come. It raises if the lease on the mailbox is lost or the mailbox
    needs a pause. Raises `Throttled` or `Unavailable` if Graph wants a longer pause than we wait
    here or if several rounds had no effect, and `FolderGoneError` if the folder of the contacts is
    gone.
    """
    waiting = deque(operations)
    fruitless = 0
    while waiting:
        size = min(BATCH_SIZE, len(waiting))
        await may_send(size, sum(_weight(waiting[n]) for n in range(size)), len(waiting))
        batch = [waiting.popleft() for _ in range(size)]
        before = len(progress.done) + len(progress.rejected)
        again, pause, doubtful = await _one_round(mailbox, batch, progress, category)
        if not again:
            continue
        advanced = len(progress.done) + len(progress.rejected) > before
        fruitless = 0 if advanced else fruitless + 1
        if pause > LONGEST_WAIT or fruitless >= _FRUITLESS_ROUNDS:
            # Creates that took effect unnoticed show in the next delta, by their marks.
            message = "Microsoft Graph asks for a longer pause."
            raise Throttled(message, pause)
        await asyncio.sleep(pause * max(1, fruitless))
        again = await _without_those_done(mailbox, again, doubtful, progress)
        waiting.extendleft(reversed(again))


def _weight(operation: Operation) -> int:
    return weight(len(operation.image)) if isinstance(operation, SetPhoto) else 1


async def _one_round(
    mailbox: Mailbox, batch: list[Operation], progress: ApplyProgress, category: str | None
) -> tuple[list[Operation], float, set[str]]:
    """Send a batch; return what to send again, after which pause, and the creates in doubt."""
    try:
        answers = await mailbox.apply(batch, category)
    except Throttled as error:
        return batch, error.retry_after, set()
    except Unavailable as error:
        return batch, error.retry_after, _create_keys(batch)
    failed = [
        (operation, answer)
        for operation, answer in zip(batch, answers, strict=True)
        if not _record_outcome(operation, answer, progress)
    ]
    if not failed:
        return [], 0.0, set()
    doubtful = _create_keys([o for o, answer in failed if answer.status != 429])
    return [o for o, _ in failed], longest_wait(answer for _, answer in failed), doubtful


def _create_keys(operations: Sequence[Operation]) -> set[str]:
    return {operation.key for operation in operations if isinstance(operation, Create)}


def _record_outcome(operation: Operation, answer: GraphResponse, progress: ApplyProgress) -> bool:
    """Record the outcome of an operation; return False if it has to be sent again."""
    if answer.ok:
        id_ = str(answer.body["id"]) if isinstance(operation, Create) else operation.id
        progress.done.append((operation, id_))
    elif mailbox_error := missing_mailbox(answer):
        raise mailbox_error
    elif answer.status == 404 and isinstance(operation, Delete):
        progress.done.append((operation, operation.id))
    elif answer.status == 404 and isinstance(operation, Create):
        raise FolderGoneError
    elif answer.status == 404:
        progress.vanished.append(operation.key)
    elif answer.is_transient:
        return False
    else:
        progress.rejected.append(
            RejectedContact(key=operation.key, code=f"{answer.status} {answer.code}".strip())
        )
    return True


async def _without_those_done(
    mailbox: Mailbox, operations: list[Operation], doubtful: set[str], progress: ApplyProgress
) -> list[Operation]:
    if not doubtful:
        return operations
    try:
        found = await mailbox.find(sorted(doubtful))
    except TransientError as error:
        message = "Microsoft Graph does not say whether contacts were created."
        raise Unavailable(message, error.retry_after) from error
    for operation in operations:
        if isinstance(operation, Create) and operation.key in found:
            progress.done.append((operation, found[operation.key]))
    return [o for o in operations if not (isinstance(o, Create) and o.key in found)]
