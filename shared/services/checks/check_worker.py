"""Works on checks, one message of the queue `tenant-checks` at a time.

A message may come twice, late, or after a newer check; a worker may be killed at any line. The
check is saved after each part, and before a mailbox is written, so that the next worker goes on
from there. What a killed worker left in a mailbox is removed by the next one, by the sweep, or by
leaving.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final

from shared.adapters.graph import check_reads, directory
from shared.adapters.graph.transport import Graph, GraphSession
from shared.adapters.storage.store import CHECK_ROW, Store
from shared.domain.errors import Busy, NeedsAdmin, TransientError
from shared.domain.importing.imports import Targets
from shared.domain.importing.messages import CheckTenant
from shared.domain.reasons import Reason
from shared.domain.tenancy.permissions import PERMISSIONS, covers
from shared.domain.tenancy.tenant_checks import (
    PERMISSION_OF,
    CheckReason,
    CheckState,
    Leftover,
    LineCode,
    check_reason,
)
from shared.domain.tenancy.tenants import TenantStatus
from shared.services.checks.mailbox_trial import MARK_OF_CHECKS, MailboxTrial
from shared.services.checks.open_check import CheckSupersededError, OpenCheck
from shared.services.sync.mailbox_work import MailboxWork
from shared.services.sync.mailboxes import Mailboxes
from shared.services.tenancy.tenants import SETTLING, Proof

_DIRECTORY: Final = tuple(LineCode)[: tuple(LineCode).index(LineCode.MAILBOX_READ)]
_MAILBOX: Final = tuple(LineCode)[len(_DIRECTORY) : tuple(LineCode).index(LineCode.SCOPE)]
_READS: Final[Mapping[LineCode, check_reads.Listed]] = {
    LineCode.USERS: "/users",
    LineCode.GROUPS: "/groups",
    LineCode.ORG_CONTACTS: "/contacts",
}
_TARGETS_READ: Final = 100
_PERMISSIONS: Final = {permission.name: permission for permission in PERMISSIONS}


class CheckWorker:
    """Works on the checks of all tenants."""

    def __init__(
        self,
        store: Store,
        graph: Graph,
        mailboxes: Mailboxes,
        proof: Proof,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._graph = graph
        self._mailboxes = mailboxes
        self._proof = proof
        self._clock = clock

    async def run(self, message: CheckTenant) -> None:
        """Go on with a check, and clean up after it. A message of an older check does nothing."""
        check = await self._open(message.tenant, message.check, message.attempt)
        if check is None:
            return
        try:
            if check.value.state is not CheckState.DONE:
                await self._go_on(check)
            await self._clean(check)
        except CheckSupersededError as error:
            again = await self._open(message.tenant, message.check, message.attempt)
            if again is not None and await again.tenant_of() is not None:
                raise Busy("The check changed while a worker had it.", 1.0) from error

    async def give_up(self, message: CheckTenant) -> None:
        """End a check whose message failed too often."""
        check = await self._open(message.tenant, message.check, message.attempt)
        if check is not None and check.value.state is not CheckState.DONE:
            await self._end(check, CheckReason.GAVE_UP)

    async def settle(self, tenant: str) -> list[str]:
        """Clean up before a tenant leaves; return the mailboxes where that is refused.

        Raises `Busy` while a request of a check may still take effect.
        """
        check = await self._open(tenant, None, 0)
        if check is None:
            return []
        try:
            await self._clean(check)
        except CheckSupersededError as error:
            raise Busy("The check changed while the tenant leaves.", 1.0) from error
        return await self.left_in(tenant)

    async def left_in(self, tenant: str) -> list[str]:
        """Return the mailboxes that may hold something of a tenant's checks."""
        check = await self._open(tenant, None, 0)
        return [left.mailbox for left in check.value.left] if check is not None else []

    async def _open(self, tenant: str, id_: str | None, attempt: int) -> OpenCheck | None:
        stored = await self._store.checks.get(tenant, CHECK_ROW)
        if stored is None or (id_ is not None and stored.value.id != id_):
            return None
        return OpenCheck(self._store, tenant, stored, self._clock, attempt)

    async def _go_on(self, check: OpenCheck) -> None:
        if await check.tenant_of() is None:
            await self._end(check, CheckReason.TENANT_LEAVING)
            return
        if check.value.state is CheckState.QUEUED:
            await check.save(state=CheckState.RUNNING)
        if check.value.open_lines(_DIRECTORY):
            await self._ask_directory(check)
        if check.value.open_lines(_MAILBOX):
            await self._ask_mailbox(check)
        if check.value.open_lines([LineCode.SCOPE]):
            await check.record({LineCode.SCOPE: await check.answer(self._scope(check))})
        await check.save(state=CheckState.DONE, ended=self._clock())

    async def _end(self, check: OpenCheck, reason: CheckReason) -> None:
        missing = check.value.open_lines(tuple(LineCode))
        await check.record(
            dict.fromkeys(missing, reason), state=CheckState.DONE, ended=self._clock()
        )

    async def _ask_directory(self, check: OpenCheck) -> None:
        """Ask for a new token and its permissions, and read the directory with it."""
        self._proof.forget(check.tenant)
        granted = frozenset[str]()

        async def consent() -> CheckReason | None:
            nonlocal granted
            granted = await self._proof.prove(check.tenant)
            return None

        answers = {LineCode.CONSENT: await check.answer(consent(), CheckReason.ENTRA_REFUSED)}
        session = self._graph.session(check.tenant)
        for line, name in PERMISSION_OF.items():
            permission = _PERMISSIONS[name]
            if answers[LineCode.CONSENT] is not None:
                answers[line] = CheckReason.NOT_REACHED
            elif not covers(granted, permission):
                answers[line] = (
                    CheckReason.PERMISSION_MISSING
                    if permission.needed
                    else CheckReason.EXCHANGE_DECIDES
                )
            else:
                answers[line] = await check.answer(_read(session, line))
        if CheckReason.READ_REFUSED in answers.values() and await self._settling(check):
            answers = {
                line: CheckReason.CONSENT_SETTLING if reason is CheckReason.READ_REFUSED else reason
                for line, reason in answers.items()
            }
        await check.record(answers)

    async def _ask_mailbox(self, check: OpenCheck) -> None:
        """Read and write one mailbox, and clean it up."""
        session = self._graph.session(check.tenant)
        if check.value.reason_of(LineCode.USERS) is not None:
            await check.skip(_MAILBOX, CheckReason.NOT_REACHED)
            return
        try:
            mailbox = await self._mailbox(check, session)
            if not isinstance(mailbox, CheckReason):
                work = await self._mailboxes.leased(check.tenant, MARK_OF_CHECKS, mailbox)
        except NeedsAdmin as error:
            mailbox = check_reason(error.reason, CheckReason.READ_REFUSED)
        except TransientError as error:
            mailbox = check.given_up(error)
        if isinstance(mailbox, CheckReason):
            await check.record(_unreached(mailbox))
            return
        try:
            await self._try_out(check, work, session)
        finally:
            await work.release()

    async def _try_out(self, check: OpenCheck, work: MailboxWork, session: GraphSession) -> None:
        mailbox, ask = work.message.mailbox, check.answer
        trial = MailboxTrial(work, session, category=check.may_have_category(mailbox))
        reason = await ask(trial.read())
        if reason is not None:
            if reason is CheckReason.ACCESS_DENIED and await self._settling(check):
                reason = CheckReason.CONSENT_SETTLING
            await check.record(_unreached(reason), tested=mailbox)
            return
        await check.intend(mailbox)
        await ask(trial.clean_up())  # what an earlier worker left
        written = await ask(trial.write_contact(), CheckReason.WRITE_REFUSED)
        photo = await ask(trial.write_photo(), CheckReason.PHOTO_REFUSED)
        await check.intend(mailbox, category=True)
        answers = {
            LineCode.MAILBOX_READ: None,
            LineCode.CONTACT_WRITTEN: written,
            LineCode.CONTACT_PHOTO: photo,
            LineCode.CATEGORY: await ask(trial.write_category(), CheckReason.CATEGORY_REFUSED),
            LineCode.CONTACT_REMOVED: await self._removed(check, trial),
            LineCode.USER_PHOTO: await ask(trial.read_photo(), CheckReason.PHOTO_REFUSED),
        }
        left = check.others(mailbox)
        if answers[LineCode.CONTACT_REMOVED] not in _REMOVED or trial.unsettled():
            left = [*left, Leftover(mailbox=mailbox, category=trial.category)]
        await check.record(answers, left=left)

    async def _removed(self, check: OpenCheck, trial: MailboxTrial) -> CheckReason | None:
        reason = await check.answer(trial.clean_up(), CheckReason.NOT_REMOVED_YET)
        return reason if reason in _REMOVED else CheckReason.NOT_REMOVED_YET

    async def _clean(self, check: OpenCheck) -> None:
        """Remove what checks left in mailboxes, as far as Microsoft lets us.

        Raises `Busy` if a request may still take effect: the mailbox is then looked at again.
        """
        session = self._graph.session(check.tenant)
        for leftover in check.value.left:
            work = await self._mailboxes.leased(check.tenant, MARK_OF_CHECKS, leftover.mailbox)
            try:
                trial = MailboxTrial(work, session, category=leftover.category)
                try:
                    reason = await trial.clean_up()
                except NeedsAdmin:
                    continue  # the sweep tries again
                if reason not in _REMOVED:
                    continue
                if unsettled := trial.unsettled():
                    message = "A request of a check may still take effect."
                    raise Busy(message, unsettled.total_seconds())
            finally:
                await work.release()
            await self._forget(check, leftover, reason)

    async def _forget(
        self, check: OpenCheck, leftover: Leftover, reason: CheckReason | None
    ) -> None:
        lines = check.value.lines
        if leftover.mailbox == check.value.tested:
            lines = [
                line.copy_with(reason=reason)
                if line.reason is CheckReason.NOT_REMOVED_YET
                else line
                for line in lines
            ]
        await check.save(left=check.others(leftover.mailbox), lines=lines)

    async def _mailbox(self, check: OpenCheck, session: GraphSession) -> str | CheckReason:
        """Return the mailbox to try out: the one that was named, or the first target."""
        if named := check.value.mailbox:
            users = await directory.mailboxes_by_id(session, [named])
            if not users:
                return CheckReason.USER_NOT_FOUND
            return _with_mail(users.values()) or CheckReason.NO_MAILBOX
        async for stored in self._store.imports.all(check.tenant):
            if not stored.value.removing:
                found = await _first_target(session, stored.value.targets)
                if found is not None:
                    return found
        return CheckReason.NO_TARGET

    async def _scope(self, check: OpenCheck) -> CheckReason | None:
        """Ask whether a mailbox outside of the scope is closed to the app.

        It proves nothing if no other mailbox is open, or if it is not there.
        """
        value = check.value
        wide = value.reason_of(LineCode.CONTACTS) is None
        if value.reason_of(LineCode.CONSENT) is not None:
            return CheckReason.NOT_REACHED
        if value.outside is None:
            return CheckReason.ALL_MAILBOXES if wide else CheckReason.NO_MAILBOX_NAMED
        same = value.tested is not None and value.tested.lower() == value.outside.lower()
        if same or value.reason_of(LineCode.MAILBOX_READ) is not None:
            return CheckReason.SCOPE_UNPROVEN
        try:
            found = await check_reads.is_open(self._graph.session(check.tenant), value.outside)
        except NeedsAdmin:
            return CheckReason.SCOPE_UNPROVEN
        if not found:
            return None
        return CheckReason.OPEN_IN_ENTRA if wide else CheckReason.OPEN_IN_EXCHANGE

    async def _settling(self, check: OpenCheck) -> bool:
        """Return whether the consent is so new that it may not be active everywhere."""
        tenant = await check.tenant_of()
        if tenant is None or tenant.status is not TenantStatus.CONNECTED or tenant.since is None:
            return False
        return self._clock() < tenant.since + SETTLING


_REMOVED: Final = (None, CheckReason.IN_DELETED_ITEMS)


def _unreached(reason: CheckReason) -> dict[LineCode, CheckReason | None]:
    """Return the answers of a mailbox that cannot be read."""
    rest = CheckReason.NO_TARGET if reason is CheckReason.NO_TARGET else CheckReason.NOT_REACHED
    return {**dict.fromkeys(_MAILBOX, rest), LineCode.MAILBOX_READ: reason}


async def _read(session: GraphSession, line: LineCode) -> CheckReason | None:
    """Read what a permission opens in the directory; mailboxes have lines of their own."""
    if line in _READS:
        await check_reads.read_one(session, _READS[line])
    return None


async def _first_target(session: GraphSession, targets: Targets) -> str | None:
    """Return the first target of an import that has a mail address."""
    if first := targets.users[:_TARGETS_READ]:
        users = await directory.mailboxes_by_id(session, first)
        if found := _with_mail(users.values()):
            return found
    for group in targets.groups:
        try:
            async for user in directory.group_mailboxes(session, group):
                if user.get("mail"):
                    return str(user["id"])
        except NeedsAdmin as error:
            if error.reason is not Reason.GROUP_NOT_FOUND:
                raise
    return None


def _with_mail(users: Iterable[directory.Object]) -> str | None:
    """Return the id of the first user with a mail address."""
    return next((str(user["id"]) for user in users if user.get("mail")), None)
