"""Where the parts are put together, once per process and event loop, at first use.

Clients of Azure and Graph belong to the event loop in which they were made, and the worker runs
all `async def` functions in one; nothing is opened when the module is imported.
"""

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import httpx
from azure.core.pipeline.transport import AioHttpTransport
from azure.core.settings import settings as azure_settings
from azure.data.tables.aio import TableServiceClient
from azure.identity.aio import ManagedIdentityCredential
from azure.storage.queue.aio import QueueServiceClient

from shared.adapters.entra.access_tokens import AccessTokens
from shared.adapters.entra.credentials import AppCredentials
from shared.adapters.entra.gateway_tokens import Gateway, Passport
from shared.adapters.entra.sign_in import SignIn
from shared.adapters.graph import directory
from shared.adapters.graph.transport import Graph
from shared.adapters.sealing import Seal
from shared.adapters.storage.mailbox_state import MailboxStates
from shared.adapters.storage.queues import Queues
from shared.adapters.storage.records import TENANT_ROW, Store
from shared.adapters.storage.snapshots import Snapshots
from shared.adapters.storage.tables import Tables
from shared.adapters.storage.tenant_data import Holdings
from shared.adapters.vault import Vault
from shared.domain.errors import Defect
from shared.domain.importing.imports import Targets
from shared.domain.importing.messages import IMPORT_RUNS
from shared.services.importing.adoptions import Adoptions
from shared.services.importing.decisions import Decisions
from shared.services.importing.imports import Imports
from shared.services.importing.run_closing import RunClosing
from shared.services.importing.run_queue import RunQueue
from shared.services.importing.run_start import FanOut
from shared.services.importing.runs import Runs
from shared.services.importing.targets import resolve_targets
from shared.services.importing.timetable import Timetable
from shared.services.insight.finding import Finding
from shared.services.insight.overview import Overviews
from shared.services.insight.previews import Previews
from shared.services.insight.readiness import Checks, Readiness
from shared.services.insight.result_files import ResultFiles
from shared.services.insight.run_history import Histories
from shared.services.licensing.licenses import Licenses
from shared.services.licensing.seats import SeatBook
from shared.services.privacy.people import People
from shared.services.privacy.suppressions import KeptOutPeople
from shared.services.sharing.directory_search import DirectorySearch
from shared.services.sharing.publications import Publications
from shared.services.sharing.shares import Shares
from shared.services.sharing.subscribers import Consumers
from shared.services.sync.mailbox_sync import MailboxSync
from shared.services.sync.mailboxes import Mailboxes
from shared.services.tenancy.joining import Joining
from shared.services.tenancy.leaving import Leaving
from shared.services.tenancy.ledger import Ledger
from shared.services.tenancy.limits import Limiter
from shared.services.tenancy.tenants import Tenants
from shared.settings import Settings

SESSION_KEY: Final = "session-key"
"""The secret, in Key Vault, that seals cookies; made anew to renew it (`Fernet.generate_key`)."""
SESSION_KEYS_OPEN: Final = 2
"""How many versions of it open them: the present one and the one before."""

type Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The time; the only place that asks the machine."""
    return datetime.now(UTC)


def new_id() -> str:
    """A new id of 128 random bits, as 32 hexadecimal digits: unguessable, and fit for a key."""
    return secrets.token_hex(16)


@dataclass(slots=True)
class App:
    """Everything a trigger may call."""

    settings: Settings
    clock: Clock
    store: Store
    queues: Queues
    graph: Graph
    credentials: AppCredentials
    http: httpx.AsyncClient
    tokens: AccessTokens
    gateway: Gateway
    addresses: Callable[[str, Sequence[str]], Awaitable[dict[str, str]]]
    seal: Seal
    joining: Joining
    limiter: Limiter
    tenants: Tenants
    directory: DirectorySearch
    ledger: Ledger
    holdings: Holdings
    shares: Shares
    imports: Imports
    publications: Publications
    licenses: Licenses
    runs: Runs
    histories: Histories
    result_files: ResultFiles
    decisions: Decisions
    previews: Previews
    adoptions: Adoptions
    people: People
    finding: Finding
    overviews: Overviews
    leaving: Leaving
    timetable: Timetable
    fan_out: FanOut
    mailbox_sync: MailboxSync
    run_closing: RunClosing
    readiness: Readiness
    identity: ManagedIdentityCredential | None
    vault: Vault | None

    async def close(self) -> None:
        """Close every connection."""
        await self.graph.close()
        await self.credentials.close()
        await self.queues.close()
        await self.store.tables.close()
        await self.http.aclose()
        if self.vault is not None:
            await self.vault.close()
        if self.identity is not None:
            await self.identity.close()


_clock: Clock = utc_now
_apps: dict[asyncio.AbstractEventLoop, App] = {}


def app() -> App:
    """The app of the running event loop, built from the environment at first use."""
    loop = asyncio.get_running_loop()
    found = _apps.get(loop)
    if found is None:
        settings = Settings.from_environment(os.environ)
        found = _apps[loop] = build(settings, _now, new_id)
    return found


def _now() -> datetime:
    return _clock()


def use_clock(clock: Clock) -> None:
    """Give the app another clock (aware, UTC), such as one that a test moves."""
    global _clock  # noqa: PLW0603 - one clock per process, like the machine's own
    _clock = clock


async def close() -> None:
    """Close the app of the running event loop, if there is one."""
    found = _apps.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.close()


def build(settings: Settings, clock: Clock, ids: Callable[[], str]) -> App:
    """Put the parts together."""
    # The Azure SDKs' own spans would hold whole URLs: the keys of rows, and of share ids.
    azure_settings.tracing_enabled = False
    identity = _identity(settings)
    vault = _vault(settings, identity, clock)
    tables, queues = _storage(settings, identity)
    store = Store(tables)
    credentials = AppCredentials(settings, identity, vault)
    graph = Graph(settings.graph_endpoint, credentials)
    http = httpx.AsyncClient(timeout=10.0)
    states, snapshots = MailboxStates(tables), Snapshots(tables)

    async def find_mailboxes(tenant: str, targets: Targets) -> frozenset[str]:
        return frozenset((await resolve_targets(graph.session(tenant), targets)).mailboxes)

    async def addresses(tenant: str, mailboxes: Sequence[str]) -> dict[str, str]:
        users = await directory.mailboxes_by_id(graph.session(tenant), mailboxes)
        return {id_: str(user["mail"]) for id_, user in users.items() if user.get("mail")}

    async def find_domain(tenant: str, user: str) -> str:
        return await directory.domain_of(graph.session(tenant), user)

    ledger = Ledger(store, clock, ids)
    seats = SeatBook(store, clock, settings.terms)
    licenses = Licenses(store, clock, ledger, seats, settings.terms)
    tenants = Tenants(store, credentials, find_domain, settings.data_region, clock, ledger)
    limiter = Limiter(settings.calls_per_minute)
    kept_out = KeptOutPeople(store, clock)
    consumers = Consumers(store, clock)
    publications = Publications(store, graph, clock, limiter, kept_out)
    run_queue = RunQueue(store, queues, clock)
    mailboxes = Mailboxes(store, graph, states, clock, ids)
    shares = Shares(store, clock, ids, ledger, consumers)
    imports = Imports(
        store,
        clock,
        ids,
        ledger,
        publications,
        consumers,
        licenses,
        run_queue.queue,
        find_mailboxes,
    )
    directory_search = DirectorySearch(graph)
    runs = Runs(store, clock, imports, licenses, run_queue.queue, addresses)
    previews = Previews(store, graph, shares, imports, publications, mailboxes, clock)
    people = People(store, states, publications, consumers, kept_out, run_queue, ledger, clock)
    finding = Finding(store, states, directory_search, people, previews, runs, seats)
    holdings = Holdings(tables)
    tokens = AccessTokens(http, settings.entra_authority, settings.client_id)
    joining = Joining(
        sign_in=SignIn(settings.entra_authority, settings.client_id, credentials.for_sign_in),
        tokens=tokens,
        tenants=tenants,
        authority=settings.entra_authority,
        client_id=settings.client_id,
        origin=settings.portal_origin,
    )
    return App(
        settings=settings,
        clock=clock,
        store=store,
        queues=queues,
        graph=graph,
        credentials=credentials,
        http=http,
        tokens=tokens,
        gateway=Gateway(tokens, _passport(settings), settings.portal_origin),
        addresses=addresses,
        seal=Seal(partial(_session_keys, settings, vault), clock),
        joining=joining,
        limiter=limiter,
        tenants=tenants,
        directory=directory_search,
        ledger=ledger,
        holdings=holdings,
        shares=shares,
        imports=imports,
        publications=publications,
        licenses=licenses,
        runs=runs,
        histories=Histories(store, clock),
        result_files=ResultFiles(runs, finding),
        decisions=Decisions(store, ledger, run_queue.send, run_queue.queue),
        previews=previews,
        adoptions=Adoptions(imports, publications, mailboxes, ledger),
        people=people,
        finding=finding,
        overviews=Overviews(store, tenants, licenses, clock),
        leaving=Leaving(store, holdings, states, queues, run_queue, consumers, ledger, clock),
        timetable=Timetable(store, run_queue, tenants, settings.terms, clock),
        fan_out=FanOut(
            store,
            queues,
            graph,
            states,
            snapshots,
            publications,
            consumers,
            seats,
            tenants,
            clock,
        ),
        mailbox_sync=MailboxSync(
            store, mailboxes, snapshots, seats.release, tenants.consent_doubted
        ),
        run_closing=RunClosing(store, snapshots, consumers, clock),
        readiness=Readiness(_checks(settings, store, queues, vault, tokens)),
        identity=identity,
        vault=vault,
    )


def _identity(settings: Settings) -> ManagedIdentityCredential | None:
    """The app's managed identity, if anything needs it; it reads IDENTITY_ENDPOINT itself."""
    needed = (
        settings.credential == "managed-identity"
        or settings.key_vault_uri
        or not settings.storage_connection_string
    )
    if not needed:
        return None
    return ManagedIdentityCredential(client_id=settings.managed_identity_client_id)


def _passport(settings: Settings) -> Passport | None:
    """What the gateway's token says, if there is a gateway."""
    if settings.gateway_principal is None or settings.home_tenant is None:
        return None
    return Passport(settings.home_tenant, settings.gateway_principal)


async def _session_keys(settings: Settings, vault: Vault | None) -> list[str]:
    """The keys that seal cookies, the newest first: the vault's, or on this machine a setting's."""
    if settings.session_key is not None:
        return [settings.session_key]
    if vault is None:
        raise Defect("Set KEY_VAULT_URI: the vault's secret session-key seals the cookies.")
    return [version.value for version in await vault.versions(SESSION_KEY, SESSION_KEYS_OPEN)]


def _checks(
    settings: Settings, store: Store, queues: Queues, vault: Vault | None, tokens: AccessTokens
) -> Checks:
    """What has to answer for the app to work; the vault only if something is kept in it."""
    checks: dict[str, Callable[[], Awaitable[object]]] = {
        "tables": lambda: store.tenants.get("ready", TENANT_ROW),
        "queues": lambda: queues.ask(IMPORT_RUNS),
        "token-keys": tokens.ready,
    }
    if vault is not None:
        if settings.session_key is None:
            checks["key-vault"] = partial(vault.versions, SESSION_KEY, SESSION_KEYS_OPEN, anew=True)
        elif settings.credential.startswith("key-vault"):
            checks["key-vault"] = partial(vault.current, settings.credential_name, anew=True)
    return checks


def _vault(
    settings: Settings, identity: ManagedIdentityCredential | None, clock: Clock
) -> Vault | None:
    if settings.key_vault_uri is None or identity is None:
        return None
    return Vault(settings.key_vault_uri, identity, clock)


def _storage(
    settings: Settings, identity: ManagedIdentityCredential | None
) -> tuple[Tables, Queues]:
    def options() -> dict[str, Any]:
        # Looking for proxies and .netrc takes a sixth of a request's CPU; Azure has neither.
        transport = AioHttpTransport(use_env_settings=False)
        return {"retry_total": 3, "retry_backoff_factor": 0.5, "transport": transport}

    if settings.storage_connection_string or identity is None:
        text = str(settings.storage_connection_string)
        return (
            Tables(TableServiceClient.from_connection_string(text, **options())),
            Queues(QueueServiceClient.from_connection_string(text, **options())),
        )
    table_url, queue_url = str(settings.table_endpoint), str(settings.queue_endpoint)
    return (
        Tables(TableServiceClient(table_url, credential=identity, **options())),
        Queues(QueueServiceClient(queue_url, credential=identity, **options())),
    )
