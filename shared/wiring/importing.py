"""Imports and their runs."""

from shared.services.importing.decisions import Decisions
from shared.services.importing.imports import Imports
from shared.services.importing.run_closing import RunClosing
from shared.services.importing.run_resolving import RunResolving
from shared.services.importing.run_start import RunStart
from shared.services.importing.runs import Runs
from shared.services.importing.timetable import Timetable
from shared.wiring.foundation import Foundation
from shared.wiring.licensing import Licensing
from shared.wiring.sharing import Sharing
from shared.wiring.tenancy import Tenancy


class Importing:
    """The services of this area."""

    def __init__(
        self, base: Foundation, tenancy: Tenancy, licensing: Licensing, sharing: Sharing
    ) -> None:
        self.imports = Imports(
            base.store,
            base.clock,
            tenancy.ledger,
            sharing.publications,
            sharing.subscribers,
            licensing.licenses,
            base.book,
            base.directory,
            licensing.missing_mailboxes,
        )
        self.runs = Runs(
            base.store,
            base.clock,
            self.imports,
            licensing.licenses,
            base.book,
            base.directory,
            tenancy.ledger,
        )
        self.decisions = Decisions(base.store, tenancy.ledger, base.book)
        self.run_start = RunStart(
            base.store,
            base.queues,
            base.snapshots,
            base.book,
            RunResolving(
                base.directory,
                base.states,
                base.snapshots,
                sharing.publications,
                sharing.subscribers,
                licensing.seats,
                licensing.missing_mailboxes,
                tenancy.tenants,
                base.clock,
            ),
            sharing.publications,
            tenancy.tenants,
            base.clock,
            base.new_id,
        )
        self.run_closing = RunClosing(
            base.store,
            base.queues,
            base.snapshots,
            base.states,
            sharing.subscribers,
            base.book,
            base.clock,
        )
        self.timetable = Timetable(
            base.store,
            base.queues,
            base.book,
            self.run_closing,
            base.states,
            sharing.publications,
            sharing.suppressions,
            base.settings.terms,
            base.clock,
        )
