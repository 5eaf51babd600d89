"""What needs an admin's attention, most important first."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.importing.runs import RunStatus, RunTrigger
from shared.domain.reasons import Reason
from shared.domain.tenancy.attention import (
    Attention,
    AttentionKind,
    OverviewImport,
    OverviewRun,
    SeatsNow,
    attention,
)
from shared.domain.tenancy.tenants import Tenant, TenantStatus

NOW = datetime(2026, 11, 24, tzinfo=UTC)
TENANT = Tenant(id="t", joined=NOW)
NO_SEATS = SeatsNow(0, 0, None)
ENDED = [status for status in RunStatus if status.ended]


def run(status: RunStatus, reason: Reason | None = None, failed: int = 0) -> OverviewRun:
    return OverviewRun("r", "i", RunTrigger.SCHEDULE, status, reason, 9, failed, 2, 0, NOW)


def overview(last: OverviewRun | None = None, **more: Any) -> OverviewImport:
    values: dict[str, Any] = {
        "id": "i",
        "name": "Import",
        "active": True,
        "every_hours": 24,
        "running": None,
        "held": (),
        "next_run": None,
        "last": last,
    }
    return OverviewImport(**values | more)


IMPORTS = st.builds(
    overview,
    st.none()
    | st.builds(
        run, st.sampled_from(ENDED), st.none() | st.sampled_from(Reason), st.integers(0, 3)
    ),
    name=st.text(max_size=3),
    active=st.booleans(),
    held=st.just(()) | st.just((run(RunStatus.HELD),)),
)


@given(st.lists(IMPORTS, max_size=6), st.integers(0, 2), st.sampled_from(TenantStatus))
def test_items_are_sorted_by_importance_regardless_of_import_order(
    imports: list[OverviewImport], waiting: int, status: TenantStatus
) -> None:
    tenant = TENANT.copy_with(status=status)
    seats = SeatsNow(waiting, waiting, NOW + timedelta(days=3))
    found = attention(tenant, imports, seats, NOW)
    places = [list(AttentionKind).index(item.kind) for item in found]
    assert places == sorted(places)
    assert sorted(attention(tenant, imports[::-1], seats, NOW), key=repr) == sorted(found, key=repr)
    for import_ in imports:
        if import_.held:
            assert AttentionKind.RUN_HELD in {item.kind for item in found}


@pytest.mark.parametrize(
    ("import_", "kinds"),
    [
        (overview(), []),
        (overview(run(RunStatus.SUCCEEDED)), []),
        (overview(run(RunStatus.DISCARDED)), []),
        (overview(run(RunStatus.FAILED, Reason.GROUP_NOT_FOUND)), ["run-failed"]),
        (overview(run(RunStatus.PARTIAL, Reason.MAILBOXES_FAILED, 3)), ["mailboxes-failed"]),
        (overview(run(RunStatus.PARTIAL, Reason.CONTACTS_REJECTED)), ["contacts-rejected"]),
        (overview(run(RunStatus.SUCCEEDED, Reason.SHARE_WITHDRAWN)), ["share-withdrawn"]),
        (overview(run(RunStatus.SKIPPED, Reason.NO_MAILBOX)), ["run-skipped"]),
        (overview(run(RunStatus.SKIPPED, Reason.NO_SEAT)), []),
        (overview(run(RunStatus.HELD), held=(run(RunStatus.HELD),)), ["run-held"]),
        (overview(run(RunStatus.FAILED, Reason.IMPORT_PAUSED), active=False), ["import-paused"]),
    ],
)
def test_last_run_determines_whether_an_import_needs_attention(
    import_: OverviewImport, kinds: list[str]
) -> None:
    assert [str(item.kind) for item in attention(TENANT, [import_], NO_SEATS, NOW)] == kinds


def test_missing_consent_missing_seats_and_trial_end_need_attention() -> None:
    gone = TENANT.copy_with(status=TenantStatus.DISCONNECTED)
    ends = NOW + timedelta(days=7)
    assert attention(gone, [], SeatsNow(3, 4, ends), NOW) == (
        Attention(AttentionKind.CONSENT_MISSING, "t", Reason.CONSENT_MISSING),
        Attention(AttentionKind.SEATS_MISSING, "t", Reason.NO_SEAT, count=3),
        Attention(AttentionKind.TRIAL_ENDING, "t", count=4, when=ends),
    )
    for later in (None, NOW, ends + timedelta(seconds=1)):
        assert attention(TENANT, [], SeatsNow(0, 0, later), NOW) == ()
