"""A run's results as a file for spreadsheet programs."""

import codecs
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from shared.adapters.entra.access_tokens import Caller
from shared.domain.importing.runs import Outcome, Result
from shared.domain.reasons import Reason
from shared.domain.spreadsheet import Cell, Delimiter, csv_lines
from shared.services.importing.runs import Runs
from shared.services.insight.finding import Finding

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
_PEOPLE: Final = (
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
    "ended",
)
"""The columns of a file in words; the other ones stand behind them, for programs."""
_CODES: Final = ("mailbox", "outcome", "reason", "graphRequests", "throttled", "milliseconds")


@dataclass(frozen=True, slots=True)
class Words:
    """What a language calls the columns of a file, its outcomes and reasons; and their remedies."""

    headings: Mapping[str, str]
    outcomes: Mapping[str, str]
    reasons: Mapping[str, str]
    remedy: Callable[[Reason], str]

    def told(self, cells: Mapping[str, Cell]) -> dict[str, Cell]:
        """The cells of a row in words."""
        reason = str(cells["reason"])
        return {
            **cells,
            "address": cells["address"] or cells["mailbox"],
            "outcome": self.outcomes[str(cells["outcome"])],
            "reason": self.reasons.get(reason, reason),
            "remedy": self.remedy(Reason(reason)) if reason else "",
        }


class ResultFiles:
    """Files of the caller's tenant's runs; nothing is kept of them."""

    def __init__(self, runs: Runs, finding: Finding) -> None:
        self._runs = runs
        self._finding = finding

    async def parts(
        self,
        caller: Caller,
        run: str,
        outcome: Outcome | None = None,
        delimiter: Delimiter = ",",
        *,
        text: str = "",
        words: Words | None = None,
    ) -> AsyncIterator[bytes]:
        """The file (UTF-8 with its mark, which Excel needs) in parts of 1,000 results.

        It holds the results of one `outcome`, or of the mailboxes that a `text` may mean, or all;
        in `words`, if there are any, with the codes behind them. It ends after 50,000. Raises
        `NotFound` if the tenant has no such run.
        """
        headings = [words.headings[name] for name in _PEOPLE] if words else []
        headings += _CODES if words else _HEADINGS
        yield codecs.BOM_UTF8 + csv_lines([headings], delimiter).encode()
        token, count = None, 0
        while count < MAX_ROWS:
            page = (
                await self._finding.results(caller, run, text, outcome)
                if text
                else await self._runs.results(caller, run, _PAGE, token, outcome)
            )
            results = [stored.value for stored in page.listing.items]
            cells = (_cells(r, page.addresses.get(r.mailbox, "")) for r in results)
            yield csv_lines((_row(each, words) for each in cells), delimiter).encode()
            token, count = page.listing.token, count + len(results)
            if token is None:
                return

    async def whole(
        self,
        caller: Caller,
        run: str,
        outcome: Outcome | None = None,
        delimiter: Delimiter = ",",
        *,
        text: str = "",
        words: Words | None = None,
    ) -> bytes:
        """The same file at once."""
        parts = self.parts(caller, run, outcome, delimiter, text=text, words=words)
        return b"".join([part async for part in parts])


def _row(cells: Mapping[str, Cell], words: Words | None) -> list[Cell]:
    if words is None:
        return [cells[name] for name in _HEADINGS]
    told = words.told(cells)
    return [told[name] for name in _PEOPLE] + [cells[name] for name in _CODES]


def _cells(result: Result, address: str) -> dict[str, Cell]:
    counts = result.contacts
    values = (
        result.mailbox,
        address,
        str(result.outcome),
        str(result.reason or ""),
        "",
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
    return dict(zip(_HEADINGS, values, strict=True))
