"""Violations that the engine is known for; the runner counts them, but does not fail for them.

Whoever mends one takes its line out, down to an empty table.
"""

from collections.abc import Mapping
from typing import Final

KNOWN: Final[Mapping[str, str]] = {
    "I10 snapshot before": "a killed closing leaves a snapshot until the nightly sweep erases it",
    "I15 before": "an approved or waiting run is looked for before the tick has driven it on",
    "I15 busy": "a run whose result is lost looks for it until the tick sends it again",
    "I17 forgotten": "restored tables do not name a mailbox that an import had not reached then",
    "I18 forgotten": "restored tables do not name a mailbox that an import had not reached then",
    "I17 left rows": "a message that comes after its tenant left takes a lease, whose row stays",
    "I17 rows": "a start that was superseded may register its import with the share once more",
}
"""The beginning of an invariant's name, and which faults of the engine it shows."""


def known(invariant: str) -> str | None:
    """Return the finding that an invariant's violation belongs to, if it is known."""
    found = [begin for begin in KNOWN if invariant.startswith(begin)]
    return KNOWN[max(found, key=len)] if found else None
