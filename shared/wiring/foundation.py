"""What all areas build on: settings, ports, and the adapters on top of them."""

from dataclasses import dataclass

import httpx

from shared.adapters.entra.credentials import AppCredentials
from shared.adapters.graph.mailbox_directory import MailboxDirectory
from shared.adapters.graph.transport import Graph
from shared.adapters.storage.leases import Leases
from shared.adapters.storage.mailboxes.mailbox_state import MailboxStates
from shared.adapters.storage.queues import Queues
from shared.adapters.storage.snapshots import Snapshots
from shared.adapters.storage.store import Store
from shared.adapters.storage.tables.client import Tables
from shared.adapters.vault import Vault
from shared.services.importing.run_book import RunBook
from shared.wiring.ports import Clock, NewId, Ports
from shared.wiring.settings import Settings


@dataclass(frozen=True, slots=True)
class Foundation:
    """Settings, ports, and the adapters that several areas use."""

    settings: Settings
    ports: Ports
    clock: Clock
    new_id: NewId
    vault: Vault | None
    credentials: AppCredentials
    graph: Graph
    http: httpx.AsyncClient
    tables: Tables
    queues: Queues
    store: Store
    states: MailboxStates
    snapshots: Snapshots
    leases: Leases
    directory: MailboxDirectory
    book: RunBook


def build_foundation(settings: Settings, ports: Ports) -> Foundation:
    """Put the adapters together, without sending anything."""
    tables = Tables(ports.tables)
    store, snapshots, queues = Store(tables), Snapshots(tables), Queues(ports.queues)
    graph = Graph(settings.graph_endpoint, ports.wire)
    return Foundation(
        settings=settings,
        ports=ports,
        clock=ports.clock,
        new_id=ports.new_id,
        vault=ports.vault,
        credentials=ports.credentials,
        graph=graph,
        http=ports.http,
        tables=tables,
        queues=queues,
        store=store,
        states=MailboxStates(tables),
        snapshots=snapshots,
        leases=Leases(tables),
        directory=MailboxDirectory(graph),
        book=RunBook(store, queues, snapshots, ports.clock),
    )
