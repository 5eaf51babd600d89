"""An import and its runs: two rows of one partition that are made and deleted together."""

from collections.abc import AsyncIterator

from shared.adapters.storage.records import Stored
from shared.adapters.storage.store import COUNT_OF_OBJECTS, RUNS_OF_IMPORT, Store
from shared.adapters.storage.tables.transactions import DeleteRow, Operation
from shared.domain.errors import Conflict
from shared.domain.importing.import_life import ImportRuns
from shared.domain.importing.imports import Import


async def insert_import(store: Store, tenant: str, import_: Import) -> Stored[Import]:
    """Write a new import, with no runs yet.

    Raises `Conflict` if it exists (`already_exists`), or if the tenant has too many.
    """

    async def rows() -> list[Operation]:
        if await store.imports.get(tenant, import_.id) is not None:
            raise Conflict("already_exists")
        return [
            store.imports.inserting(import_.id, import_),
            store.import_runs.inserting(import_.id, ImportRuns(import_id=import_.id)),
        ]

    etags = await store.import_numbers.add(tenant, rows)
    return Stored(import_, etags[import_.id])


async def delete_import(store: Store, tenant: str, import_id: str) -> None:
    """Delete an import and its runs; raises `PreconditionFailed` if it does not exist."""
    rows = (DeleteRow(import_id), DeleteRow(f"{RUNS_OF_IMPORT}{import_id}"))
    await store.imports.transact(tenant, rows)


async def imports_with_runs(store: Store, tenant: str) -> AsyncIterator[tuple[Import, ImportRuns]]:
    """Read the imports of a tenant, each with its runs."""
    found, runs = dict[str, Import](), list[ImportRuns]()
    async for row in store.tables.partition(store.imports.table, tenant):
        if row.row.startswith(COUNT_OF_OBJECTS):
            continue
        if row.row.startswith(RUNS_OF_IMPORT):
            runs.append(store.import_runs.parsed(row).value)
        else:
            found[row.row] = store.imports.parsed(row).value
    for known in runs:
        if known.import_id in found:
            yield found[known.import_id], known
