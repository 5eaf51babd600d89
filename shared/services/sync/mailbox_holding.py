"""Which part of a mailbox's plan waits for an admin; the rest is applied.

Approved changes are applied, and any subset of them. An admin is not asked again about changes that
are waiting or were discarded. The run that finds any other change beyond the guard asks about it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from shared.adapters.storage.mailboxes.mailbox_state import HeldPlan
from shared.adapters.storage.store import Store
from shared.domain.contacts.held_plans import NOTHING, HeldChanges, divide
from shared.domain.contacts.plan import Plan
from shared.domain.importing.runs import Result, Run, RunStatus
from shared.domain.reasons import Reason
from shared.services.sync.mailbox_planning import Planned
from shared.services.sync.mailbox_results import held, left_alone
from shared.services.sync.mailbox_work import MailboxWork

_MOST: Final = 3
"""How many held plans a mailbox remembers; changes of older ones are asked about again."""


@dataclass(frozen=True, slots=True)
class Division:
    """The part of a plan to apply `now`; `held` are the plans about which an admin was asked.

    `told` turns the result of what was applied into the mailbox's result.
    """

    now: Plan
    held: tuple[HeldPlan, ...] = ()
    told: Callable[[Result], Result] = lambda result: result


@dataclass(frozen=True, slots=True)
class _Question:
    """A held plan, the run that asked about it, and the changes that it showed."""

    plan: HeldPlan
    run: Run
    shown: HeldChanges

    @property
    def approved(self) -> bool:
        """Whether an admin approved it.

        An approved run that begins again takes a new number, and approves nothing more by that.
        """
        return self.run.approved and self.plan.number <= self.run.approved_number


async def divided(work: MailboxWork, store: Store, planned: Planned) -> Division:
    """Divide a plan into what may be applied, and what waits for an admin."""
    if not planned.held:
        return Division(planned.plan)
    questions = await _questions(work, store)
    waiting = planned.held.difference(*(q.shown for q in questions if q.approved))
    now, rest = divide(planned.plan, waiting)
    if not waiting:
        return Division(now)
    message = work.message
    open_ = [question for question in questions if not question.approved]
    plans = tuple(question.plan for question in open_)
    known = next((q for q in reversed(open_) if waiting <= q.shown), None)
    if known is None:
        digest = await store.held_plans.write(message.tenant, message.run, waiting)
        plan = HeldPlan(run=message.run, number=message.number, digest=digest)
        return Division(now, (*plans, plan)[-_MOST:], partial(held, rest, message.run))
    if known.plan.run == message.run and known.run.status is not RunStatus.DISCARDED:
        return Division(now, plans, partial(held, rest, message.run))
    discarded = known.run.status is RunStatus.DISCARDED
    reason = Reason.PLAN_DISCARDED if discarded else Reason.APPROVAL_PENDING
    return Division(now, plans, partial(left_alone, reason, known.plan.run))


async def _questions(work: MailboxWork, store: Store) -> list[_Question]:
    """Return what was asked about this mailbox, as far as it is still known."""
    found = []
    tenant = work.message.tenant
    for plan in work.head.held:
        run = await store.runs.get(tenant, plan.run)
        shown = await store.held_plans.read(tenant, plan.run, plan.digest)
        if run is not None and shown != NOTHING:
            found.append(_Question(plan, run.value, shown))
    return found
