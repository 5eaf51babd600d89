"""Held changes as sets: what of a plan waits for an admin, and what an approval covers.

An approval covers exactly the changes that were shown, and any subset of them. A change with
another target is another change.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from typing import Final, NamedTuple

from shared.domain.contacts.plan import Delete, Plan, Update

REMOVE: Final = "remove"
CHANGE: Final = "change"


class HeldChange(NamedTuple):
    """A removal of the contact of `key`, or its change to the content with the hash `target`."""

    kind: str
    key: str
    target: str = ""


type HeldChanges = frozenset[HeldChange]

NOTHING: Final[HeldChanges] = frozenset()


def held_changes(removed: Iterable[Delete], changed: Iterable[Update]) -> HeldChanges:
    """Return removals and changes of a plan as a set."""
    operations: tuple[Delete | Update, ...] = (*removed, *changed)
    return frozenset(_held_change(operation) for operation in operations)


def divide(plan: Plan, waiting: HeldChanges) -> tuple[Plan, Plan]:
    """Divide a plan into what may be applied now, and what is waiting.

    Additions, repairs, rewrites of our own making and deletions of duplicates never wait.
    """
    if not waiting:
        return plan, Plan((), (), (), plan.unchanged)
    deletes = frozenset(d for d in plan.removed if _held_change(d) in waiting)
    updates = frozenset(u.key for u in plan.changed if _held_change(u) in waiting)
    now = replace(
        plan,
        updates=tuple(u for u in plan.updates if u.key not in updates),
        deletes=tuple(d for d in plan.deletes if d not in deletes),
    )
    held = Plan(
        (),
        tuple(u for u in plan.updates if u.key in updates),
        tuple(d for d in plan.deletes if d in deletes),
        plan.unchanged,
    )
    return now, held


def digest_of(changes: Iterable[HeldChange]) -> str:
    """Return one hash over a set of changes."""
    digest = hashlib.blake2b(digest_size=12)
    for change in sorted(changes):
        digest.update(f"{change.kind}\0{change.key}\0{change.target}\n".encode())
    return digest.hexdigest()


def _held_change(operation: Delete | Update) -> HeldChange:
    if isinstance(operation, Delete):
        return HeldChange(REMOVE, operation.key)
    return HeldChange(CHANGE, operation.key, operation.contact.hash)
