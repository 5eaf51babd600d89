"""The brake on mass changes: whether a plan may run or is held for an admin."""

from dataclasses import dataclass

from shared.domain.contacts.plan import Plan
from shared.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class Guard:
    """What one run may do to a mailbox's contacts without asking.

    It may delete up to the larger of `deletes` (a number) and `delete_share` (of those known, 0 to
    1), and likewise change `changes` and `change_share`. What only mends a contact, or removes a
    second one of the same source, is never counted.
    """

    deletes: int = 10
    delete_share: float = 0.2
    changes: int = 100
    change_share: float = 0.5

    def objection(self, plan: Plan, known: int) -> Reason | None:
        """Why the plan has to wait, if it has; `known` is how many contacts the mailbox holds."""
        if len(plan.removed) > max(self.deletes, self.delete_share * known):
            return Reason.TOO_MANY_DELETES
        if len(plan.changed) > max(self.changes, self.change_share * known):
            return Reason.TOO_MANY_CHANGES
        return None
