"""The guard against mass changes: whether a plan may run or is held for an admin."""

from dataclasses import dataclass

from shared.domain.contacts.held_plans import HeldChanges, held_changes
from shared.domain.contacts.plan import Plan
from shared.domain.importing.imports import GuardLimits
from shared.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class Guard:
    """How much one run may change before an admin must approve it.

    In a mailbox, it may delete up to `deletes` contacts or the part `delete_share` (0 to 1) of the
    known ones, whichever is more; `changes` and `change_share` limit updates in the same way.
    Removals and changes of source data count. Repairs of a contact, rewrites of our own making and
    deletions of duplicates do not. `creates` and `create_share` limit how much the import's share
    may grow; filling a new mailbox does not count.
    """

    deletes: int = 10
    delete_share: float = 0.2
    changes: int = 100
    change_share: float = 0.5
    creates: int = 100
    create_share: float = 0.5

    def objection(self, plan: Plan, known: int) -> Reason | None:
        """Return why to hold the plan, or None; `known` counts the contacts in the mailbox."""
        if self._deletes_too_many(plan, known):
            return Reason.TOO_MANY_DELETES
        return Reason.TOO_MANY_CHANGES if self._changes_too_many(plan, known) else None

    def held(self, plan: Plan, known: int) -> HeldChanges:
        """Return what to hold of the plan: its removals or its changes, where they are too many."""
        return held_changes(
            plan.removed if self._deletes_too_many(plan, known) else (),
            plan.changed if self._changes_too_many(plan, known) else (),
        )

    def _deletes_too_many(self, plan: Plan, known: int) -> bool:
        return len(plan.removed) > max(self.deletes, self.delete_share * known)

    def _changes_too_many(self, plan: Plan, known: int) -> bool:
        return len(plan.changed) > max(self.changes, self.change_share * known)

    def objection_to_growth(self, before: int | None, now: int) -> Reason | None:
        """Return why to hold a run whose share had `before` contacts, or None.

        `before` is how many there were when they were last applied or approved; None means never.
        """
        if before is not None and now - before > max(self.creates, self.create_share * before):
            return Reason.TOO_MANY_CREATES
        return None


def guard_of(limits: GuardLimits) -> Guard:
    """Return the guard that an import's limits describe."""
    return Guard(
        limits.deletes,
        limits.delete_share,
        limits.changes,
        limits.change_share,
        limits.creates,
        limits.create_share,
    )
