"""HTTP: what Microsoft lets the app do in the caller's tenant, checked line by line."""

from datetime import datetime

import azure.functions as func

from shared.domain.model import Model
from shared.domain.tenancy.tenant_checks import (
    PERMISSION_OF,
    CheckInput,
    CheckLine,
    CheckReason,
    CheckState,
    LineCode,
    LineState,
    TenantCheck,
)
from shared.web.admission import READERS, WRITERS
from shared.web.calls import Call, api
from shared.web.operations import ApiResponse
from shared.web.texts.checks import CAUSES, QUESTIONS, SOLUTIONS

bp = func.Blueprint()


class CheckLineView(Model):
    """One line of a check: what was asked, and the answer.

    `permission` is the permission that the line asks for. `reason`, `cause` and `solution` are null
    if the line is ok.
    """

    line: LineCode
    """What was checked."""
    question: str
    """The question in words."""
    permission: str | None
    """The permission that is needed, or null if the line is about something else."""
    state: LineState
    """The answer."""
    reason: CheckReason | None
    """Why the line is not ok, or null."""
    cause: str | None
    """The reason in words, or null."""
    solution: str | None
    """What to do about it, or null."""


class TenantCheckView(Model):
    """The last check of the tenant. Lines appear as they are answered.

    `by` is the object id of who asked for it, `tested` the mailbox that was read and written.
    `result` is the worst state of all lines, once the check is done. While `cleaningUp`, a mailbox
    may still hold the test contact; Contact Sync keeps trying to remove it.
    """

    id: str
    """The check's id."""
    state: CheckState
    """How far the check is. `done` is final."""
    result: LineState | None
    """The worst state of all lines, or null while the check goes on."""
    asked: datetime
    """When the check was asked for (UTC)."""
    by: str
    """The object id of who asked for it."""
    ended: datetime | None
    """When it ended (UTC), or null."""
    mailbox: str | None
    """The mailbox to check, as asked for; null: the first target of an import."""
    outside: str | None
    """The mailbox outside of the scope, as asked for, or null."""
    tested: str | None
    """The mailbox that was read and written, or null if none was."""
    cleaning_up: bool
    """Whether a mailbox may still hold the test contact. Contact Sync keeps trying to remove it."""
    lines: list[CheckLineView]
    """The answers so far, in the order of the check."""

    @classmethod
    def of(cls, check: TenantCheck) -> "TenantCheckView":
        """Return the view of a check."""
        return cls(
            id=check.id,
            state=check.state,
            result=check.result,
            asked=check.asked,
            by=check.by,
            ended=check.ended,
            mailbox=check.mailbox,
            outside=check.outside,
            tested=check.tested,
            cleaning_up=check.state is CheckState.DONE and bool(check.left),
            lines=[_line(line) for line in check.lines],
        )


@api(
    bp,
    "POST",
    "api/v1/tenant/check",
    WRITERS,
    body=CheckInput,
    may_be_empty=True,
    responses={202: TenantCheckView},
)
async def start_tenant_check(call: Call) -> ApiResponse:
    """Check consent, permissions, the directory, a mailbox and the scope in Exchange.

    The check writes a test contact and a category to one target mailbox and removes them again. If
    a check is under way, returns that one. `GET /tenant/check` shows the result.
    """
    check = await call.app.checks.tenant_checks.start(
        call.caller, call.input(CheckInput), call.execution
    )
    return ApiResponse(TenantCheckView.of(check), 202, at="tenant/check")


@api(
    bp, "GET", "api/v1/tenant/check", READERS, may_be_missing=True, responses={200: TenantCheckView}
)
async def get_tenant_check(call: Call) -> ApiResponse:
    """Get the tenant's last check, which is kept for 30 days."""
    return ApiResponse(TenantCheckView.of(await call.app.checks.tenant_checks.read(call.caller)))


def _line(line: CheckLine) -> CheckLineView:
    reason = line.reason
    return CheckLineView(
        line=line.line,
        question=QUESTIONS[line.line],
        permission=PERMISSION_OF.get(line.line),
        state=line.state,
        reason=reason,
        cause=CAUSES[reason] if reason is not None else None,
        solution=SOLUTIONS[reason] if reason is not None else None,
    )
