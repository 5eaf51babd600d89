"""A run's results as a file for spreadsheet programs."""

import codecs
from collections.abc import AsyncIterator
from typing import Final

from shared.adapters.identity import Caller
from shared.domain.models import Outcome, Result
from shared.domain.spreadsheet import Cell, Delimiter, csv_lines
from shared.services.runs import Runs

MAX_ROWS: Final = 50_000
"""The most results in one file: five times the largest tenants we count on, some 10 MB."""
_PAGE: Final = 1_000
_HEADINGS: Final = (
    "mailbox",
    "address",
    "outcome",
    "reason",
    "remedy",
    "created",
    "updated",
    "deleted",
    "unchanged",
    "photos",
    "rejected",
    "graphRequests",
    "throttled",
    "milliseconds",
    "ended",
)


class ResultFiles:
    """Files of the caller's tenant's runs; nothing is kept of them."""

    def __init__(self, runs: Runs) -> None:
        """Read the results from these."""
        self._runs = runs

    async def parts(
        self,
        caller: Caller,
        run: str,
        outcome: Outcome | None = None,
        delimiter: Delimiter = ",",
    ) -> AsyncIterator[bytes]:
        """The file (UTF-8 with its mark, which Excel needs) in parts of 1,000 results.

        It ends after 50,000. Raises `NotFound` if the tenant has no such run.
        """
        yield codecs.BOM_UTF8 + csv_lines([_HEADINGS], delimiter).encode()
        token, count = None, 0
        while count < MAX_ROWS:
            page = await self._runs.results(caller, run, _PAGE, token, outcome)
            results = [stored.value for stored in page.listing.items]
            rows = (_row(result, page.addresses.get(result.mailbox, "")) for result in results)
            yield csv_lines(rows, delimiter).encode()
            token, count = page.listing.token, count + len(results)
            if token is None:
                return

    async def whole(
        self,
        caller: Caller,
        run: str,
        outcome: Outcome | None = None,
        delimiter: Delimiter = ",",
    ) -> bytes:
        """The same file at once."""
        return b"".join([part async for part in self.parts(caller, run, outcome, delimiter)])


def _row(result: Result, address: str) -> tuple[Cell, ...]:
    counts = result.contacts
    return (
        result.mailbox,
        address,
        str(result.outcome),
        str(result.reason or ""),
        result.reason.remedy if result.reason is not None else "",
        counts.created,
        counts.updated,
        counts.deleted,
        counts.unchanged,
        result.photos,
        len(result.rejected),
        result.graph_requests,
        result.throttled,
        result.milliseconds,
        result.ended.isoformat(timespec="seconds"),
    )
