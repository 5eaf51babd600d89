"""How changes of source data are told from our own rewrites."""

import string
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.contacts.fields import FIELD_NAMES, Contact, Mark, properties_of
from shared.domain.contacts.guard import Guard
from shared.domain.contacts.keys import ContactKind
from shared.domain.contacts.known import (
    Change,
    Known,
    KnownContacts,
    Policy,
    observe,
    with_sources,
)
from shared.domain.contacts.mapping import map_source
from shared.domain.contacts.plan import applied, make_plan
from shared.domain.contacts.source_values import same_source, source_hash
from tests.unit.domain.contacts.folder import Folder, keys, shares, sync, texts

USER = ContactKind.USER
STRICT = Guard(0, 0, 0, 0)

people = st.fixed_dictionaries(
    {"displayName": st.text("abc", min_size=1), "mail": st.just("a@x.example")},
    optional={
        "jobTitle": texts,
        "mobilePhone": texts,
        "proxyAddresses": st.lists(st.text("abc", min_size=1).map(lambda a: f"smtp:{a}@x.example")),
        "businessPhones": st.lists(texts),
        "city": texts,
        "manager": st.none() | st.fixed_dictionaries({"displayName": texts}),
    },
)
directories = st.dictionaries(keys, people, max_size=8)
policies = st.sets(st.sampled_from(FIELD_NAMES)).map(lambda names: names | {"displayName"})


def mapped(directory: dict[str, Any], names: set[str]) -> dict[str, Contact]:
    """The contacts of a directory; the manager is read only if it is published."""
    found = {}
    for key, person in directory.items():
        left_out = set() if "manager" in names else {"manager"}
        read = {name: value for name, value in person.items() if name not in left_out}
        fields, _ = map_source(USER, read, names)
        found[key] = Contact.of(key, fields, source=source_hash(USER, read))
    return found


def filled(share: dict[str, Contact]) -> KnownContacts:
    """What is known of a mailbox that was just filled."""
    return sync(Folder(), share, {}, None)[1]


@given(directories, policies, policies)
def test_guard_counts_nothing_if_only_the_field_policy_changes(
    directory: dict[str, Any], before: set[str], after: set[str]
) -> None:
    plan = make_plan(mapped(directory, after), filled(mapped(directory, before)))

    assert plan.changed == ()
    assert STRICT.objection(plan, len(directory)) is None


@given(shares, shares, st.data())
def test_guard_counts_nothing_if_only_the_mapping_changes(
    first: dict[str, Contact], second: dict[str, Contact], data: st.DataObject
) -> None:
    sources = {key: data.draw(st.sampled_from(["1", "2"])) for key in first | second}
    before = {key: Contact.of(key, c.fields, source=sources[key]) for key, c in first.items()}
    after = {key: Contact.of(key, c.fields, source=sources[key]) for key, c in second.items()}

    assert make_plan(after, filled(before)).changed == ()


@given(directories, directories, policies, policies)
def test_guard_counts_each_contact_that_differs_because_of_its_source(
    first: dict[str, Any], second: dict[str, Any], before: set[str], after: set[str]
) -> None:
    before, after = before - {"manager"}, after - {"manager"}
    share, unchanged = mapped(second, after), mapped(first, after)
    plan = make_plan(share, filled(mapped(first, before)))

    differing = {u.key for u in plan.updates if unchanged[u.key].hash != share[u.key].hash}
    assert differing <= {update.key for update in plan.changed}


@given(directories, directories, policies)
def test_values_published_later_count_as_unchanged_once_they_were_seen(
    first: dict[str, Any], second: dict[str, Any], names: set[str]
) -> None:
    narrow = {"displayName"}
    second = {key: {**second[key], "displayName": first[key]["displayName"]}
              for key in first.keys() & second.keys()}  # fmt: skip
    known = filled(mapped({key: first[key] for key in second}, narrow))
    known = with_sources(known, mapped(second, narrow))

    assert make_plan(mapped(second, names - {"manager"}), known).changed == ()


@given(people, st.randoms())
def test_order_and_empty_values_do_not_change_the_source(person: dict[str, Any], dice: Any) -> None:
    shuffled = {
        name: dice.sample(value, len(value)) if isinstance(value, list) else value
        for name, value in person.items()
    }
    emptied = shuffled | {"department": None, "faxNumber": "", "@odata.id": "x"}

    assert source_hash(USER, emptied) == source_hash(USER, person)


def test_manager_is_compared_only_where_it_was_read() -> None:
    person = {"displayName": "A"}
    nobody, one, other = (
        source_hash(USER, person | {"manager": manager})
        for manager in (None, {"displayName": "M"}, {"displayName": "N"})
    )
    unread = source_hash(USER, person)

    assert not same_source(one, other)
    assert not same_source(one, nobody)
    assert same_source(one, unread)
    assert same_source(unread, other)


@given(st.sampled_from(list(ContactKind)), people)
def test_hash_is_short(kind: ContactKind, source: dict[str, Any]) -> None:
    found = source_hash(kind, source)

    assert len(found) <= 13
    assert set(found) <= set(string.hexdigits + ".")


def test_mapping_that_reads_more_properties_does_not_change_the_hash() -> None:
    """Whoever adds a property to these puts it into `_APART`, and into the list here."""
    of_users = [
        *("displayName", "givenName", "surname", "companyName", "department", "jobTitle"),
        *("officeLocation", "mail", "proxyAddresses", "businessPhones", "mobilePhone"),
        *("faxNumber", "streetAddress", "city", "state", "postalCode", "country", "imAddresses"),
    ]
    person = {name: f"some {name}" for name in of_users}

    assert sorted(properties_of(USER)) == sorted(of_users)
    assert source_hash(USER, person | {"other": "x"}) == source_hash(USER, person)


def test_found_contact_that_differs_counts_unless_it_was_adopted() -> None:
    contact = Contact.of("u-1", {"displayName": "New"})
    old, new = Change("id", {"displayName": "Old"}), Change("id", {"displayName": "New"})
    written, adopted = {"id": Mark("u-1", contact.mask)}, {"id": Mark("u-1")}

    def counted(change: Change, marks: dict[str, Mark]) -> int:
        known, _ = observe({}, [change], marks, {"u-1": contact}, complete=True)
        return len(make_plan({"u-1": contact}, known).changed)

    assert counted(old, written) == 1
    assert counted(new, written) == 0
    assert counted(old, adopted) == 0


@given(directories, directories)
def test_edit_by_the_user_hides_no_change_of_source(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    names = set(FIELD_NAMES)
    known = filled(mapped(first, names))
    edited = [Change(entry.id, {"displayName": "the user's"}) for entry in known.values()]
    share = mapped(second, names)
    known, _ = observe(known, edited, {}, share, complete=False)

    changed = {update.key for update in make_plan(share, known).changed}

    before = mapped(first, names)
    assert changed == {
        key
        for key in first.keys() & second.keys()
        if before[key].hash != share[key].hash
        and not same_source(before[key].source, share[key].source)
    }


def test_update_keeps_the_source_that_it_was_made_of() -> None:
    contact = Contact.of("u-1", {"displayName": "A", "department": "B"}, source="12345678")
    known = {"u-1": Known("id", None, None, contact.mask, "00000000", kept=1 << 6)}
    plan = make_plan({"u-1": contact}, known, (), Policy(keep_edits=True))

    after = applied(known, [(update, "id") for update in plan.updates])

    assert after["u-1"].source == "12345678"
