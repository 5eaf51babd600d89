"""Applies a plan to one mailbox, batch by batch, whatever Graph answers.

One batch is in flight at a time. Operations that Graph throttled or could not do yet are sent
again, alone, after the longest Retry-After. If it is unknown whether a create took effect, the
contact is looked up by its mark before another try, so that it is never created twice. A contact
that fails in the same way several times, while others succeed, is rejected.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from shared.adapters.graph.batch import BATCH_SIZE
from shared.adapters.graph.mailboxes.answers import (
    FolderGoneError,
    Way,
    is_gone,
    missing_mailbox,
)
from shared.adapters.graph.mailboxes.mailbox import Mailbox
from shared.adapters.graph.transport import LONGEST_WAIT, GraphResponse
from shared.domain.contacts.known import Answer
from shared.domain.contacts.plan import Create, Delete, Operation, SetPhoto, Update
from shared.domain.errors import NeedsAdmin, Throttled, TransientError, Unavailable
from shared.domain.importing.runs import ContactCounts, RejectedContact
from shared.domain.pacing import weight

_FRUITLESS_ROUNDS: Final = 4
_TRIES: Final = 4
"""How often an operation fails before its contact is rejected."""
_CONFLICTS: Final = frozenset({409, 412})
"""Exchange changed the contact at the same time (msgraph-sdk-dotnet#1201); a retry may work."""
_NOT_DELETED: Final = "ErrorCannotDeleteObject"


@dataclass(slots=True)
class ApplyProgress:
    """The part of a plan that took effect so far; kept even if applying is interrupted.

    `answers` are Graph's to the writes whose effect was not read back yet, by contact id.
    `patient` says that the message is given back while nothing can be written; otherwise, contacts
    that fail again are rejected. `full` is the error of a mailbox without space.
    """

    done: list[tuple[Operation, str]] = field(default_factory=list)
    rejected: list[RejectedContact] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    patient: bool = True
    full: NeedsAdmin | None = None

    @property
    def settled(self) -> int:
        """Return the number of operations that need not be sent again."""
        return len(self.done) + len(self.rejected) + len(self.vanished)

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


class _Failures:
    """How often each operation failed, and whether others succeeded beside it."""

    def __init__(self) -> None:
        self._tries: Counter[int] = Counter()
        self._alone: set[int] = set()

    def too_many(
        self, operation: Operation, answer: GraphResponse, *, others: bool, patient: bool
    ) -> bool:
        """Count a failure; return whether the contact is to blame, and not the mailbox.

        It is for a conflict, and for a 500 while others succeed. Other errors are given time until
        the message came back too often (not `patient`).
        """
        if answer.status in {401, 429}:
            return False
        if others:
            self._alone.add(id(operation))
        self._tries[id(operation)] += 1
        enough = self._tries[id(operation)] >= _TRIES
        if not patient:
            return enough or answer.wait > LONGEST_WAIT
        own = answer.status == 500 and id(operation) in self._alone
        return enough and (own or answer.status in _CONFLICTS)


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
    here or if several rounds had no effect, `FolderGoneError` if the folder of the contacts is
    gone, and `NeedsAdmin` if the mailbox is full, after the deletes.
    """
    waiting, failures = deque(operations), _Failures()
    fruitless = 0
    while waiting:
        size = min(BATCH_SIZE, len(waiting))
        await may_send(size, sum(_weight(waiting[n]) for n in range(size)), len(waiting))
        batch = [waiting.popleft() for _ in range(size)]
        before = progress.settled
        again, pause, doubtful = await _one_round(mailbox, batch, progress, category, failures)
        if progress.full is not None:
            waiting = deque(o for o in waiting if isinstance(o, Delete))
            again = [o for o in again if isinstance(o, Delete)]
        if not again:
            continue
        fruitless = 0 if progress.settled > before else fruitless + 1
        if pause > LONGEST_WAIT or fruitless >= _FRUITLESS_ROUNDS:
            # Creates that took effect unnoticed show in the next delta, by their marks.
            message = "Microsoft Graph asks for a longer pause."
            raise Throttled(message, pause)
        await asyncio.sleep(pause * max(1, fruitless))
        again = await _without_those_done(mailbox, again, doubtful, progress)
        waiting.extendleft(reversed(again))
    if progress.full is not None:
        raise progress.full


def _weight(operation: Operation) -> int:
    return weight(len(operation.image)) if isinstance(operation, SetPhoto) else 1


async def _one_round(
    mailbox: Mailbox,
    batch: list[Operation],
    progress: ApplyProgress,
    category: str | None,
    failures: "_Failures",
) -> tuple[list[Operation], float, set[str]]:
    """Send a batch; return what to send again, after which pause, and the creates in doubt."""
    ways = [mailbox.way(operation) for operation in batch]
    try:
        answers = await mailbox.apply(batch, category)
    except Throttled as error:
        return batch, error.retry_after, set()
    except Unavailable as error:
        return batch, error.retry_after, _create_keys(batch)
    before = len(progress.done)
    failed = [
        (operation, way, answer)
        for operation, way, answer in zip(batch, ways, answers, strict=True)
        if not _record_outcome(operation, way, answer, progress)
    ]
    others = len(progress.done) > before
    for operation, way, answer in list(failed):
        if failures.too_many(operation, answer, others=others, patient=progress.patient):
            _reject(operation, answer, progress)
            failed.remove((operation, way, answer))
    if not failed:
        return [], 0.0, set()
    doubtful = _create_keys([o for o, _, answer in failed if answer.status != 429])
    waits = [answer.wait for _, way, answer in failed if not way.is_refused_by(answer)]
    return [o for o, *_ in failed], max(waits, default=0.0), doubtful


def _create_keys(operations: Sequence[Operation]) -> set[str]:
    return {operation.key for operation in operations if isinstance(operation, Create)}


def _record_outcome(
    operation: Operation, way: Way, answer: GraphResponse, progress: ApplyProgress
) -> bool:
    """Record the outcome of an operation sent in some way; return False if it is sent again."""
    if answer.ok:
        return _record_done(operation, answer, progress)
    if way.is_refused_by(answer):
        return False
    if answer.is_full:
        progress.full = missing_mailbox(answer)
    elif answer.code == _NOT_DELETED:
        _reject(operation, answer, progress)
    elif mailbox_error := missing_mailbox(answer):
        raise mailbox_error
    elif is_gone(answer) and isinstance(operation, Delete):
        progress.done.append((operation, operation.id))
    elif is_gone(answer) and isinstance(operation, Create):
        raise FolderGoneError
    elif is_gone(answer):
        progress.vanished.append(operation.key)
    elif answer.is_transient or answer.status in _CONFLICTS:
        return False
    else:
        _reject(operation, answer, progress)
    return True


def _record_done(operation: Operation, answer: GraphResponse, progress: ApplyProgress) -> bool:
    """Record what took effect; return False for a new contact whose id Graph does not tell."""
    id_ = operation.id if not isinstance(operation, Create) else ""
    if not id_ and isinstance(answer.body, Mapping):
        id_ = str(answer.body.get("id") or "")
    if not id_:
        return False
    progress.done.append((operation, id_))
    _note_answer(operation, id_, answer, progress)
    return True


def _reject(operation: Operation, answer: GraphResponse, progress: ApplyProgress) -> None:
    code = f"{answer.status} {answer.code}".strip()
    progress.rejected.append(RejectedContact(key=operation.key, code=code))


def _note_answer(
    operation: Operation, id_: str, answer: GraphResponse, progress: ApplyProgress
) -> None:
    if not isinstance(operation, Create | Update):
        return
    before = operation.known if isinstance(operation, Update) else None
    edit = before.seen if before is not None and before.written is None else None
    answered = Answer.of(answer.body, operation.contact.mask, edit)
    if answered is not None:
        progress.answers[id_] = answered


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
