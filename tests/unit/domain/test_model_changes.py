"""Changing a model: names and types are checked, by mypy and while the app runs.

mypy reports a `type: ignore` that it does not need, so these tests also hold tests/mypy_plugin.py.
"""

from datetime import UTC, datetime
from typing import Any

import pytest

from shared.adapters.storage.mailboxes.mailbox_state import Head
from shared.adapters.storage.models import Suppression
from shared.domain.importing.imports import GuardLimits, Import, ImportInput, Targets
from shared.domain.importing.messages import Message
from shared.domain.importing.runs import MailboxCounts, Result, Run, RunStatus, RunTrigger
from shared.domain.model import Model
from shared.domain.sharing.shares import Share
from shared.domain.tenancy.tenants import LedgerEntry, Seat, Tenant

NOW = datetime(2026, 11, 23, tzinfo=UTC)
RUN = Run(id="r", import_id="i", trigger=RunTrigger.REQUEST, queued=NOW)
RECORDS: tuple[type[Model], ...] = (
    Head,
    Import,
    LedgerEntry,
    Message,
    Result,
    Run,
    Seat,
    Share,
    Suppression,
    Tenant,
)


def test_copy_has_the_new_values_and_the_original_keeps_its_own() -> None:
    changed = RUN.copy_with(status=RunStatus.FAILED, ended=NOW, mailboxes=MailboxCounts(total=3))

    assert (changed.status, changed.ended, changed.mailboxes.total) == (RunStatus.FAILED, NOW, 3)
    assert changed.copy_with(status=RunStatus.QUEUED, ended=None, mailboxes=MailboxCounts()) == RUN
    assert RUN.status is RunStatus.QUEUED


def test_unknown_field_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Run has no field 'statsu'\."):
        RUN.copy_with(statsu=RunStatus.FAILED)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="shareContacts"):
        RUN.copy_with(shareContacts=1)  # type: ignore[call-arg]


def test_wrong_type_is_refused_without_quoting_the_value() -> None:
    with pytest.raises(TypeError, match=r"^Run\.status: ") as refused:
        RUN.copy_with(status="secret")  # type: ignore[arg-type]
    assert "secret" not in str(refused.value)
    assert refused.value.__suppress_context__
    with pytest.raises(TypeError, match=r"^Run\.started: "):
        RUN.copy_with(started="2026-11-23T00:00:00Z")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^GuardLimits\.deletes: "):
        GuardLimits().copy_with(deletes=-1)


@pytest.mark.parametrize("kind", RECORDS)
def test_every_field_of_a_record_refuses_a_foreign_object(kind: type[Model]) -> None:
    record: Any = kind.model_construct()
    checked = [name for name, f in kind.model_fields.items() if f.annotation is not Any]

    assert checked
    for name in checked:
        with pytest.raises(TypeError, match=f"^{kind.__name__}.{name}: "):
            record.copy_with(**{name: object()})


def test_values_of_an_input_are_those_of_its_record() -> None:
    guard = GuardLimits(deletes=3)
    targets = Targets(users=["00000000-0000-4000-8000-000000000001"])
    wanted = ImportInput(name="n", share_id="a" * 8, targets=targets, guard=guard)
    made = Import(**wanted.values_of(ImportInput), id="i", created=NOW, changed=NOW)

    assert made.values_of(ImportInput) == wanted.values_of(ImportInput)
    assert set(wanted.values_of(ImportInput)) == set(ImportInput.model_fields)
