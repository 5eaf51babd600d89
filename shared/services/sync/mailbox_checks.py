"""Checks a chunk of a run's mailboxes together, and queues those that need work.

A mailbox that is as the run wants it, and whose folder has not changed, costs a twentieth of a
request and of a message. No lease is taken: one read may meet another import's batch, and whatever
is in doubt is left to a message of the mailbox's own.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

from shared.adapters.graph.mailboxes.elsewhere import places
from shared.adapters.graph.mailboxes.mailbox import folder_links, folders_in_place
from shared.adapters.graph.transport import Graph, Meter
from shared.adapters.storage.mailboxes.chunk_links import FolderLink
from shared.adapters.storage.mailboxes.mailbox_state import Head, MailboxStates, Neighbors
from shared.adapters.storage.models import ChunkResult
from shared.adapters.storage.queues import Queues
from shared.adapters.storage.results import neighbor_results, write_chunk
from shared.adapters.storage.snapshots import Job, Snapshots
from shared.adapters.storage.store import Store
from shared.adapters.telemetry import emit
from shared.domain.errors import NeedsAdmin
from shared.domain.events import MailboxesChecked
from shared.domain.importing.messages import MAILBOX_SYNCS, CheckMailboxes, SyncMailbox, Task
from shared.services.sync import mailbox_returns as returns
from shared.services.sync.mailbox_planning import look_due, whole_read_due

_PER_SECOND = 50
"""Mailboxes of a run that need work, so that a small tenant's run gets its turn in between.

A queue has no order of tenants: whatever is visible first is processed first.
"""


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
        tasks, meter, now = job.chunk(message.chunk), Meter(), self._clock()
        found = await self._states.neighbors(message.tenant, message.import_id, list(tasks))
        calm = [
            mailbox
            for mailbox, head in found.heads.items()
            if tasks[mailbox] is Task.SYNC and _may_be_idle(head, mailbox, message, job, now)
        ]
        idle = await self._unchanged(message, found, calm, meter, now)
        await self._record(message, tasks, found, idle, meter)
        busy = {m: task for m, task in tasks.items() if m not in idle}
        await self._send(message, job, busy, found.links)

    async def split(self, message: CheckMailboxes) -> None:
        """Queue each mailbox of a chunk that has no result by itself."""
        job = await self._job(message)
        if job is None:
            return
        tasks = job.chunk(message.chunk)
        known = await neighbor_results(self._store, message.tenant, message.run, list(tasks))
        done = {m for m, result in known.items() if result.number == message.number}
        left = {m: task for m, task in tasks.items() if m not in done}
        await self._send(message, job, left, {})

    async def _job(self, message: CheckMailboxes) -> Job | None:
        """Return the job of the run; None if the run is not open, or ended a moment ago."""
        if not await self._store.is_open(message):
            return None
        return await self._snapshots.job(message.snapshot)

    async def _unchanged(
        self,
        message: CheckMailboxes,
        found: Neighbors,
        calm: Sequence[str],
        meter: Meter,
        now: datetime,
    ) -> dict[str, FolderLink]:
        """Return the new links of the mailboxes whose folder has not changed.

        About once a week it also checks that the folder is still in its place. Contacts that left
        it are looked for as well.
        """
        if not calm:
            return {}
        links = {mailbox: str(found.link(mailbox)) for mailbox in calm}
        try:
            session = self._graph.session(message.tenant, meter)
            answers = await folder_links(session, links)
            due = {
                mailbox: (str(found.heads[mailbox].folder), str(found.heads[mailbox].home))
                for mailbox in answers
                if look_due(found.heads[mailbox], found.looked(mailbox), mailbox, now)
            }
            seen = await folders_in_place(session, message.import_id, due)
            heads = {m: found.heads[m] for m in answers}
            away = {m: h.away for m, h in heads.items() if returns.look_due(h, now)}
            where = await places(session, away)
        except NeedsAdmin:
            return {}
        looked = dict.fromkeys(seen, now)
        return {
            mailbox: found.followed(mailbox, link, looked.get(mailbox, found.looked(mailbox)))
            for mailbox, link in answers.items()
            if (mailbox not in due or mailbox in seen)
            and (mailbox not in away or returns.nothing_returned(heads[mailbox], where[mailbox]))
        }

    async def _record(
        self,
        message: CheckMailboxes,
        tasks: Iterable[str],
        found: Neighbors,
        idle: Mapping[str, FolderLink],
        meter: Meter,
    ) -> None:
        """Write the new links, and then one result for all mailboxes that had nothing to do."""
        mailboxes = sorted(tasks)
        if not mailboxes:
            return
        chunk, contacts = None, {mailbox: found.heads[mailbox].contacts for mailbox in sorted(idle)}
        if idle:
            links = {**found.links, **idle}
            await self._states.write_links(
                message.tenant, message.import_id, mailboxes, links, found.rows
            )
            chunk = ChunkResult(
                mailboxes=tuple(contacts),
                contacts=tuple(contacts.values()),
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
                contacts=sum(contacts.values()),
                graph_requests=meter.requests,
                throttled=meter.throttled,
            )
        )

    async def _send(
        self,
        message: CheckMailboxes,
        job: Job,
        tasks: Mapping[str, Task],
        links: Mapping[str, FolderLink],
    ) -> None:
        messages = [
            message.followed_by(
                SyncMailbox,
                snapshot=message.snapshot,
                mailbox=mailbox,
                task=task,
                fingerprint=job.fingerprint,
                link=entry.link if (entry := links.get(mailbox)) else "",
                link_base=entry.base if entry else "",
            )
            for mailbox, task in tasks.items()
        ]
        # As if each earlier chunk had as much work as this one.
        earlier = message.chunk * len(messages)
        await self._queues.send_many(MAILBOX_SYNCS, messages, _PER_SECOND, earlier)


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
