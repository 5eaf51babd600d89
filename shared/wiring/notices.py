"""Notices to admins."""

from shared.adapters.loopback import is_loopback
from shared.services.notices.courier import Courier
from shared.services.notices.delivery_log import DeliveryLog
from shared.services.notices.preferences import Preferences
from shared.services.notices.watch import Watch
from shared.wiring.entra import Entra
from shared.wiring.foundation import Foundation
from shared.wiring.insight import Insight
from shared.wiring.licensing import Licensing
from shared.wiring.sharing import Sharing
from shared.wiring.tenancy import Tenancy


class Notices:
    """The services of this area."""

    def __init__(
        self,
        base: Foundation,
        entra: Entra,
        tenancy: Tenancy,
        licensing: Licensing,
        sharing: Sharing,
        insight: Insight,
    ) -> None:
        self.preferences = Preferences(
            base.store,
            entra.seal,
            tenancy.ledger,
            base.clock,
            base.new_id,
            local=is_loopback(base.settings.entra_authority),
        )
        self.watch = Watch(
            base.store,
            base.queues,
            self.preferences,
            insight.overviews,
            licensing.removals,
            sharing.subscribers,
            base.clock,
            base.new_id,
        )
        self.courier = Courier(
            base.store,
            entra.seal,
            base.ports.webhooks,
            self.preferences,
            self.watch,
            base.clock,
            base.settings.portal_origin,
        )
        self.log = DeliveryLog(base.store, self.preferences, self.watch, tenancy.ledger, base.clock)
