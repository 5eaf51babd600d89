"""Who may do what is decided in one place, in the same way for API and portal."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace

import pytest

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.records import Stored
from shared.domain.errors import CallerError, Conflict, Forbidden, SignInTooOld, TooManyRequests
from shared.domain.tenancy.tenants import Tenant, TenantStatus
from shared.services.tenancy.limits import Limiter
from shared.services.tenancy.tenants import TenantGone
from shared.web.admission import OPERATORS, READERS, WRITERS, Requirement, admit
from tests.sources import SHARED, files

HOME = "home"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def caller(tenant: str, *roles: str) -> Caller:
    return Caller(tenant, "ada", "Ada", frozenset(roles))


async def known(status: TenantStatus | None, caller: Caller) -> Stored[Tenant]:
    if status is None:
        raise TenantGone("tenant_left")
    return Stored(Tenant(id=caller.tenant, joined=datetime.now(UTC), status=status), "1")


async def own_client(_: Caller) -> None:
    """Accept the application that calls."""


def app_of(
    status: TenantStatus | None = TenantStatus.CONNECTED, calls: int = 1000
) -> SimpleNamespace:
    return SimpleNamespace(
        tenancy=SimpleNamespace(
            limiter=Limiter(calls),
            tenants=SimpleNamespace(known=partial(known, status), require_client=own_client),
        ),
        settings=SimpleNamespace(home_tenant=HOME),
        clock=lambda: NOW,
    )


READ, CHANGE = Requirement(READERS), Requirement(WRITERS, changes=True)
LEAVE = Requirement(WRITERS, changes=True, leaving=True)
JOIN = Requirement(WRITERS, joined=False, changes=True)
OPERATE = Requirement(OPERATORS, joined=False)


@pytest.mark.parametrize(
    ("who", "access", "status", "refusal"),
    [
        (caller("a", "Reader"), READ, TenantStatus.CONNECTED, None),
        (caller("a", "Reader"), READ, TenantStatus.LEAVING, None),
        (caller("a", "Reader"), CHANGE, TenantStatus.CONNECTED, Forbidden),
        (caller("a", "Admin"), CHANGE, TenantStatus.DISCONNECTED, None),
        (caller("a", "Admin"), CHANGE, TenantStatus.LEAVING, Conflict),
        (caller("a", "Admin"), LEAVE, TenantStatus.LEAVING, None),
        (caller("a", "Admin"), READ, None, TenantGone),
        (caller("a", "Admin"), JOIN, None, None),
        (caller("a", "Reader"), JOIN, None, Forbidden),
        (caller(HOME, "Operator"), OPERATE, None, None),
        (caller("a", "Operator"), OPERATE, None, Forbidden),
        (caller("a"), READ, TenantStatus.CONNECTED, Forbidden),
    ],
)
async def test_role_and_state_of_the_tenant_decide(
    who: Caller, access: Requirement, status: TenantStatus | None, refusal: type[CallerError] | None
) -> None:
    app = app_of(status)

    if refusal is not None:
        with pytest.raises(refusal):
            await admit(app, who, access)  # type: ignore[arg-type] # what it asks for is there
        return
    admitted = await admit(app, who, access)  # type: ignore[arg-type]

    assert (admitted.tenant is not None) is access.joined


async def test_roles_that_do_not_count_are_taken_away() -> None:
    admitted = await admit(app_of(), caller("a", "Admin", "Operator"), READ)  # type: ignore[arg-type]

    assert admitted.caller.roles == {"Admin"}


async def test_calls_are_counted_before_the_role_is_checked() -> None:
    app = app_of(calls=10)

    for _ in range(10):
        with pytest.raises(Forbidden):
            await admit(app, caller("a"), READ)  # type: ignore[arg-type]
    with pytest.raises(TooManyRequests):
        await admit(app, caller("a"), READ)  # type: ignore[arg-type]

    await admit(app, replace(caller("a", "Admin"), oid="bob"), READ)  # type: ignore[arg-type]


FRESH = replace(READ, fresh=True)


@pytest.mark.parametrize(
    ("program", "minutes", "refused"),
    [(False, 9, False), (False, 10, True), (False, None, True), (True, None, False)],
)
async def test_what_cannot_be_undone_needs_a_new_sign_in_of_a_person(
    program: bool,  # noqa: FBT001 - a parameter of the test
    minutes: int | None,
    refused: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    signed_in = None if minutes is None else NOW - timedelta(minutes=minutes)
    who = replace(caller("a", "Admin"), program=program, signed_in=signed_in)

    if refused:
        with pytest.raises(SignInTooOld):
            await admit(app_of(), who, FRESH)  # type: ignore[arg-type]
    else:
        assert (await admit(app_of(), who, FRESH)).tenant is not None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "rule",
    [
        "count_call(",
        "limiter.count_stranger(",
        ".roles &",
        "TenantStatus.LEAVING",
        "gateway.require(",
    ],
)
def test_no_rule_of_admission_stands_anywhere_else_at_the_edge(rule: str) -> None:
    edge = [p for part in ("web", "api", "portal") for p in files(SHARED / part, "*.py")]
    found = [p.name for p in edge if rule in p.read_text("utf-8")]

    assert found == ["admission.py"]
