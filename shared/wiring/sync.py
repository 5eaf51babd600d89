"""Syncing mailboxes, and taking over the contacts that another tool left in one."""

from dataclasses import dataclass

from shared.services.importing.adoptions import Adoptions
from shared.services.sync.mailbox_sync import MailboxSync
from shared.services.sync.mailboxes import Mailboxes
from shared.wiring.foundation import Foundation
from shared.wiring.importing import Importing
from shared.wiring.licensing import Licensing
from shared.wiring.sharing import Sharing
from shared.wiring.tenancy import Tenancy


@dataclass(frozen=True, slots=True)
class Sync:
    """The services of this area."""

    mailboxes: Mailboxes
    mailbox_sync: MailboxSync
    adoptions: Adoptions


def build_sync(
    base: Foundation,
    tenancy: Tenancy,
    licensing: Licensing,
    sharing: Sharing,
    importing: Importing,
) -> Sync:
    """Put the services of this area together."""
    mailboxes = Mailboxes(base.store, base.graph, base.states, base.clock, base.new_id)
    return Sync(
        mailboxes=mailboxes,
        mailbox_sync=MailboxSync(
            base.store,
            mailboxes,
            base.snapshots,
            licensing.seats.release,
            tenancy.tenants.consent_doubted,
        ),
        adoptions=Adoptions(importing.imports, sharing.publications, mailboxes, tenancy.ledger),
    )
