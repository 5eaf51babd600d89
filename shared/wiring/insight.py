"""Views for admins: the start page, search, previews, history and result files."""

from shared.adapters.sealing import VaultKeys
from shared.services.insight.audit_log import AuditLog
from shared.services.insight.finding import Finding
from shared.services.insight.held_reviews import HeldReviews
from shared.services.insight.import_list import ImportList
from shared.services.insight.license_details import LicenseDetailsReader
from shared.services.insight.overview import Overviews
from shared.services.insight.previews import Previews
from shared.services.insight.readiness import Dependency, Readiness
from shared.services.insight.result_files import ResultFiles
from shared.services.insight.run_history import RunHistories
from shared.wiring.entra import Entra
from shared.wiring.foundation import Foundation
from shared.wiring.importing import Importing
from shared.wiring.licensing import Licensing
from shared.wiring.privacy import Privacy
from shared.wiring.sharing import Sharing
from shared.wiring.sync import Sync
from shared.wiring.tenancy import Tenancy


class Insight:
    """The services of this area."""

    def __init__(
        self,
        base: Foundation,
        entra: Entra,
        tenancy: Tenancy,
        licensing: Licensing,
        sharing: Sharing,
        importing: Importing,
        sync: Sync,
        privacy: Privacy,
    ) -> None:
        self.previews = Previews(
            base.store,
            base.directory,
            sharing.shares,
            importing.imports,
            sharing.publications,
            sync.mailboxes,
            tenancy.reads,
            base.clock,
        )
        self.finding = Finding(
            base.store,
            base.states,
            sharing.directory,
            privacy.people,
            self.previews,
            importing.runs,
            licensing.seats,
            tenancy.reads,
        )
        self.held_reviews = HeldReviews(base.store, importing.runs, self.finding, sync.mailboxes)
        self.import_list = ImportList(
            importing.imports,
            importing.runs,
            sharing.publications,
            licensing.licenses,
            base.clock,
        )
        self.audit_log = AuditLog(base.store, tenancy.ledger, sharing.directory, tenancy.reads)
        self.licenses = LicenseDetailsReader(licensing.licenses, self.finding, tenancy.ledger)
        self.overviews = Overviews(
            base.store, tenancy.tenants, licensing.licenses, sharing.shares, base.clock
        )
        self.run_histories = RunHistories(base.store, base.clock)
        self.result_files = ResultFiles(importing.runs, self.finding, tenancy.reads)
        self.readiness = Readiness(_dependencies(base, entra))


def _dependencies(base: Foundation, entra: Entra) -> dict[str, Dependency]:
    """Return what must respond for the app to work.

    The vault is included only if the app stores something in it.
    """
    dependencies: dict[str, Dependency] = {
        "tables": base.store,
        "queues": base.queues,
        "token_keys": entra.tokens,
    }
    if base.vault is not None:
        if isinstance(entra.seal_keys, VaultKeys):
            dependencies["key_vault"] = entra.seal_keys
        elif base.settings.credential.startswith("key-vault"):
            dependencies["key_vault"] = base.credentials
    return dependencies
