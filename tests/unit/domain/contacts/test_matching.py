"""Matching contacts that another tool created."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.contacts.fields import Contact
from shared.domain.contacts.matching import MatchedBy, match


def person(key: str, name: str, mail: str = "", phone: str = "", **more: Any) -> Contact:
    fields: dict[str, Any] = {"displayName": name, **more}
    if mail:
        fields["emailAddresses"] = [{"address": mail, "name": mail}]
    if phone:
        fields["mobilePhone"] = phone
    return Contact.of(key, fields)


SHARE = {
    c.key: c
    for c in (
        person("u-1", "Ada Lovelace", "ada@x.example", "+49 30 12345678"),
        person("u-2", "Grace Hopper", "grace@x.example", "+1 212 555 0100"),
        person("u-3", "Jürgen Groß", "", "+49 170 7654321"),
    )
}


def found(*contacts: tuple[str, dict[str, Any]], taken: dict[str, str] | None = None) -> Any:
    return {m.id: (m.key, m.by, m.duplicate_of) for m in match(contacts, SHARE, taken or {})}


def mail(address: str) -> dict[str, Any]:
    return {"emailAddresses": [{"address": address}]}


def test_mail_address_alone_matches_regardless_of_case_and_name() -> None:
    assert found(("a", {"displayName": "Auntie", **mail("ADA@X.example")})) == {
        "a": ("u-1", MatchedBy.MAIL, None)
    }


def test_phone_number_with_name_matches_regardless_of_format() -> None:
    contact = {"displayName": "Gross, Juergen", "businessPhones": ["0170 7654321"]}
    named = {"givenName": "JURGEN", "surname": "Gross", "homePhones": ["0170/765 43 21"]}
    assert found(("a", contact)) == {}
    assert found(("a", named)) == {"a": ("u-3", MatchedBy.PHONE_AND_NAME, None)}


@given(st.sampled_from(["Ada Lovelace", "Lovelace, Ada", "ADA LOVELACE"]))
def test_name_alone_never_matches(name: str) -> None:
    assert found(("a", {"displayName": name}), ("b", {"displayName": name, **mail("o@y.z")})) == {}
    assert found(("a", {"displayName": name, "mobilePhone": "+49 30 999"})) == {}


def test_phone_number_alone_never_matches() -> None:
    assert found(("a", {"displayName": "Switchboard", "mobilePhone": "+49 30 12345678"})) == {}


def test_second_match_is_a_duplicate_and_mail_takes_precedence_over_phone() -> None:
    by_phone = {"displayName": "Ada Lovelace", "mobilePhone": "030 12345678"}
    assert found(("a", by_phone), ("b", mail("ada@x.example")), ("c", mail("ada@x.example"))) == {
        "a": ("u-1", MatchedBy.PHONE_AND_NAME, "b"),
        "b": ("u-1", MatchedBy.MAIL, None),
        "c": ("u-1", MatchedBy.MAIL, "b"),
    }


def test_match_is_a_duplicate_if_the_person_already_has_our_contact() -> None:
    assert found(("a", mail("ada@x.example")), taken={"u-1": "ours"}) == {
        "a": ("u-1", MatchedBy.MAIL, "ours")
    }


def test_address_shared_by_several_people_does_not_match() -> None:
    share = {k: person(k, k, "team@x.example") for k in ("u-1", "u-2")}
    assert match([("a", mail("team@x.example"))], share, {}) == ()


def test_contact_with_addresses_of_two_people_does_not_match() -> None:
    both = {"emailAddresses": [{"address": "ada@x.example"}, {"address": "grace@x.example"}]}
    assert found(("a", both)) == {}


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "displayName": st.sampled_from(["Ada Lovelace", "Grace Hopper", "?"]),
                "mobilePhone": st.sampled_from(["030 12345678", "2125550100", "x", ""]),
                "emailAddresses": st.sampled_from([[], [{"address": "ada@x.example"}], [{}]]),
            },
        ),
        max_size=8,
    )
)
def test_no_person_is_matched_to_two_contacts(contacts: list[dict[str, Any]]) -> None:
    matches = match([(str(n), c) for n, c in enumerate(contacts)], SHARE, {})
    adopted = [m.key for m in matches if m.duplicate_of is None]
    assert len(adopted) == len(set(adopted))
    standing = {m.key: m.id for m in matches if m.duplicate_of is None}
    assert all(standing[m.key] == m.duplicate_of for m in matches if m.duplicate_of is not None)
