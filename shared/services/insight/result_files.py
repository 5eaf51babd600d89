"""A run's results as a file for spreadsheet programs."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from shared.adapters.entra.access_tokens import Caller
from shared.domain.importing.runs import Outcome, Result
from shared.domain.reasons import Reason
from shared.domain.spreadsheet import MAX_ROWS, Cell, Delimiter, csv_lines, csv_start
from shared.domain.tenancy.tenants import LedgerAction
from shared.services.importing.runs import Runs
from shared.services.insight.finding import Finding
from shared.services.tenancy.reads import Reads

_PAGE: Final = 1_000
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
"""The columns for people; the columns for programs follow them."""
_CODES: Final = ("mailbox", "outcome", "reason", "graphRequests", "throttled", "milliseconds")


@dataclass(frozen=True, slots=True)
class Words:
    """The names of columns, outcomes and reasons in one language, and the remedies."""

    headings: Mapping[str, str]
    outcomes: Mapping[str, str]
    reasons: Mapping[str, str]
    remedy: Callable[[Reason], str]


class ResultFiles:
    """Files with the results of the caller's tenant's runs; none is stored."""

    def __init__(self, runs: Runs, finding: Finding, reads: Reads) -> None:
        self._runs = runs
        self._reads = reads
        self._finding = finding

    async def parts(
        self,
        caller: Caller,
        run: str,
        outcome: Outcome | None = None,
        delimiter: Delimiter = ",",
        *,
        words: Words,
        text: str = "",
    ) -> AsyncIterator[bytes]:
        """Return the file in parts of 1,000 results, in UTF-8 with the mark that Excel needs.

        It holds the results of one `outcome`, those of the mailboxes that match a `text`, or all of
        them. The columns for people come first and those for programs follow. It ends after 50,000
        results. Raises `NotFound` if the tenant has no such run.
        """
        await self._runs.read(caller, run)
        await self._reads.note(caller, LedgerAction.EXPORTED, run)
        headings = [*(words.headings[name] for name in _PEOPLE), *_CODES]
        yield csv_start(headings, delimiter)
        token, count = None, 0
        while count < MAX_ROWS:
            page = (
                await self._finding.results(caller, run, text, outcome, _PAGE, token)
                if text
                else await self._runs.results(caller, run, _PAGE, token, outcome)
            )
            results = [stored.value for stored in page.listing.items]
            rows = (_row(r, page.addresses.get(r.mailbox) or r.mailbox, words) for r in results)
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
        *,
        words: Words,
        text: str = "",
    ) -> bytes:
        """Return the same file as a whole."""
        parts = self.parts(caller, run, outcome, delimiter, text=text, words=words)
        return b"".join([part async for part in parts])


def _row(result: Result, address: str, words: Words) -> list[Cell]:
    counts, reason = result.contacts, result.reason
    return [
        address,
        words.outcomes[result.outcome],
        words.reasons.get(reason, reason) if reason else "",
        words.remedy(reason) if reason else "",
        counts.created,
        counts.updated,
        counts.deleted,
        counts.unchanged,
        result.photos,
        result.rejected_count,
        result.ended.isoformat(timespec="seconds"),
        # The columns for programs.
        result.mailbox,
        result.outcome,
        reason or "",
        result.graph_requests,
        result.throttled,
        result.milliseconds,
    ]
