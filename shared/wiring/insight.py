"""Views for admins: the start page, search, previews, history and files of results."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from shared.adapters.storage.records import TENANT_ROW
from shared.domain.importing.messages import IMPORT_RUNS
from shared.services.insight.finding import Finding
from shared.services.insight.overview import Overviews
from shared.services.insight.previews import Previews
from shared.services.insight.readiness import Checks, Readiness
from shared.services.insight.result_files import ResultFiles
from shared.services.insight.run_history import RunHistories
from shared.wiring.entra import SESSION_KEY, SESSION_KEYS_OPEN, Entra
from shared.wiring.foundation import Foundation
from shared.wiring.importing import Importing
from shared.wiring.licensing import Licensing
from shared.wiring.privacy import Privacy
from shared.wiring.sharing import Sharing
from shared.wiring.sync import Sync
from shared.wiring.tenancy import Tenancy


@dataclass(frozen=True, slots=True)
class Insight:
    """The services of this area."""

    previews: Previews
    finding: Finding
    overviews: Overviews
    run_histories: RunHistories
    result_files: ResultFiles
    readiness: Readiness


def build_insight(
    base: Foundation,
    entra: Entra,
    tenancy: Tenancy,
    licensing: Licensing,
    sharing: Sharing,
    importing: Importing,
    sync: Sync,
    privacy: Privacy,
) -> Insight:
    """Put the services of this area together."""
    previews = Previews(
        base.store,
        base.graph,
        sharing.shares,
        importing.imports,
        sharing.publications,
        sync.mailboxes,
        base.clock,
    )
    finding = Finding(
        base.store,
        base.states,
        sharing.directory,
        privacy.people,
        previews,
        importing.runs,
        licensing.seats,
    )
    return Insight(
        previews=previews,
        finding=finding,
        overviews=Overviews(base.store, tenancy.tenants, licensing.licenses, base.clock),
        run_histories=RunHistories(base.store, base.clock),
        result_files=ResultFiles(importing.runs, finding),
        readiness=Readiness(_checks(base, entra)),
    )


def _checks(base: Foundation, entra: Entra) -> Checks:
    """What has to answer for the app to work; the vault only if something is kept in it."""
    settings, vault = base.settings, base.vault
    checks: dict[str, Callable[[], Awaitable[object]]] = {
        "tables": lambda: base.store.tenants.get("ready", TENANT_ROW),
        "queues": lambda: base.queues.ask(IMPORT_RUNS),
        "token-keys": entra.tokens.ready,
    }
    if vault is not None:
        if settings.session_key is None:
            checks["key-vault"] = partial(vault.versions, SESSION_KEY, SESSION_KEYS_OPEN, anew=True)
        elif settings.credential.startswith("key-vault"):
            checks["key-vault"] = partial(vault.current, settings.credential_name, anew=True)
    return checks
