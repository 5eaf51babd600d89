"""The guard against mass changes: whether a plan may run or is held for an admin."""

from dataclasses import dataclass

from shared.domain.contacts.plan import Plan
from shared.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class Guard:
    """How much one run may change in a mailbox before an admin must approve it.

    A run may delete up to `deletes` contacts or the share `delete_share` (0 to 1) of the known
    ones, whichever is higher; `changes` and `change_share` limit updates in the same way. Repairs
    of a contact and deletions of duplicates do not count.
    """

    deletes: int = 10
    delete_share: float = 0.2
    changes: int = 100
    change_share: float = 0.5

    def objection(self, plan: Plan, known: int) -> Reason | None:
        """Return why to hold the plan, or None; `known` counts the contacts in the mailbox."""
        if len(plan.removed) > max(self.deletes, self.delete_share * known):
            return Reason.TOO_MANY_DELETES
        if len(plan.changed) > max(self.changes, self.change_share * known):
            return Reason.TOO_MANY_CHANGES
        return None
