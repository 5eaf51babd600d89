"""Imports and their runs."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from shared.adapters.graph import directory
from shared.domain.importing.imports import Targets
from shared.services.importing.decisions import Decisions
from shared.services.importing.imports import Imports
from shared.services.importing.run_closing import RunClosing
from shared.services.importing.run_queue import RunQueue
from shared.services.importing.run_start import RunStart
from shared.services.importing.runs import Runs
from shared.services.importing.targets import resolve_targets
from shared.services.importing.timetable import Timetable
from shared.wiring.foundation import Foundation
from shared.wiring.licensing import Licensing
from shared.wiring.sharing import Sharing
from shared.wiring.tenancy import Tenancy


@dataclass(frozen=True, slots=True)
class Importing:
    """The services of this area."""

    imports: Imports
    runs: Runs
    decisions: Decisions
    timetable: Timetable
    run_queue: RunQueue
    run_start: RunStart
    run_closing: RunClosing
    addresses: Callable[[str, Sequence[str]], Awaitable[dict[str, str]]]


def build_importing(
    base: Foundation, tenancy: Tenancy, licensing: Licensing, sharing: Sharing
) -> Importing:
    """Put the services of this area together."""

    async def find_mailboxes(tenant: str, targets: Targets) -> frozenset[str]:
        return frozenset((await resolve_targets(base.graph.session(tenant), targets)).mailboxes)

    async def addresses(tenant: str, mailboxes: Sequence[str]) -> dict[str, str]:
        users = await directory.mailboxes_by_id(base.graph.session(tenant), mailboxes)
        return {id_: str(user["mail"]) for id_, user in users.items() if user.get("mail")}

    run_queue = RunQueue(base.store, base.queues, base.clock)
    imports = Imports(
        base.store,
        base.clock,
        base.new_id,
        tenancy.ledger,
        sharing.publications,
        sharing.subscribers,
        licensing.licenses,
        run_queue.queue,
        find_mailboxes,
    )
    return Importing(
        imports=imports,
        runs=Runs(base.store, base.clock, imports, licensing.licenses, run_queue.queue, addresses),
        decisions=Decisions(base.store, tenancy.ledger, run_queue.send, run_queue.queue),
        timetable=Timetable(
            base.store, run_queue, tenancy.tenants, base.settings.terms, base.clock
        ),
        run_queue=run_queue,
        run_start=RunStart(
            base.store,
            base.queues,
            base.graph,
            base.states,
            base.snapshots,
            sharing.publications,
            sharing.subscribers,
            licensing.seats,
            tenancy.tenants,
            base.clock,
        ),
        run_closing=RunClosing(base.store, base.snapshots, sharing.subscribers, base.clock),
        addresses=addresses,
    )
