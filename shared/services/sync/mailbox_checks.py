"""Checks a chunk of a run's mailboxes, and queues those that need work."""

from shared.adapters.storage.queues import Queues
from shared.adapters.storage.records import Store, results_of
from shared.adapters.storage.snapshots import Job, Snapshots
from shared.domain.importing.messages import MAILBOX_SYNCS, CheckMailboxes, SyncMailbox, Task

_PER_SECOND = 1_000


class MailboxChecks:
    """Checks mailboxes; each call of `check` is one message of the queue `mailbox-checks`."""

    def __init__(self, store: Store, queues: Queues, snapshots: Snapshots) -> None:
        self._store = store
        self._queues = queues
        self._snapshots = snapshots

    async def check(self, message: CheckMailboxes) -> None:
        """Queue each mailbox of the chunk that has no result yet. Safe to repeat.

        A message of a run that is not open changes nothing.
        """
        await self.split(message)

    async def split(self, message: CheckMailboxes) -> None:
        """Queue each mailbox of a chunk by itself."""
        if not await self._store.is_open(message):
            return
        job = await self._snapshots.job(message.snapshot)
        if job is None:
            return  # the run ended a moment ago
        tasks = job.chunk(message.chunk)
        partition = results_of(message.tenant, message.run)
        known = await self._store.results.read_many(partition, list(tasks))
        done = {r.value.mailbox for r in known if r.value.number == message.number}
        messages = [_sync(message, job, m, task) for m, task in tasks.items() if m not in done]
        await self._queues.send_many(MAILBOX_SYNCS, messages, _PER_SECOND)


def _sync(message: CheckMailboxes, job: Job, mailbox: str, task: Task) -> SyncMailbox:
    return SyncMailbox(
        tenant=message.tenant,
        import_id=message.import_id,
        run=message.run,
        number=message.number,
        snapshot=message.snapshot,
        mailbox=mailbox,
        task=task,
        fingerprint=job.fingerprint,
    )
