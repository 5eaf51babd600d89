"""Writes the remedies of reasons into the workbook's query `reasons.kql`, for `make openapi`."""

import re
from pathlib import Path
from typing import Final

from shared.domain.reasons import Reason
from shared.web.texts.reasons import REMEDIES
from tests.sources import ROOT

FILE: Final = ROOT / "infra" / "queries" / "reasons.kql"
_TABLE: Final = re.compile(
    r"(?<=datatable\(Reason: string, Remedy: string\)\[\n).*?(?=\n\])", re.DOTALL
)


def reasons_of_runs() -> list[Reason]:
    """Return the reasons that a run or a mailbox can have; those after them are of people."""
    reasons = list(Reason)
    return reasons[: reasons.index(Reason.MAILBOXES_FAILED) + 1]


def write(file: Path = FILE) -> None:
    """Replace the table of remedies by the current one."""
    rows = [f"    '{reason}', '{_escaped(REMEDIES[reason])}'" for reason in reasons_of_runs()]
    table = ",\n".join(rows)
    file.write_text(_TABLE.sub(lambda _: table, file.read_text("utf-8"), count=1), "utf-8")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


if __name__ == "__main__":
    write()
