"""Input models: what the API accepts, access rules of shares, merge patches and ETags."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.domain.errors import InvalidInput, PayloadTooLarge, PreconditionFailed
from shared.domain.importing.imports import ImportInput
from shared.domain.sharing.shares import Access, ShareInput
from shared.services.changes import require_match, require_storable
from shared.web.validation import validated

FRIEND = "fabfabfa-0000-4000-8000-000000000002"
SOMEBODY = "c0c0c0c0-0000-4000-8000-000000000003"
NOW = datetime(2026, 11, 23, tzinfo=UTC)
SHARE = {"name": "People", "sources": {"allUsers": True}}
IMPORT = {"name": "Import", "shareId": "a" * 32, "targets": {"users": [SOMEBODY]}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(v) for name, v in value.items() if v is not None}
    return value


@pytest.mark.parametrize(
    "access",
    [
        {"rule": "tenants"},
        {"rule": "anyone_with_id", "tenants": [FRIEND]},
        {"rule": "tenants", "tenants": ["friend.example"]},
        {"rule": "everybody"},
        {"expires": "2026-11-23T00:00:00"},
    ],
)
def test_invalid_access_rule_is_rejected(access: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ShareInput.model_validate({**SHARE, "access": access})


@pytest.mark.parametrize("share_id", ["", "A" * 32, "a/b" * 10, "a" * 65, "ä" * 32, 7])
def test_malformed_share_id_is_rejected(share_id: object) -> None:
    with pytest.raises(ValidationError):
        ImportInput.model_validate({**IMPORT, "shareId": share_id})


def test_import_defaults_to_active_with_own_folder_and_guard() -> None:
    wanted = ImportInput.model_validate(IMPORT)

    assert wanted.destination.folder == "Contact Sync"
    assert (wanted.guard.deletes, wanted.guard.delete_share) == (10, 0.2)
    assert wanted.active


@pytest.mark.parametrize("id_", ["mueller", "u1", f"{SOMEBODY}0", SOMEBODY[:-1], f"{{{SOMEBODY}}}"])
def test_id_that_is_not_a_guid_is_rejected_by_its_field(id_: str) -> None:
    targets = {"users": [SOMEBODY], "groups": [SOMEBODY, id_]}
    with pytest.raises(InvalidInput) as refused:
        validated(ImportInput, {**IMPORT, "targets": targets})
    assert [(e.field, e.code) for e in refused.value.errors] == [
        ("targets.groups.1", "object_id_invalid")
    ]

    sources = {"users": [id_], "groups": [{"id": id_}], "exclude": [id_]}
    with pytest.raises(InvalidInput) as refused:
        validated(ShareInput, {**SHARE, "sources": sources})
    assert {e.field for e in refused.value.errors} == {
        "sources.users.0",
        "sources.groups.0.id",
        "sources.exclude.0",
    }


@given(
    rule=st.sampled_from(["tenant", "anyone_with_id", "tenants"]),
    tenant=st.sampled_from([FRIEND, FRIEND.upper(), SOMEBODY]),
    days=st.none() | st.integers(-3, 3),
)
def test_share_always_admits_its_publisher_and_others_by_access_rule(
    rule: Any, tenant: str, days: int | None
) -> None:
    tenants = [tenant] if rule == "tenants" else []
    expires = None if days is None else NOW + timedelta(days=days)
    access = Access(rule=rule, tenants=tenants, expires=expires)

    open_still = expires is None or expires > NOW
    open_to_friend = rule == "anyone_with_id" or FRIEND in [t.lower() for t in tenants]

    assert access.admits("publisher", "publisher", NOW)
    assert access.admits(FRIEND, "publisher", NOW) == (open_still and open_to_friend)


@pytest.mark.parametrize("if_match", [None, "*", " * ", 'W/"1"', '"1"', '"0", W/"1"'])
def test_matching_etag_is_accepted_weak_or_strong(if_match: str | None) -> None:
    require_match('W/"1"', if_match)


@pytest.mark.parametrize("if_match", ['W/"2"', "1", '"', '"0", "2"'])
def test_other_etag_raises_precondition_failed(if_match: str) -> None:
    with pytest.raises(PreconditionFailed):
        require_match('W/"1"', if_match)


def test_share_too_large_for_storage_is_rejected() -> None:
    users = [str(UUID(int=n)) for n in range(5000)]
    contacts = [{"displayName": "😀" * 200, "title": "x" * 500} for _ in range(500)]

    require_storable(ShareInput.model_validate({"name": "x", "sources": {"users": users}}))
    with pytest.raises(PayloadTooLarge):
        require_storable(
            ShareInput.model_validate({"name": "x", "sources": {"contacts": contacts}})
        )
