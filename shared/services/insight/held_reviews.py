"""What a held run asks an admin: how much in all, which contacts, and in which mailboxes.

The sums come from the results of the run. The names come from one of its mailboxes, because a
contact that is to be removed may be in no directory any more.
"""

from dataclasses import dataclass
from typing import Final

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.records import Listing, Stored
from shared.adapters.storage.results import page_of_results
from shared.adapters.storage.store import Store
from shared.domain.contacts.held_plans import REMOVE, HeldChange
from shared.domain.errors import ContactSyncError, NeedsAdmin, TransientError
from shared.domain.importing.runs import ContactCounts, Outcome, Result, Run
from shared.domain.reasons import Reason
from shared.services.importing.runs import ResultPage, Runs
from shared.services.insight.finding import Finding
from shared.services.sync.mailboxes import Mailboxes

SHOWN: Final = 50
"""How many contacts and mailboxes are listed."""
_PAGE: Final = 1_000
_EMPTY: Final = frozenset({Reason.SHARE_EMPTY, Reason.TARGETS_EMPTY})


@dataclass(frozen=True, slots=True)
class HeldContact:
    """A contact that would be removed or updated; the name is '' if it could not be read."""

    key: str
    name: str
    removed: bool


@dataclass(frozen=True, slots=True)
class HeldReview:
    """The changes that wait in a run.

    `planned` counts contacts over all `mailboxes`, `removed` and `updated` count each contact once.
    A run that is held as a whole has no `results`. If its share or its targets are suddenly empty,
    approving it removes every contact of its import. `trouble` is why names could not be read.
    """

    run: Run
    mailboxes: int
    planned: ContactCounts
    removed: int
    updated: int
    contacts: tuple[HeldContact, ...]
    results: ResultPage
    trouble: ContactSyncError | None = None


class HeldReviews:
    """Held runs of the caller's tenant."""

    def __init__(self, store: Store, runs: Runs, finding: Finding, mailboxes: Mailboxes) -> None:
        self._store = store
        self._runs = runs
        self._finding = finding
        self._mailboxes = mailboxes

    async def read(self, caller: Caller, run_id: str) -> HeldReview:
        """Return what a run holds. Raises `NotFound` if the tenant has no such run."""
        run = (await self._runs.read(caller, run_id)).value
        first, held, planned = await self._held(caller, run_id)
        if not held:
            mailboxes, contacts = await self._finding.filled(caller, run.import_id)
            planned = ContactCounts(deleted=contacts if run.reason in _EMPTY else 0)
            return HeldReview(run, mailboxes, planned, 0, 0, (), first)
        changes = sorted(
            await self._store.held_plans.of_run(caller.tenant, run_id), key=_removals_first
        )
        keys = list(dict.fromkeys(change.key for change in changes))
        removed = {change.key for change in changes if change.kind == REMOVE}
        mailbox = first.listing.items[0].value.mailbox
        names, trouble = await self._names(caller, run, mailbox, keys[:SHOWN])
        listed = [HeldContact(key, names.get(key, ""), key in removed) for key in keys[:SHOWN]]
        return HeldReview(
            run=run,
            mailboxes=held,
            planned=planned,
            removed=len(removed),
            updated=len(keys) - len(removed),
            contacts=tuple(sorted(listed, key=lambda c: (not c.removed, c.name.casefold(), c.key))),
            results=first,
            trouble=trouble,
        )

    async def _held(self, caller: Caller, run_id: str) -> tuple[ResultPage, int, ContactCounts]:
        """Return the first held results, how many there are, and what all of them plan."""
        first: tuple[Stored[Result], ...] = ()
        count, planned, token = 0, ContactCounts(), None
        while True:
            page = await page_of_results(
                self._store, caller.tenant, run_id, _PAGE, token, Outcome.HELD
            )
            first = first or page.items[:SHOWN]
            for stored in page.items:
                planned += stored.value.planned or ContactCounts()
            count, token = count + len(page.items), page.token
            if token is None:
                shown = await self._runs.addressed(caller, run_id, Listing(first, None))
                return shown, count, planned

    async def _names(
        self, caller: Caller, run: Run, mailbox: str, keys: list[str]
    ) -> tuple[dict[str, str], ContactSyncError | None]:
        """Return the names that contacts have in a mailbox, or why they cannot be read."""
        try:
            work = await self._mailboxes.look_into(caller.tenant, run.import_id, mailbox)
            known = await work.known()
            ids = {key: known[key].id for key in keys if key in known and known[key].id}
            names = await work.mailbox.names(list(ids.values()))
        except (NeedsAdmin, TransientError) as error:
            return {}, error
        return {key: names[id_] for key, id_ in ids.items() if id_ in names}, None


def _removals_first(change: HeldChange) -> tuple[bool, str]:
    return change.kind != REMOVE, change.key
