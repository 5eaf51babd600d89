"""Syncing mailboxes, and adopting the contacts that another tool left in one."""

from shared.services.importing.adoptions import Adoptions
from shared.services.sync.mailbox_checks import MailboxChecks
from shared.services.sync.mailbox_sync import MailboxSync
from shared.services.sync.mailboxes import Mailboxes
from shared.wiring.foundation import Foundation
from shared.wiring.importing import Importing
from shared.wiring.licensing import Licensing
from shared.wiring.sharing import Sharing
from shared.wiring.tenancy import Tenancy


class Sync:
    """The services of this area."""

    def __init__(
        self,
        base: Foundation,
        tenancy: Tenancy,
        licensing: Licensing,
        sharing: Sharing,
        importing: Importing,
    ) -> None:
        self.mailboxes = Mailboxes(
            base.store, base.graph, base.states, base.leases, base.clock, base.new_id
        )
        self.mailbox_checks = MailboxChecks(
            base.store, base.queues, base.snapshots, base.states, base.graph, base.clock
        )
        self.mailbox_sync = MailboxSync(
            base.store,
            self.mailboxes,
            base.snapshots,
            licensing.missing_mailboxes,
            tenancy.tenants,
            sharing.publications,
        )
        self.adoptions = Adoptions(
            importing.imports,
            sharing.publications,
            self.mailboxes,
            tenancy.ledger,
            tenancy.reads,
        )
