"""An import and its runs: two rows of one partition that are made and deleted together."""

from collections.abc import AsyncIterator

from shared.adapters.storage.records import Stored
from shared.adapters.storage.store import RUNS_OF_IMPORT, Store
from shared.adapters.storage.tables.transactions import DeleteRow
from shared.domain.importing.import_life import ImportRuns
from shared.domain.importing.imports import Import


async def insert_import(store: Store, tenant: str, import_: Import) -> Stored[Import]:
    """Write a new import, with no runs yet; raises `Conflict` if it exists."""
    rows = (
        store.imports.inserting(import_.id, import_),
        store.import_runs.inserting(import_.id, ImportRuns(import_id=import_.id)),
    )
    etags = await store.imports.transact(tenant, rows)
    return Stored(import_, etags[import_.id])


async def delete_import(store: Store, tenant: str, import_id: str) -> None:
    """Delete an import and its runs; raises `PreconditionFailed` if it does not exist."""
    rows = (DeleteRow(import_id), DeleteRow(f"{RUNS_OF_IMPORT}{import_id}"))
    await store.imports.transact(tenant, rows)


async def imports_with_runs(store: Store) -> AsyncIterator[tuple[str, Import, ImportRuns]]:
    """Read the imports of all tenants, each with its tenant and its runs; for timers only."""
    tenant, found, runs = "", dict[str, Import](), list[ImportRuns]()
    rows = store.tables.rows(store.imports.table, "PartitionKey ge @p", {"p": ""})
    async for row in rows:
        if row.partition != tenant:
            for known in runs:
                if known.import_id in found:
                    yield tenant, found[known.import_id], known
            tenant, found, runs = row.partition, {}, []
        if row.row.startswith(RUNS_OF_IMPORT):
            runs.append(store.import_runs.parsed(row).value)
        else:
            found[row.row] = store.imports.parsed(row).value
    for known in runs:
        if known.import_id in found:
            yield tenant, found[known.import_id], known
