"""Merge patches of our models: null opens nothing, and whatever is not named stays."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from shared.domain.importing.imports import ImportInput
from shared.domain.sharing.shares import ShareInput
from shared.domain.tenancy.tenants import TenantInput
from shared.web.merge_patches import merge_patch
from shared.web.validation import validated

TENANT = "0123abcd-0123-0123-0123-0123456789ab"
SHARE = {
    "name": "Sales",
    "sources": {
        "users": [TENANT],
        "exclude": [TENANT],
        "filter": {"city": ["Köln"], "department": ["Sales"]},
    },
    "fields": ["displayName"],
    "access": {
        "rule": "tenants",
        "tenants": [TENANT],
        "expires": "2030-01-01T00:00:00Z",
        "approval": True,
    },
    "blocked": [TENANT],
}
IMPORT = {
    "name": "Import",
    "shareId": "0123456789abcdef",
    "targets": {"users": [TENANT]},
    "destination": {"folder": "Own", "category": "Work"},
    "categoryColor": "preset3",
    "guard": {"deletes": 1, "creates": 2},
    "conflicts": {"deleted": "respect"},
    "photos": {"edge": 96},
    "schedule": {"everyHours": 6},
    "active": False,
}
STORED: tuple[tuple[type[BaseModel], dict[str, Any]], ...] = (
    (ShareInput, SHARE),
    (ImportInput, IMPORT),
    (TenantInput, {"name": "Contoso"}),
)


def stored(model: type[BaseModel], body: dict[str, Any]) -> dict[str, Any]:
    return validated(model, body).model_dump(mode="json", by_alias=True)


def changed(model: type[BaseModel], before: dict[str, Any], patch: Any) -> dict[str, Any]:
    return stored(model, merge_patch(before, patch, model))


def nulls(value: Any) -> Any:
    """Return an object with null in place of every value, as clients send unset fields."""
    return {n: nulls(v) for n, v in value.items()} if isinstance(value, dict) else None


@given(st.sampled_from(STORED), st.data())
def test_null_changes_only_settings_that_have_null_as_a_value(
    case: tuple[type[BaseModel], dict[str, Any]], data: st.DataObject
) -> None:
    model, body = case
    before = stored(model, body)
    whole = data.draw(st.booleans())
    patch = dict.fromkeys(before) if whole else nulls(before)
    patch = {name: value for name, value in patch.items() if data.draw(st.booleans())}

    after = changed(model, before, {**patch, "name": "New"})

    expected = {**before, "name": "New"}
    if model is ImportInput:
        expected |= {name: None for name in ("photos", "categoryColor") if name in patch}
        if not whole and "photos" in patch:
            expected["photos"] = before["photos"]
        if not whole and "destination" in patch:
            expected["destination"] = {"folder": None, "category": None}
    assert after == expected


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({"fields": ["default"]}, {"fields": None}),
        ({"fields": []}, {"fields": []}),
        ({"blocked": []}, {"blocked": []}),
        ({"access": {"expires": "never"}}, {"access": {**SHARE["access"], "expires": None}}),  # type: ignore[dict-item]
        ({"access": {"rule": "tenant", "tenants": []}},
         {"access": {**SHARE["access"], "rule": "tenant", "tenants": []}}),  # type: ignore[dict-item]
        ({"sources": {"exclude": []}}, {"sources": {"exclude": []}}),
        ({"sources": {"filter": {"city": [], "state": None}}},
         {"sources": {"filter": {"department": ["Sales"]}}}),
        ({"sources": {"filter": {"city": ["Bonn"]}}},
         {"sources": {"filter": {"city": ["Bonn"], "department": ["Sales"]}}}),
    ],
)  # fmt: skip
def test_explicit_value_resets_a_setting(patch: Any, expected: Any) -> None:
    before = stored(ShareInput, SHARE)

    after = changed(ShareInput, before, patch)

    whole = {n: {**before[n], **v} if n == "sources" else v for n, v in expected.items()}
    assert after == {**before, **whole}


def test_unknown_field_with_null_is_not_dropped() -> None:
    assert merge_patch({"name": "x"}, {"nmae": None}, TenantInput) == {"name": "x", "nmae": None}
