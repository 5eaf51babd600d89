"""One mailbox while a worker is at it: its leases, its head and contacts, and its result.

The rules of writing are here: the head is written by its ETag only, contacts count once the head
names their generation, and the result is in the head before it is anywhere else.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from shared.adapters.graph.mailbox import Mailbox
from shared.adapters.graph.transport import Meter
from shared.adapters.leases import Lease, Leases
from shared.adapters.mailbox_state import Head, MailboxStates
from shared.adapters.records import Store, results_of
from shared.domain.errors import NeedsAdmin
from shared.domain.messages import SyncMailbox
from shared.domain.models import ContactCounts, Outcome, Result
from shared.domain.plan import KnownContacts
from shared.domain.reasons import Reason

LEASE: Final = timedelta(minutes=5)
NOBODY_THERE: Final = frozenset({Reason.NO_MAILBOX, Reason.USER_NOT_FOUND})
_RENEW_BEFORE: Final = timedelta(minutes=3)
_SKIPPED: Final = NOBODY_THERE | {Reason.IMPORT_DELETED}


@dataclass(slots=True)
class MailboxWork:
    """One message's work; `head` is what we know now, `etag` of what is stored of it."""

    message: SyncMailbox
    mailbox: Mailbox
    meter: Meter
    head: Head
    etag: str | None
    store: Store
    states: MailboxStates
    leases: Leases
    clock: Callable[[], datetime]
    new_id: Callable[[], str]
    owner: str = field(init=False)
    started: datetime = field(init=False)
    lease: Lease | None = None

    def __post_init__(self) -> None:
        """Start the watch."""
        self.owner = self.new_id()
        self.started = self.clock()

    async def take_lease(self) -> None:
        """Lease the mailbox, which other imports may aim at too, and then our head in it.

        Four requests at once in a mailbox are the limit, and one batch uses them all. Raises
        `Busy` while another worker is at it, or if ours was lost.
        """
        now = self.clock()
        if self.lease is None:
            what = f"mailbox|{self.message.mailbox}"
            self.lease = await self.leases.take(self.message.tenant, what, now, LEASE)
        else:
            self.lease = await self.leases.renew(self.lease, now, LEASE)
        await self._write(lease_owner=self.owner, lease_until=now + LEASE)

    async def renew_lease(self) -> None:
        """Hold the leases for longer when their end comes near."""
        until = self.head.lease_until
        if until is None or until - self.clock() < _RENEW_BEFORE:
            await self.take_lease()

    async def release_head(self) -> None:
        """Give our lease on the head back, so that the next try need not wait for its end."""
        if self.head.lease_owner == self.owner:
            await self._write(lease_owner=None, lease_until=None)

    async def release_mailbox(self) -> None:
        """Give the mailbox back to other imports."""
        if self.lease is not None:
            await self.leases.give_back(self.lease)
            self.lease = None

    async def known(self) -> KnownContacts:
        """Our contacts, as the head's generation lists them."""
        return await self.states.contacts(*self._place, self.head)

    async def keep(
        self, known: KnownContacts, *, fingerprint: str | None, link: str | None
    ) -> None:
        """Write the contacts under a new generation; the head that names it is written next."""
        generation = self.new_id()[:12]
        chunks = await self.states.write_contacts(*self._place, generation, known)
        self.learn(
            fingerprint=fingerprint,
            link=link,
            generation=generation,
            chunks=chunks,
            contacts=len(known),
        )

    def learn(self, **news: object) -> None:
        """Take note of something for the head; nothing is written yet."""
        self.head = self.head.model_copy(update=news)

    async def finish(self, result: Result) -> None:
        """Record the result in the head first, so that a repeated message tells the same."""
        leased = self.head.lease_owner == self.owner
        await self._write(
            lease_owner=None, lease_until=None, last_run=self.message.run, result=result
        )
        await self.record(result)
        if leased:
            await self.states.drop_contacts(*self._place, keep=self.head.generation)

    async def record(self, result: Result) -> None:
        """Write the result where the run is closed from."""
        run = results_of(self.message.tenant, self.message.run)
        await self.store.results.upsert(run, self.message.mailbox, result)

    async def forget(self) -> None:
        """Erase all that we know of the mailbox."""
        await self.states.erase(*self._place, self.etag)

    def success(self, counts: ContactCounts) -> Result:
        """The result of work that was done, contacts that Graph refused set aside."""
        rejected = self.head.rejected
        reason = Reason.CONTACTS_REJECTED if rejected else None
        return self._result(Outcome.SUCCEEDED, reason).model_copy(
            update={"contacts": counts, "rejected": rejected}
        )

    def held(self) -> Result:
        """The result of a plan that waits for an admin."""
        return self._result(Outcome.HELD, Reason.TOO_MANY_DELETES)

    def refusal(self, error: NeedsAdmin) -> Result:
        """The result of work that only an admin can make possible."""
        outcome = Outcome.SKIPPED if error.reason in _SKIPPED else Outcome.FAILED
        return self._result(outcome, error.reason)

    @property
    def _place(self) -> tuple[str, str, str]:
        return self.message.tenant, self.message.import_id, self.message.mailbox

    async def _write(self, **news: object) -> None:
        head = self.head.model_copy(update=news)
        stored = await self.states.write(*self._place, head, self.etag)
        self.head, self.etag = stored.value, stored.etag

    def _result(self, outcome: Outcome, reason: Reason | None) -> Result:
        now = self.clock()
        return Result(
            mailbox=self.message.mailbox,
            outcome=outcome,
            reason=reason,
            graph_requests=self.meter.requests,
            throttled=self.meter.throttled,
            milliseconds=int((now - self.started).total_seconds() * 1000),
            ended=now,
        )
