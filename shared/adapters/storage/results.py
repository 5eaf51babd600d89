"""The results of a run: one row per mailbox that had work, one per chunk of those that had none.

The row of a chunk stands behind those of its mailboxes, so that results are read in their order.
Only this module knows which of the two a mailbox has.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from shared.adapters.storage.models import ChunkResult
from shared.adapters.storage.records import Listing, Stored
from shared.adapters.storage.store import Store, results_of
from shared.adapters.storage.tables.client import Row
from shared.adapters.storage.tables.conditions import Condition
from shared.adapters.storage.tables.continuation import foreign_token, opaque, read_opaque
from shared.domain.importing.runs import ContactCounts, Outcome, Result
from shared.domain.reasons import Reason

_END: Final = "~"
"""Follows the last mailbox of a chunk in the key of its row; no mailbox id contains it."""
_COUNT: Final = "count"
_UNEQUAL: Final = (Outcome.FAILED, Outcome.HELD, Outcome.SKIPPED)
_CAUSE_PAGES: Final = 5
_EXAMPLES: Final = 5


@dataclass(frozen=True, slots=True)
class UnequalCause:
    """The mailboxes of a run that have one outcome for one reason: how many, and the first ones."""

    outcome: Outcome
    reason: Reason | None
    count: int
    mailboxes: tuple[str, ...]


async def write_chunk(
    store: Store, tenant: str, run: str, last: str, chunk: ChunkResult | None
) -> None:
    """Write the result of mailboxes that had nothing to do, or delete it if there are none.

    `last` is the last mailbox of the whole chunk, also if that one had something to do.
    """
    partition, row = results_of(tenant, run), f"{last}{_END}"
    if chunk is None:
        await store.result_chunks.delete(partition, row)
    else:
        await store.result_chunks.upsert(partition, row, chunk)


async def all_results(store: Store, tenant: str, run: str) -> AsyncIterator[Result]:
    """Read all results of a run."""
    async for row in store.tables.partition(store.results.table, results_of(tenant, run)):
        for stored in _results(store, row):
            yield stored.value


async def count_results(store: Store, tenant: str, run: str) -> int:
    """Return how many mailboxes of a run have a result."""
    rows = store.tables.partition(store.results.table, results_of(tenant, run), ["RowKey", _COUNT])
    return sum([int(row.columns.get(_COUNT) or 1) async for row in rows])


async def find_result(store: Store, tenant: str, run: str, mailbox: str) -> Stored[Result] | None:
    """Return the result of one mailbox."""
    partition = results_of(tenant, run)
    found = await store.results.get(partition, mailbox)
    if found is not None:
        return found
    page = await store.tables.page(
        store.results.table,
        "PartitionKey eq @p and RowKey ge @row and count ge 1",
        {"p": partition, "row": mailbox},
        size=1,
    )
    known = [r for row in page.rows for r in _results(store, row) if r.value.mailbox == mailbox]
    return known[0] if known else None


async def neighbor_results(
    store: Store, tenant: str, run: str, mailboxes: Sequence[str]
) -> dict[str, Result]:
    """Return the results of mailboxes of one chunk, with one query."""
    rows = store.tables.rows(
        store.results.table,
        "PartitionKey eq @p and RowKey ge @first and RowKey le @last",
        {"p": results_of(tenant, run), "first": mailboxes[0], "last": f"{mailboxes[-1]}{_END}"},
    )
    found = [stored.value async for row in rows for stored in _results(store, row)]
    return {result.mailbox: result for result in found if result.mailbox in mailboxes}


async def causes_of(store: Store, tenant: str, run: str) -> tuple[list[UnequalCause], bool]:
    """Group the mailboxes of a run that did not succeed; failed ones first, most frequent first.

    The second value is false if there are more than 5,000 of one outcome; the others of that
    outcome are then not counted.
    """
    found: list[UnequalCause] = []
    whole = True
    for outcome in _UNEQUAL:
        rows, all_read = await store.results.read_columns(
            results_of(tenant, run),
            ["reason"],
            pages=_CAUSE_PAGES,
            where=[Condition("outcome", "eq", str(outcome))],
        )
        whole = whole and all_read
        by_reason: dict[str, list[str]] = {}
        for row in rows:
            by_reason.setdefault(str(row.columns.get("reason") or ""), []).append(row.row)
        found += [
            UnequalCause(
                outcome,
                Reason(reason) if reason else None,
                len(ids),
                tuple(ids[:_EXAMPLES]),
            )
            for reason, ids in sorted(by_reason.items(), key=lambda each: -len(each[1]))
        ]
    return found, whole


async def page_of_results(
    store: Store,
    tenant: str,
    run: str,
    size: int,
    token: str | None,
    outcome: Outcome | None,
    reason: Reason | None = None,
) -> Listing[Result]:
    """Return a page of a run's results, of one `outcome` or `reason` if they are given.

    A page may end within the row of a chunk: its token says how many of that row were shown.
    """
    partition = results_of(tenant, run)
    mark = f"{partition}|{outcome or ''}" + (f"|{reason}" if reason else "")
    after, shown = _decoded(token, mark)
    query, given = "PartitionKey eq @p and RowKey ge @row", {"p": partition, "row": after}
    if outcome is not None:
        query, given = f"{query} and outcome eq @outcome", {**given, "outcome": str(outcome)}
    if reason is not None:
        query, given = f"{query} and reason eq @reason", {**given, "reason": str(reason)}
    items: list[Stored[Result]] = []
    inner: str | None = None
    while True:
        page = await store.tables.page(
            store.results.table, query, given, size=min(size + 1, 1000), token=inner
        )
        for row in page.rows:
            of_row = _results(store, row)
            start = shown if row.row == after else 0
            left = of_row[start:]
            room = size - len(items)
            if left and not room:
                return Listing(tuple(items), opaque([mark, row.row, 0]))
            items += left[:room]
            if len(left) > room:
                return Listing(tuple(items), opaque([mark, row.row, start + room]))
        inner = page.token
        if inner is None:
            return Listing(tuple(items), None)


def _decoded(token: str | None, mark: str) -> tuple[str, int]:
    if token is None:
        return "", 0
    match read_opaque(token):
        case [str(given), str(row), int(shown)] if given == mark:
            return row, shown
    raise foreign_token()


def _results(store: Store, row: Row) -> list[Stored[Result]]:
    if not row.row.endswith(_END):
        return [store.results.parsed(row)]
    chunk = store.result_chunks.parsed(row)
    return [Stored(result, chunk.etag) for result in _unpacked(chunk.value)]


def _unpacked(chunk: ChunkResult) -> Iterable[Result]:
    for number, (mailbox, contacts) in enumerate(zip(chunk.mailboxes, chunk.contacts, strict=True)):
        yield Result(
            mailbox=mailbox,
            outcome=Outcome.SUCCEEDED,
            number=chunk.number,
            contacts=ContactCounts(unchanged=contacts),
            # One HTTP request for all of them.
            graph_requests=chunk.graph_requests if number == 0 else 0,
            ended=chunk.ended,
        )
