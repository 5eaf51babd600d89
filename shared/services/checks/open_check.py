"""The check that a worker works on: it is changed only as it is known, and answers are asked."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from shared.adapters.storage.records import Stored
from shared.adapters.storage.store import CHECK_ROW, TENANT_ROW, Store
from shared.domain.errors import Busy, NeedsAdmin, PreconditionFailed, TransientError
from shared.domain.tenancy.tenant_checks import (
    CheckLine,
    CheckReason,
    Leftover,
    LineCode,
    TenantCheck,
    check_reason,
)
from shared.domain.tenancy.tenants import Tenant, TenantStatus

_TRIES: Final = 4
_TRIES_WHILE_BUSY: Final = 10


class CheckSupersededError(Exception):
    """The check changed meanwhile: another worker has it, a newer one began, or it is erased."""


@dataclass(slots=True)
class OpenCheck:
    """A check under way. `attempt` is how often its message was put back."""

    store: Store
    tenant: str
    stored: Stored[TenantCheck]
    clock: Callable[[], datetime]
    attempt: int = 0

    @property
    def value(self) -> TenantCheck:
        """The check as it is stored."""
        return self.stored.value

    async def save(self, **values: Any) -> None:
        """Store other values; raises `CheckSupersededError` if the check changed meanwhile."""
        value = self.value.copy_with(**values, changed=self.clock())
        try:
            self.stored = await self.store.checks.replace(
                self.tenant, CHECK_ROW, value, self.stored.etag
            )
        except PreconditionFailed as error:
            raise CheckSupersededError from error

    async def record(self, answers: Mapping[LineCode, CheckReason | None], **values: Any) -> None:
        """Store the answers to lines that have none yet, in the order of the lines."""
        new = self.value.open_lines(list(answers))
        lines = [*self.value.lines, *(CheckLine(line=n, reason=answers[n]) for n in new)]
        lines.sort(key=lambda found: list(LineCode).index(found.line))
        await self.save(lines=lines, **values)

    async def skip(self, lines: Sequence[LineCode], reason: CheckReason) -> None:
        """Give all these lines the same answer."""
        await self.record(dict.fromkeys(lines, reason))

    async def intend(self, mailbox: str, *, category: bool = False) -> None:
        """Store that a mailbox may now hold something of a check, before it is written.

        Only then it is asked whether the tenant leaves: so either leaving sees the mailbox, or this
        worker sees that the tenant leaves and raises `CheckSupersededError`.
        """
        known = self.may_have_category(mailbox)
        leftover = Leftover(mailbox=mailbox, category=known or category)
        if leftover not in self.value.left or self.value.tested != mailbox:
            await self.save(left=[*self.others(mailbox), leftover], tested=mailbox)
        if await self.tenant_of() is None:
            raise CheckSupersededError

    def may_have_category(self, mailbox: str) -> bool:
        """Return whether a mailbox may hold the test category."""
        return any(left.category for left in self.value.left if left.mailbox == mailbox)

    def others(self, mailbox: str) -> list[Leftover]:
        """Return the other mailboxes that may hold something of a check."""
        return [left for left in self.value.left if left.mailbox != mailbox]

    async def tenant_of(self) -> Tenant | None:
        """Return the tenant; None if it leaves or has left."""
        stored = await self.store.tenants.get(self.tenant, TENANT_ROW)
        if stored is None or stored.value.status is TenantStatus.LEAVING:
            return None
        return stored.value

    async def answer(
        self,
        asked: Awaitable[CheckReason | None],
        otherwise: CheckReason = CheckReason.READ_REFUSED,
    ) -> CheckReason | None:
        """Return the answer to a line: None if it is ok, `otherwise` for an unnamed refusal.

        A transient error is raised, so that the message is put back; after a few times, the line
        says so instead.
        """
        try:
            return await asked
        except NeedsAdmin as error:
            return check_reason(error.reason, otherwise)
        except TransientError as error:
            return self.given_up(error)

    def given_up(self, error: TransientError) -> CheckReason:
        """Return what a line says after too many transient errors; before, raise the error."""
        busy = isinstance(error, Busy)
        if self.attempt < (_TRIES_WHILE_BUSY if busy else _TRIES):
            raise error
        return CheckReason.MAILBOX_BUSY if busy else CheckReason.MICROSOFT_UNAVAILABLE
