"""The tables of the forms: nothing is lost on the way from a model to a browser and back."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import azure.functions as func
import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from shared.domain.contacts.fields import DEFAULT_FIELDS, PUBLISHABLE
from shared.domain.errors import InvalidInput
from shared.domain.importing.imports import GuardLimits, ImportInput, Photos
from shared.domain.sharing.shares import FILTER_ATTRIBUTES, ShareInput
from shared.portal.forms.fields import Choice, Percent, Text
from shared.portal.forms.filters import AUDIT, RUNS
from shared.portal.forms.import_form import IMPORT, PARTNER
from shared.portal.forms.share_form import SHARE, ShareDraft
from shared.portal.forms.short_forms import ADOPTION, BOOKING, CHECK, COMPANY, LEAVING, ROTATION
from shared.portal.forms.showing import Refusal, show
from shared.portal.forms.tables import Draft, Form, limits, look_up, settable
from shared.portal.visits import Visit

FORMS: dict[str, Form[Any]] = {
    "import": IMPORT,
    "share": SHARE,
    "booking": BOOKING,
    "company": COMPANY,
    "check": CHECK,
    "leaving": LEAVING,
    "adoption": ADOPTION,
    "rotation": ROTATION,
    "audit": AUDIT,
    "runs": RUNS,
}
LETTERS = st.characters(exclude_categories=["C", "Z"])
IDS = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9.-]{0,10}\Z")
SOMEBODY = "00000000-0000-4000-8000-000000000001"
GUIDS = st.uuids().map(str)
SHORT = st.text(LETTERS, min_size=1, max_size=20)
PARTS = st.floats(0, 1)


def some(of: st.SearchStrategy[Any], least: int = 0) -> st.SearchStrategy[list[Any]]:
    return st.lists(of, min_size=least, max_size=3, unique_by=str)


IMPORTS = st.fixed_dictionaries(
    {
        "name": SHORT,
        "shareId": st.from_regex(r"\A[a-z0-9]{8,12}\Z"),
        "targets": st.fixed_dictionaries({"users": some(GUIDS, 1), "groups": some(GUIDS)}),
        "destination": st.fixed_dictionaries(
            {"folder": st.none() | SHORT, "category": st.none() | SHORT}
        ),
        "categoryColor": st.none() | st.integers(0, 24).map("preset{}".format),
        "guard": st.fixed_dictionaries(
            {
                "deletes": st.integers(0, 100_000),
                "deleteShare": PARTS,
                "changes": st.integers(0, 100_000),
                "changeShare": PARTS,
                "creates": st.integers(0, 100_000),
                "createShare": PARTS,
            }
        ),
        "conflicts": st.fixed_dictionaries(
            {
                "deleted": st.sampled_from(["restore", "respect"]),
                "edited": st.sampled_from(["overwrite", "keep"]),
            }
        ),
        "photos": st.none() | st.fixed_dictionaries({"edge": st.integers(48, 648)}),
        "schedule": st.fixed_dictionaries({"everyHours": st.integers(1, 24)}),
        "active": st.booleans(),
    }
).map(ImportInput.model_validate)

CONTACTS = st.fixed_dictionaries(
    {"displayName": SHORT},
    optional={
        "id": IDS,
        "title": SHORT,
        "emailAddresses": some(
            st.fixed_dictionaries(
                {"address": st.just("a@x.example")}, optional={"name": st.none() | SHORT}
            )
        ),
        "businessPhones": st.lists(SHORT, max_size=2),
        "homeAddress": st.fixed_dictionaries({"city": SHORT}),
    },
)
ACCESSES = st.fixed_dictionaries(
    {
        "rule": st.sampled_from(["tenant", "anyone_with_id"]),
        "expires": st.none() | st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
    }
) | st.fixed_dictionaries({"rule": st.just("tenants"), "tenants": some(st.uuids().map(str), 1)})
SHARES = st.fixed_dictionaries(
    {
        "name": SHORT,
        "sources": st.fixed_dictionaries(
            {
                "users": some(GUIDS),
                "groups": st.lists(
                    st.fixed_dictionaries(
                        {"id": GUIDS, "as": st.sampled_from(["members", "contact", "both"])}
                    ),
                    max_size=3,
                    unique_by=lambda group: group["id"],
                ),
                "allUsers": st.just(value=True),
                "orgContacts": st.booleans(),
                "contacts": st.lists(CONTACTS, max_size=2),
                "exclude": some(GUIDS),
                "filter": st.dictionaries(
                    st.sampled_from(FILTER_ATTRIBUTES), some(SHORT, 1), max_size=3
                ),
            }
        ),
        "fields": st.none()
        | st.lists(st.sampled_from(PUBLISHABLE), unique=True).map(
            lambda names: sorted(names, key=PUBLISHABLE.index)
        ),
        "access": ACCESSES,
        "blocked": some(GUIDS),
    }
).map(ShareInput.model_validate)


def visit(language: str = "en") -> Visit:
    request = func.HttpRequest("GET", "https://portal.example/", body=b"")
    return Visit(None, request, language)  # type: ignore[arg-type] # no service is asked


def posted(draft: Draft[Any]) -> MultiDict[str, str]:
    """What a browser sends of a form; of a group, its id and what it stands for apart."""
    sent: MultiDict[str, str] = MultiDict()
    for name, text in draft.hidden():
        if draft.form is SHARE and name == "group":
            id_, _, as_ = text.partition(" ")
            sent.add(name, id_)
            sent.add(f"as-{id_}", as_)
        elif text or name not in {
            row.name for row in draft.form.rows if row.kind.widget == "check"
        }:
            sent.add(name, text)
    return sent


@given(IMPORTS)
def test_import_survives_its_form(import_: ImportInput) -> None:
    assert IMPORT.of(import_).input() == import_
    assert IMPORT.read(posted(IMPORT.of(import_))).input() == import_


@given(SHARES)
def test_share_survives_its_form(share: ShareInput) -> None:
    assert ShareDraft.of(SHARE.of(share)).input() == share
    assert ShareDraft.read(posted(SHARE.of(share))).input() == share


def test_blank_form_means_the_defaults_of_the_model() -> None:
    given_ = {"name": "x", "shareId": "0" * 32, "targets": {"users": [SOMEBODY]}}

    import_ = IMPORT.blank(name="x", share="0" * 32, users=(SOMEBODY,)).input()
    share = SHARE.blank(name="x", all_users="yes").input()

    assert import_ == ImportInput.model_validate(given_)
    assert share == ShareInput.model_validate({"name": "x", "sources": {"allUsers": True}})
    assert IMPORT.defaults["deletes"] == str(GuardLimits().deletes)
    assert SHARE.defaults["fields"] == tuple(DEFAULT_FIELDS)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_each_setting_is_in_the_form_or_listed_as_left_out(form: Form[Any]) -> None:
    shown = {row.path for row in form.rows if row.path}

    def known(path: str) -> bool:
        return any(
            path == each or path.startswith(f"{each}.") or each.startswith(f"{path}.")
            for each in shown | form.elsewhere.keys()
        )

    assert [path for path in settable(form.model) if not known(path)] == []
    assert len(list(settable(form.model))) > 0
    assert [path for path in form.elsewhere if path in shown] == []


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_each_choice_of_the_model_is_offered(form: Form[Any]) -> None:
    for row in form.rows:
        known = limits(form.model, row.path) if row.path else {}
        if "enum" in known and isinstance(row.kind, Choice) and not callable(row.choices):
            assert {choice[0] for choice in row.choices} - {""} == set(known["enum"]), row.name


@pytest.mark.parametrize(
    ("form", "texts", "path", "anchor"),
    [
        (IMPORT, {"share": PARTNER}, "shareId", "partner"),
        (IMPORT, {"share": "a"}, "shareId", "share"),
        (IMPORT, {}, "targets", "q"),
        (IMPORT, {}, "targets.groups.3", "q"),
        (IMPORT, {}, "name", "name"),
        (IMPORT, {}, "destination.folder", "folder"),
        (IMPORT, {}, "guard.deletes", "deletes"),
        (IMPORT, {}, "photos.edge", "photos"),
        (SHARE, {}, "sources", "sources"),
        (SHARE, {}, "sources.groups.0.as", "sources"),
        (SHARE, {}, "sources.filter.city.0", "filter-city"),
        (SHARE, {"choice": "chosen"}, "fields.0", "fields"),
        (SHARE, {"rule": "tenants"}, "access.tenants.1", "tenants"),
        (SHARE, {}, "access", "rule"),
        (SHARE, {}, "access.expires", "expires"),
        (SHARE, {}, "", ""),
        (SHARE, {}, "body", ""),
        (BOOKING, {}, "booked", "booked"),
        (ADOPTION, {}, "mailbox", "q"),
    ],
)
def test_error_path_leads_to_its_field(
    form: Form[Any], texts: dict[str, Text], path: str, anchor: str
) -> None:
    shown = show(visit(), form.blank(**texts), Refusal({path: "wrong"}))

    assert shown.errors == {anchor: "wrong"}
    assert [name for name, each in shown.fields.items() if each.error and anchor == name] == (
        [anchor] if anchor in shown.fields else []
    )


@pytest.mark.parametrize("typed", ["many", "", "-1", "101", "1e999", "NaN", "sNaN"])
def test_percent_that_is_none_is_refused(typed: str) -> None:
    draft = IMPORT.blank(name="x", share="0" * 32, users=(SOMEBODY,), delete_share=typed)

    with pytest.raises(InvalidInput) as caught:
        draft.input()
    shown = show(visit("de"), draft, Refusal({"guard.deleteShare": "Input should be …"}))

    assert shown["delete_share"].error == "muss eine Zahl zwischen 0 und 100 sein"
    assert {error.field.split(".")[-1] for error in caught.value.errors} == {"deleteShare"}


@pytest.mark.parametrize("typed", ["12.5", " 12,5 % ", "12,50"])
def test_percent_is_read_as_people_write_it(typed: str) -> None:
    draft = IMPORT.blank(name="x", share="0" * 32, users=(SOMEBODY,), delete_share=typed)

    assert draft.input().guard.delete_share == 0.125
    assert Percent().text(0.125) == "12.5"


def test_limits_and_lengths_come_from_the_model() -> None:
    shown = show(visit(), IMPORT.blank())

    assert shown["deletes"].attributes["max"] == 100_000
    assert shown["delete_share"].attributes["max"] == 100
    assert shown["name"].attributes["maxlength"] == 200
    assert show(visit(), BOOKING.blank())["booked"].attributes["max"] == 1_000_000


def test_each_rendering_draws_a_new_key() -> None:
    draft = SHARE.blank()

    assert show(visit(), draft).key != show(visit(), draft).key


def test_another_number_than_the_offered_ones_is_shown() -> None:
    import_ = IMPORT.blank(photos="100", every_hours="5")
    shown = show(visit(), import_)

    assert ("100", "100 pixels") in shown["photos"].options
    assert shown["every_hours"].said == "every 5 hours"
    assert str(Photos().edge) in {option[0] for option in shown["photos"].options}


def test_conflict_lists_what_somebody_else_stored() -> None:
    theirs = SHARE.blank(
        name="Theirs", all_users="yes", user=(SOMEBODY, SOMEBODY[:-1] + "2")
    ).input()
    mine = SHARE.blank(name="Mine", all_users="yes")

    shown = show(visit(), mine, Refusal({}, "changed", theirs))

    assert ("Name", "Theirs") in shown.theirs
    assert ("People", "2") in shown.theirs
    assert len(shown.theirs) == 2


@given(st.text())
def test_whatever_button_a_form_names_it_is_read(do: str) -> None:
    draft = ShareDraft.of(SHARE.blank(name="x"))

    for what in ("", "add-user:", "add-group:", "remove-group:", "edit-contact:", "leave-out:"):
        draft.pressed(f"{what}{do}")


@given(st.dictionaries(st.sampled_from([row.name for row in SHARE.rows]), st.text()))
def test_whatever_is_typed_in_a_share_is_taken_or_refused(sent: dict[str, str]) -> None:
    with suppress(InvalidInput):
        ShareDraft.read(MultiDict(sent)).input()


@given(st.dictionaries(st.sampled_from([row.name for row in IMPORT.rows]), st.text()))
def test_whatever_is_typed_in_an_import_is_taken_or_refused(sent: dict[str, str]) -> None:
    with suppress(InvalidInput):
        IMPORT.read(MultiDict(sent)).input()


def test_path_of_a_list_is_looked_up() -> None:
    body = {"a": [{"b": 1}]}

    assert look_up(body, "a.0.b") == 1
    assert look_up(body, "a.1.b") is None
    assert look_up(body, "a.x") is None
