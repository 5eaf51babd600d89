"""Applying changes to a mailbox so that a worker may be killed at any moment.

What took effect is saved every few batches, and the delta link goes on every now and then: a kill
costs what came after the last checkpoint.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from shared.adapters.graph.mailboxes.answers import FolderGoneError, LinkExpiredError
from shared.domain.contacts.known import (
    DELETED_BY_USER,
    Change,
    KnownContacts,
    Policy,
    settle,
    unknown_ids,
)
from shared.domain.contacts.plan import Operation, applied
from shared.domain.errors import ContactSyncError, OutOfTime, Paced, TransientError
from shared.services.sync.applying import ApplyProgress, apply_plan
from shared.services.sync.mailbox_work import MailboxWork, SupersededError
from shared.services.sync.threads import run_in_thread_if_large

_READ_EVERY: Final = 40
"""After how many batches the folder is read, so that a later worker need not read all of it."""


class Writing:
    """The writes of one invocation to one mailbox.

    `known` are our contacts after the writes so far. `link` is the delta link up to which the
    folder was read. `calm` says that nobody else changed our contacts meanwhile.
    """

    def __init__(
        self,
        work: MailboxWork,
        known: KnownContacts,
        link: str | None,
        policy: Policy,
        progress: ApplyProgress,
    ) -> None:
        self._work = work
        self._policy = policy
        self._done = 0
        self._vanished = 0
        self._read_at = work.batches
        self.known = known
        self.link = link
        self.calm = True
        self.progress = progress

    async def apply(self, operations: Sequence[Operation], category: str | None = None) -> None:
        """Apply operations; progress is saved if it raises."""
        self._work.save_progress = self._checkpoint
        try:
            await apply_plan(
                self._work.mailbox, operations, self.progress, category, self._work.may_send
            )
        except SupersededError:
            raise  # a checkpoint has just saved everything
        except (Paced, OutOfTime):
            # There is time to read our own writes, so the next try continues where this one ends.
            with suppress(ContactSyncError, FolderGoneError, LinkExpiredError):
                if await self.read_own_writes():
                    self._work.head = self._work.head.copy_with(begun=0)
            await self._store_progress()
            raise
        except BaseException:
            await self._store_progress()
            raise
        finally:
            self._work.save_progress = None
        self._absorb()

    async def read_own_writes(self) -> bool:
        """Read our own writes from the folder's delta, so that the next one does not show them.

        Return False if contacts with our mark are there that we do not know: the link then stays.
        """
        self._absorb()
        work = self._work
        folder = work.head.folder or await work.mailbox.default_folder()
        if folder is None:
            return True
        work.head = work.head.copy_with(folder=folder)
        delta = await work.mailbox.delta(folder, self.link)
        changes = await work.reread(self.known, delta.changes)
        strangers = await work.marks(unknown_ids(self.known, changes))
        self.known, calm = await run_in_thread_if_large(
            len(changes), settle, self.known, changes, self._policy, self.progress.answers
        )
        self.progress.answers.clear()
        if self.link is None:
            # A contact that cannot be read again is in `delta` all the same.
            calm = self._drop_missing((*delta.changes, *changes)) and calm
        self.calm = self.calm and calm and not strangers
        if strangers:
            return False
        self.link = delta.link
        return True

    async def settle(self) -> bool:
        """Read our own writes; if that fails for now, save what took effect."""
        try:
            return await self.read_own_writes()
        except TransientError:
            await self._store_progress()
            raise

    def _drop_missing(self, changes: Sequence[Change]) -> bool:
        """Record contacts that a read of the whole folder does not show as deleted by the user.

        Return whether there are none. The first read of a folder shows no deletions.
        """
        shown = {change.id for change in changes if change.fields is not None}
        gone = [key for key, entry in self.known.items() if entry.id and entry.id not in shown]
        self._work.departed += [self.known[key].id for key in gone]
        self.known = {**self.known, **dict.fromkeys(gone, DELETED_BY_USER)}
        return not gone

    def _absorb(self) -> None:
        """Update `known` by what has taken effect since the last call."""
        done, vanished = self.progress.done, self.progress.vanished
        if len(done) > self._done:
            self.known = applied(self.known, done[self._done :])
            self._done = len(done)
        if len(vanished) > self._vanished:
            gone = dict.fromkeys(vanished[self._vanished :], DELETED_BY_USER)
            self._work.departed += [self.known[key].id for key in gone if key in self.known]
            self.known = {**self.known, **gone}
            self._vanished = len(vanished)

    async def _checkpoint(self) -> None:
        if self._work.batches - self._read_at >= _READ_EVERY:
            self._read_at = self._work.batches
            with suppress(TransientError):  # the link then stays
                await self.read_own_writes()
        await self._store_progress()

    async def _store_progress(self) -> None:
        self._absorb()
        progress = self.progress
        await self._work.store_progress(self.known, self.link, progress.counts, progress.photos)
