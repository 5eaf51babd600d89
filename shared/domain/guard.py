"""The brake on mass deletion: whether a plan may run or is held for an admin."""

from dataclasses import dataclass

from shared.domain.plan import Plan


@dataclass(frozen=True, slots=True)
class Guard:
    """How many contacts of a mailbox one run may remove without asking.

    The larger of `deletes` (a number) and `delete_share` (of those known, 0 to 1) counts.
    """

    deletes: int = 10
    delete_share: float = 0.2

    def holds(self, plan: Plan, known: int) -> bool:
        """Say whether the plan removes too many of the `known` contacts of the mailbox."""
        removed = sum(1 for delete in plan.deletes if delete.key)
        return removed > max(self.deletes, self.delete_share * known)
