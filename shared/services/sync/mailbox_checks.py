"""Checks a chunk of a run's mailboxes together, and queues those that need work.

A mailbox that is as the run wants it, and whose folder has not changed, costs a twentieth of a
request and of a message. No lease is taken: one read may meet another import's batch, and whatever
is in doubt is left to a message of the mailbox's own.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from shared.adapters.graph.mailboxes.mailbox import folder_links, folders_in_place
from shared.adapters.graph.transport import Graph, Meter
from shared.adapters.storage.mailbox_state import Head, MailboxStates
from shared.adapters.storage.models import ChunkResult
from shared.adapters.storage.queues import Queues
from shared.adapters.storage.records import Stored
from shared.adapters.storage.results import neighbor_results, write_chunk
from shared.adapters.storage.snapshots import Job, Snapshots
from shared.adapters.storage.store import Store
from shared.adapters.telemetry import emit
from shared.domain.errors import NeedsAdmin
from shared.domain.events import MailboxesChecked
from shared.domain.importing.messages import MAILBOX_SYNCS, CheckMailboxes, SyncMailbox, Task
from shared.services.sync.mailbox_planning import look_due, whole_read_due

_PER_SECOND = 1_000


class MailboxChecks:
    """Checks mailboxes; each call of `check` is one message of the queue `mailbox-checks`."""

    def __init__(
        self,
        store: Store,
        queues: Queues,
        snapshots: Snapshots,
        states: MailboxStates,
        graph: Graph,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._queues = queues
        self._snapshots = snapshots
        self._states = states
        self._graph = graph
        self._clock = clock

    async def check(self, message: CheckMailboxes) -> None:
        """Record the mailboxes of a chunk that have nothing to do, and queue the others.

        Safe to repeat. A message of a run that is not open changes nothing. Raises `TransientError`
        if it must be retried later.
        """
        job = await self._job(message)
        if job is None:
            return
        tasks, meter = job.chunk(message.chunk), Meter()
        heads = await self._states.neighbors(message.tenant, message.import_id, list(tasks))
        now = self._clock()
        calm = {
            mailbox: head
            for mailbox, head in heads.items()
            if tasks[mailbox] is Task.SYNC and _may_be_idle(head.value, mailbox, message, job, now)
        }
        idle = await self._unchanged(message.tenant, message.import_id, calm, meter, now)
        await self._record(message, tasks, idle, meter)
        await self._send(message, job, {m: task for m, task in tasks.items() if m not in idle})

    async def split(self, message: CheckMailboxes) -> None:
        """Queue each mailbox of a chunk that has no result by itself."""
        job = await self._job(message)
        if job is None:
            return
        tasks = job.chunk(message.chunk)
        known = await neighbor_results(self._store, message.tenant, message.run, list(tasks))
        done = {m for m, result in known.items() if result.number == message.number}
        await self._send(message, job, {m: task for m, task in tasks.items() if m not in done})

    async def _job(self, message: CheckMailboxes) -> Job | None:
        """Return the job of the run; None if the run is not open, or ended a moment ago."""
        if not await self._store.is_open(message):
            return None
        return await self._snapshots.job(message.snapshot)

    async def _unchanged(
        self,
        tenant: str,
        import_id: str,
        heads: Mapping[str, Stored[Head]],
        meter: Meter,
        now: datetime,
    ) -> dict[str, Stored[Head]]:
        """Return the heads whose folder has not changed, each with its new link.

        About once a week it also checks that the folder is still in its place.
        """
        links = {mailbox: str(head.value.link) for mailbox, head in heads.items()}
        if not links:
            return {}
        try:
            session = self._graph.session(tenant, meter)
            answers = await folder_links(session, links)
            due = {
                mailbox: (str(heads[mailbox].value.folder), str(heads[mailbox].value.home))
                for mailbox in answers
                if look_due(heads[mailbox].value, mailbox, now)
            }
            seen = await folders_in_place(session, import_id, due)
        except NeedsAdmin:
            return {}
        looked = dict.fromkeys(seen, now)
        return {
            mailbox: Stored(
                head.value.copy_with(link=link, looked=looked.get(mailbox, head.value.looked)),
                head.etag,
            )
            for mailbox, link in answers.items()
            if (mailbox not in due or mailbox in seen) and (head := heads[mailbox])
        }

    async def _record(
        self,
        message: CheckMailboxes,
        tasks: Iterable[str],
        idle: Mapping[str, Stored[Head]],
        meter: Meter,
    ) -> None:
        """Write the new links, and then one result for all mailboxes that had nothing to do."""
        mailboxes = sorted(tasks)
        if not mailboxes:
            return
        chunk = None
        if idle:
            await self._states.replace_many(message.tenant, message.import_id, idle)
            unchanged = sorted(idle)
            chunk = ChunkResult(
                mailboxes=tuple(unchanged),
                contacts=tuple(idle[mailbox].value.contacts for mailbox in unchanged),
                number=message.number,
                graph_requests=meter.requests,
                ended=self._clock(),
            )
        await write_chunk(self._store, message.tenant, message.run, mailboxes[-1], chunk)
        emit(
            MailboxesChecked(
                tenant=message.tenant,
                import_id=message.import_id,
                run=message.run,
                mailboxes=len(mailboxes),
                unchanged=len(idle),
                contacts=sum(head.value.contacts for head in idle.values()),
                graph_requests=meter.requests,
                throttled=meter.throttled,
            )
        )

    async def _send(self, message: CheckMailboxes, job: Job, tasks: Mapping[str, Task]) -> None:
        messages = [
            message.followed_by(
                SyncMailbox,
                snapshot=message.snapshot,
                mailbox=mailbox,
                task=task,
                fingerprint=job.fingerprint,
            )
            for mailbox, task in tasks.items()
        ]
        await self._queues.send_many(MAILBOX_SYNCS, messages, _PER_SECOND)


def _may_be_idle(
    head: Head, mailbox: str, message: CheckMailboxes, job: Job, now: datetime
) -> bool:
    """Return whether a mailbox is as the run wants it, unless its folder has changed."""
    # One that has its result already, in a row of its own, must not get a second one.
    ended = head.last_run == message.run and head.result is not None
    pending = head.partial or head.held or head.notice or head.unreachable
    return (
        mailbox not in job.asked_again
        and head.fingerprint == job.fingerprint
        and head.link is not None
        and not ended
        and not pending
        and not whole_read_due(head, mailbox, now)
    )
