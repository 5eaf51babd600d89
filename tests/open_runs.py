"""Opening a run of an import by hand, for tests that drive workers without the run engine."""

from collections.abc import Sequence
from datetime import datetime

from shared.adapters.storage.snapshots import Job, Snapshots, snapshot_id
from shared.adapters.storage.store import Store
from shared.domain.contacts.fields import Contact, fingerprint
from shared.domain.importing.import_life import ImportRuns, OpenRun
from shared.domain.importing.messages import SyncMailbox, Task
from shared.domain.importing.runs import RunTrigger


async def open_run(
    store: Store,
    tenant: str,
    import_id: str,
    run: str,
    mailbox: str,
    contacts: Sequence[Contact],
    now: datetime,
) -> SyncMailbox:
    """Make a run the open one of its import, with a snapshot; return its mailbox's message."""
    found = await store.imports.get(tenant, import_id)
    assert found is not None
    known = await store.import_runs.get(tenant, import_id)
    number = (known.value.sequence if known is not None else 0) + 1
    opened = OpenRun(
        id=run, trigger=RunTrigger.REQUEST, queued=now, number=number, sent=now, progressed=now
    )
    await store.import_runs.upsert(
        tenant, import_id, ImportRuns(import_id=import_id, sequence=number, open=opened)
    )
    snapshot = snapshot_id(tenant, run, number, "attempt")
    print_ = fingerprint(contacts)
    job = Job(found.value, print_, ((mailbox, Task.SYNC),))
    await Snapshots(store.tables).write(snapshot, contacts, job)
    return SyncMailbox(
        tenant=tenant,
        import_id=import_id,
        run=run,
        number=number,
        snapshot=snapshot,
        mailbox=mailbox,
        fingerprint=print_,
    )
