"""Violations that today's engine is known for; the runner counts them, but does not fail for them.

Whoever mends one takes its line out, down to an empty table.
"""

from collections.abc import Mapping
from typing import Final

KNOWN: Final[Mapping[str, str]] = {
    "I5 failure": "1-13: redelivered, late and repeated messages fail as defects",
    "I10 snapshot": "13: a snapshot stays when its first row is deleted before a crash",
    "I14": "3: a run that is given up after it spread counts nothing",
    "I15": "3, 11: a run stays queued or running",
    "I15 busy": "a run whose result is lost looks for it every 15 seconds, for a day",
    "I16": "5, 6, 7: late and repeated messages undo what a run says",
    "I17 deleted": "1, 2: contacts of a deleted import stay",
    "I17 left": "2, 15: contacts of a tenant that left stay",
    "I17 not wanted": "2: contacts in a former target stay",
    "I17 rows": "13: state of a deleted import stays",
    "I17 suppressed": "5, 8: a person who was removed stays or comes back",
    "I17 withdrawn": "2: contacts of a withdrawn share stay",
    "I17 blocked": "2: contacts of a blocked partner stay",
    "I18": "a mailbox does not converge within calm days",
    "I19": "12: an approved run is held again",
}
"""The beginning of an invariant's name, and which faults of the engine it shows."""


def known(invariant: str) -> str | None:
    """Return the finding that an invariant's violation belongs to, if it is known."""
    found = [begin for begin in KNOWN if invariant.startswith(begin)]
    return KNOWN[max(found, key=len)] if found else None
