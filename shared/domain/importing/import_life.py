"""The life of an import's runs: which one is open, which ones wait, and what ends them.

An import has at most one open run. Each run that begins takes the next number, and all its messages
carry it: work whose run and number are not those of the open run changes nothing.

    nothing open ──ask──► open ──end──► nothing open, or the first waiting run begins
                           │  ▲
         ask, while open:  │  └── a removal or a revocation takes over at once: the open run (and,
                           │      for a removal, every waiting one) is superseded
                           └───── a full run joins the open one if that is full and has not
                                  begun to read its share; any other waits, full runs as one

A removal is the last run of an import: whatever is asked for while it is open joins it. A
revocation that did not reach every mailbox is owed: it is tried again where it failed.
All functions are pure. Callers store the state they return by ETag, and repeat on a lost race.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from shared.domain.importing.runs import RunTrigger
from shared.domain.model import Model

FULL: Final = frozenset({RunTrigger.CREATED, RunTrigger.SCHEDULE, RunTrigger.REQUEST})
"""The triggers of runs that cover all mailboxes of an import with all contacts of its share."""
TAKES_OVER: Final = frozenset({RunTrigger.REMOVAL, RunTrigger.REVOCATION})
"""The triggers of runs that do not wait for the open one."""


FIRST_WAIT: Final = timedelta(minutes=30)
"""How long a run may show no progress before its messages are sent again. A message whose worker
was killed stays hidden for ten minutes."""
FREE_LOOKS: Final = 3
"""How often a closing comes back before its copies are told apart; most runs end sooner."""
GIVES_UP_AFTER: Final = timedelta(days=1)
STANDS_STILL_AFTER: Final = timedelta(hours=1)
"""How old a run's last known progress is before admins are notified. A healthy run's is known again
every 45 minutes."""


class PlannedRun(Model):
    """A run that is open or waits.

    `retries` names the run whose failed mailboxes it repeats. `reopened` says that it is a held
    run that an admin approved.
    """

    id: str
    trigger: RunTrigger
    queued: datetime
    retries: str | None = None
    reopened: bool = False

    @property
    def full(self) -> bool:
        """Whether the run covers all mailboxes."""
        return self.trigger in FULL and not self.reopened


class OpenRun(PlannedRun):
    """The open run.

    `resolving` says that it has begun to read its share. `base` is the digest of the work that all
    mailboxes held when it began. `sent` is when its messages were
    last sent, `sendings` how often; `done` is how many mailboxes were done when the run was last
    checked, and `progressed` when that number last grew. `looks` is the attempt of the closing that
    comes next, if it may have copies, and `looked` when that was decided.
    """

    number: int
    resolving: bool = False
    base: str | None = None
    sent: datetime
    sendings: int = 1
    done: int = 0
    progressed: datetime
    looks: int = 0
    looked: datetime | None = None

    @property
    def without_looks(self) -> "OpenRun":
        """The same without what its closings note."""
        return self.copy_with(looks=0, looked=None)


class ImportRuns(Model):
    """The runs of an import: which one is open, which ones wait, what the last ones achieved.

    Stored beside the import's settings, so that a run never changes the ETag that admins send.
    `sequence` is the last number given. `ended` names runs whose rows and snapshots are still to
    be ended. `slot` is the latest scheduled time for which a run began, joined or waits. `applied`
    is the digest of the work that all mailboxes hold (None: unknown), `contacts` how many contacts
    the share had when it was last applied or approved. `owed` is the latest revocation, while not
    all mailboxes are known to have been reached.
    """

    import_id: str
    sequence: int = 0
    open: OpenRun | None = None
    waiting: tuple[PlannedRun, ...] = ()
    ended: tuple[str, ...] = ()
    slot: datetime | None = None
    last_run: str | None = None
    held_run: str | None = None
    applied: str | None = None
    contacts: int | None = None
    owed: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking for a run: the new state, and the run that does what was asked for.

    `began` says that this run is open now and its message must be sent.
    """

    state: ImportRuns
    run: PlannedRun
    began: bool


def ask(state: ImportRuns, run: PlannedRun, now: datetime) -> Asked:
    """Begin a run, join the open or a waiting one, or let it wait. Safe to repeat."""
    current = state.open
    if current is None:
        return _begun(state, run, now)
    if _joins(current, run):
        return Asked(state, current, began=False)
    if run.trigger in TAKES_OVER and run.retries is None:
        return _begun(_superseded(state, current, run.trigger), run, now)
    for waiting in state.waiting:
        if waiting.id == run.id or (run.full and waiting.full):
            return Asked(state, waiting, began=False)
    return Asked(state.copy_with(waiting=(*state.waiting, run)), run, began=False)


def _joins(current: OpenRun, run: PlannedRun) -> bool:
    """Return whether the open run does what is asked for."""
    if current.trigger is RunTrigger.REMOVAL:
        return True
    if current.id == run.id:
        return current.reopened or not run.reopened
    revoking = run.trigger is current.trigger is RunTrigger.REVOCATION
    if revoking and run.retries is not None:
        return True
    if current.resolving:
        return False
    if run.trigger is RunTrigger.REVOCATION:
        return revoking and current.retries is None
    return run.full and current.full


def _superseded(state: ImportRuns, current: OpenRun, trigger: RunTrigger) -> ImportRuns:
    """End the open run, for a removal the waiting ones too; a revocation lets it begin again."""
    if trigger is RunTrigger.REMOVAL:
        runs = (current.id, *(waiting.id for waiting in state.waiting))
        return _ending(state, runs).copy_with(waiting=())
    return _after_revocation(_ending(state, (current.id,)), current)


def ended(state: ImportRuns, run: str, number: int, now: datetime) -> ImportRuns:
    """End the open run, if it is this one, and begin the first that waits."""
    if not is_open(state, run, number):
        return state
    return next_begun(state.copy_with(open=None), now)


def stopped(state: ImportRuns, run: str, now: datetime) -> ImportRuns:
    """Stop a run that is open or waits, and begin the first that waits. A removal goes on."""
    if state.open is not None and state.open.id == run:
        if state.open.trigger is RunTrigger.REMOVAL:
            return state
        return next_begun(_ending(state, (run,)), now)
    if any(waiting.id == run for waiting in state.waiting):
        left = tuple(waiting for waiting in state.waiting if waiting.id != run)
        return state.copy_with(waiting=left, ended=(*state.ended, run))
    return state


def restarted(state: ImportRuns, run: str, now: datetime) -> ImportRuns:
    """Note that the messages of the open run, if it is this one, are sent again as if it began."""
    if state.open is None or state.open.id != run:
        return state
    return state.copy_with(open=state.open.copy_with(sent=now, sendings=1, progressed=now))


def stands_still(progressed: datetime, now: datetime) -> bool:
    """Return whether an open run with this last known progress stands still."""
    return now - progressed >= STANDS_STILL_AFTER


def next_begun(state: ImportRuns, now: datetime) -> ImportRuns:
    """Begin the first waiting run if none is open."""
    if state.open is not None or not state.waiting:
        return state
    first, *others = state.waiting
    return _begun(state.copy_with(waiting=tuple(others)), first, now).state


def resolving(state: ImportRuns, run: str, number: int) -> ImportRuns:
    """Note that the open run, if it is this one, reads its share now: no other run may join it.

    From here on it may change mailboxes, so it is unknown what all of them hold.
    """
    if state.open is None or not is_open(state, run, number):
        return state
    return state.copy_with(open=state.open.copy_with(resolving=True), applied=None)


def is_open(state: ImportRuns | None, run: str, number: int) -> bool:
    """Return whether the work of this run and number may go on."""
    return (
        state is not None
        and state.open is not None
        and (state.open.id, state.open.number) == (run, number)
    )


def look_again(
    state: ImportRuns, run: str, number: int, attempt: int, now: datetime, *, redelivered: bool
) -> tuple[ImportRuns, bool]:
    """Decide whether a closing that found the open run unfinished comes back.

    The queue delivers some messages twice, and a worker may die after it has sent the next one. If
    every copy came back, they would grow like compound interest for as long as the run is open. So
    of the copies of an attempt the first comes back, and one that is `redelivered`, since its
    worker may have died before it sent the next. A closing of a new sending starts at 0, and
    takes over if no older one is left.
    """
    if state.open is None or not is_open(state, run, number):
        return state, False
    current, following = state.open, attempt + 1
    if FREE_LOOKS < attempt < current.looks:
        decided = current.looks == following
        return state, decided and (redelivered or current.looked == now)
    return state.copy_with(open=current.copy_with(looks=following, looked=now)), True


def updated(state: ImportRuns, before: OpenRun, after: OpenRun) -> ImportRuns:
    """Replace the open run, if it is still as it was before; what its closings note stays."""
    current = state.open
    if current is None or current.without_looks != before.without_looks:
        return state
    noted = after.copy_with(looks=current.looks, looked=current.looked)
    return state.copy_with(open=noted)


class Step(StrEnum):
    """What is due in an open run that may stand still."""

    WAIT = "wait"
    SEND = "send"
    """Send again what the queue can no longer hold."""
    GIVE_UP = "give_up"
    """End the run with the results that exist."""


def checked(run: OpenRun, done: int, oldest_due: timedelta, now: datetime) -> tuple[OpenRun, Step]:
    """Decide what is due in the open run, of which so many mailboxes are `done`.

    `oldest_due` is how long the oldest visible message of the run's queue has been due. If that is
    longer than since the run's messages were last sent, they may still wait behind it, and the
    time does not count. Each time the messages are sent again, the wait doubles.
    """
    if done != run.done or oldest_due >= now - run.sent:
        run = run.copy_with(done=done, progressed=now)
    # A day may also pass at once, as in an outage of the timer: then sending again comes first.
    sent_in_vain = run.sendings > 1 and now - run.sent >= FIRST_WAIT
    if now - run.progressed >= GIVES_UP_AFTER and sent_in_vain:
        return run, Step.GIVE_UP
    wait = FIRST_WAIT * 2 ** (run.sendings - 1)
    if now - max(run.sent, run.progressed) < wait:
        return run, Step.WAIT
    return run.copy_with(sent=now, sendings=run.sendings + 1), Step.SEND


def _begun(state: ImportRuns, run: PlannedRun, now: datetime) -> Asked:
    number = state.sequence + 1
    opened = OpenRun(
        **run.values_of(PlannedRun),
        number=number,
        base=state.applied,
        sent=now,
        progressed=now,
    )
    # A run that is open is not one to be ended, though it may have been superseded before.
    left = tuple(id_ for id_ in state.ended if id_ != run.id)
    revokes = run.trigger is RunTrigger.REVOCATION and run.retries is None
    begun = state.copy_with(
        sequence=number, open=opened, ended=left, owed=run.id if revokes else state.owed
    )
    return Asked(begun, opened, began=True)


def _ending(state: ImportRuns, runs: tuple[str, ...]) -> ImportRuns:
    return state.copy_with(open=None, ended=tuple(dict.fromkeys((*state.ended, *runs))))


def _after_revocation(state: ImportRuns, superseded: OpenRun) -> ImportRuns:
    """Repeat the superseded run after the revocation, unless a full run waits already."""
    if superseded.trigger is RunTrigger.REVOCATION or any(w.full for w in state.waiting):
        return state
    again = PlannedRun(**superseded.values_of(PlannedRun))
    kept = tuple(id_ for id_ in state.ended if id_ != again.id)
    return state.copy_with(waiting=(again, *state.waiting), ended=kept)
