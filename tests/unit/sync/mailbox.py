"""A mailbox of the Graph simulator, and the work in it, without storage."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from shared.adapters.graph.mailboxes.mailbox import Mailbox
from shared.adapters.storage.mailboxes.mailbox_contacts import ContactRows, Loaded
from shared.adapters.storage.mailboxes.mailbox_state import Head, MailboxStates
from shared.adapters.storage.store import Store
from shared.domain.contacts.known import Known, KnownContacts
from shared.domain.importing.messages import SyncMailbox
from shared.services.sync.mailbox_work import NO_RUN, MailboxWork
from tests.unit.sharing.simulated_graph import SimulatedGraph, guid

NO_WAIT = {"Retry-After": "0"}
USER = guid(1)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def work_in(graph: SimulatedGraph, known: KnownContacts | None = None, **head: Any) -> MailboxWork:
    """Return the work in the mailbox of `USER`, in which these contacts of ours are known."""
    if USER not in graph.tenant.mailboxes:
        graph.add_user(1)
    message = SyncMailbox(tenant="t", import_id="i-1", run=NO_RUN, number=1, mailbox=USER)
    loaded = Loaded(known or {}, frozenset())

    async def load(*_: object) -> Loaded:
        return loaded

    work = MailboxWork(
        message,
        Mailbox(graph.session(), USER, "i-1"),
        graph.meter,
        cast("Store", None),
        cast("MailboxStates", SimpleNamespace(lists=SimpleNamespace(load=load))),
        cast("Any", None),
        lambda: NOW,
        lambda: "id",
    )
    rows = ContactRows(generation="g", base=1) if known else ContactRows()
    work.head = Head(rows=rows, **head)
    return work


def known_of(ids: Mapping[str, str]) -> KnownContacts:
    """Return contacts that are as we wrote them, given their ids by key."""
    return {key: Known(id_, "written", "seen", 1, "source") for key, id_ in ids.items()}


async def add_contact(graph: SimulatedGraph) -> str:
    """Add a contact to the default folder, and return its id."""
    made = await graph.session().request(
        "POST", f"/users/{USER}/contacts", body={"displayName": "Ann"}
    )
    return str(made.body["id"])


async def contacts_left(graph: SimulatedGraph) -> int:
    """Return how many contacts the default folder holds."""
    answer = await graph.session().read(f"/users/{USER}/contacts")
    return len(answer.body["value"])
