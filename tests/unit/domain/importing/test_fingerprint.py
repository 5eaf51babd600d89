"""The fingerprint of a run: every setting is in it or has a reason why not, nested ones too."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import UnionType
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.contacts.fields import Contact
from shared.domain.importing.fingerprint import NO_EFFECT, run_fingerprint
from shared.domain.importing.imports import (
    Conflicts,
    Destination,
    GuardLimits,
    Import,
    Photos,
    Schedule,
    Targets,
)
from shared.domain.model import Model
from shared.domain.sharing.shares import Access, Share, Sources

NOW = datetime(2026, 11, 23, tzinfo=UTC)
TENANTS = [f"{digit * 8}-2222-3333-4444-555555555555" for digit in "12"]
CONTACTS = (Contact.of("u-1", {"displayName": "A"}, None), Contact.of("u-2", {"title": "B"}, "p"))
IN_FINGERPRINT = {
    "import.destination.folder",
    "import.destination.category",
    "import.category_color",
    "import.conflicts.deleted",
    "import.conflicts.edited",
    "import.photos.edge",
}
"""On these, what a mailbox holds depends. A new setting comes here, or into `NO_EFFECT`."""


def of[T: Model](kind: type[T], **values: st.SearchStrategy[Any]) -> st.SearchStrategy[T]:
    """Models with these values; nothing is inferred from the types of the others."""
    return st.fixed_dictionaries(values).map(lambda given: kind(**given))


USERS = [f"00000000-0000-4000-8000-00000000000{n}" for n in (1, 2)]
IMPORTS = of(
    Import,
    id=st.just("i"),
    created=st.just(NOW),
    changed=st.just(NOW),
    name=st.sampled_from(["a", "b"]),
    share_id=st.just("a" * 8),
    targets=of(Targets, users=st.just([USERS[0]])),
    destination=of(
        Destination,
        folder=st.sampled_from(["Contact Sync", "B", None]),
        category=st.sampled_from(["C", None]),
    ),
    category_color=st.sampled_from(["preset1", "preset7", None]),
    guard=st.just(GuardLimits()),
    conflicts=st.just(Conflicts()),
    photos=st.one_of(st.none(), st.just(Photos())),
    schedule=st.just(Schedule()),
    active=st.booleans(),
)
SHARES = of(
    Share,
    id=st.just("a" * 8),
    share_id=st.just("b" * 8),
    created=st.just(NOW),
    changed=st.just(NOW),
    name=st.sampled_from(["a", "b"]),
    sources=of(Sources, users=st.just([USERS[0]])),
    fields=st.sampled_from([None, ["displayName"]]),
    access=st.just(Access()),
    blocked=st.just([]),
)
VALUES: dict[str, list[Any]] = {
    "import.id": ["i", "j"],
    "import.name": ["a", "b"],
    "import.share_id": ["a" * 8, "b" * 8],
    "import.own_share": [True, False],
    "import.targets.users": [[USERS[0]], USERS],
    "import.targets.groups": [[], USERS],
    "import.destination.folder": ["Contact Sync", "B", None],
    "import.destination.category": ["C", "D", None],
    "import.category_color": ["preset1", "preset7", None],
    "import.guard.deletes": [10, 11],
    "import.guard.delete_share": [0.2, 0.3],
    "import.guard.changes": [100, 101],
    "import.guard.change_share": [0.5, 0.6],
    "import.guard.creates": [100, 101],
    "import.guard.create_share": [0.5, 0.6],
    "import.conflicts.deleted": ["restore", "respect"],
    "import.conflicts.edited": ["overwrite", "keep"],
    "import.photos.edge": [240, 241],
    "import.schedule.every_hours": [24, 1],
    "import.active": [True, False],
    "import.created": [NOW, NOW + timedelta(1)],
    "import.changed": [NOW, NOW + timedelta(1)],
    "import.removing": [False, True],
    "share.id": ["a" * 8, "b" * 8],
    "share.share_id": ["a" * 8, "b" * 8],
    "share.retired": [[], ["b" * 8]],
    "share.kept": [[], [TENANTS[0]]],
    "share.rotated": [None, NOW],
    "share.approved": [[], [TENANTS[0]]],
    "share.access.approval": [True, False],
    "share.name": ["a", "b"],
    "share.sources": [Sources(users=[USERS[0]]), Sources(org_contacts=True, exclude=[USERS[1]])],
    "share.fields": [None, ["displayName"]],
    "share.access.rule": ["anyone_with_id", "tenant"],
    "share.access.tenants": [[TENANTS[0]], TENANTS],
    "share.access.expires": [None, NOW],
    "share.blocked": [[], [TENANTS[0]]],
    "share.created": [NOW, NOW + timedelta(1)],
    "share.changed": [NOW, NOW + timedelta(1)],
}
"""Values of every setting, by its path; the test of a new one is the row that it gets here."""


def paths(model: type[Model], above: str) -> Iterator[str]:
    """The paths of all fields, nested ones too; a list or a table of values is one field.

    So is what has no effect as a whole, such as the sources of a share.
    """
    for name, field in model.model_fields.items():
        optional = isinstance(field.annotation, UnionType)
        kinds = get_args(field.annotation) if optional else (field.annotation,)
        nested = [k for k in kinds if isinstance(k, type) and issubclass(k, Model)]
        if nested and f"{above}.{name}" not in NO_EFFECT:
            yield from paths(nested[0], f"{above}.{name}")
        else:
            yield f"{above}.{name}"


def with_value[M: Model](model: M, path: list[str], value: object) -> M:
    """The model with one setting changed; a part that is not there is made."""
    name, *rest = path
    if rest:
        value = with_value(getattr(model, name) or Photos(), rest, value)
    changes: dict[str, Any] = {name: value}
    return model.copy_with(**changes)


def fingerprint_with(import_: Import, share: Share, path: str, value: object) -> str:
    if path == "share.access.tenants":
        share = share.copy_with(access=Access(rule="tenants", tenants=TENANTS))
    kind, *rest = path.split(".")
    if kind == "import":
        return run_fingerprint(CONTACTS, with_value(import_, rest, value), share)
    return run_fingerprint(CONTACTS, import_, with_value(share, rest, value))


def test_every_setting_is_in_the_fingerprint_or_has_a_reason_why_not() -> None:
    known = {*paths(Import, "import"), *paths(Share, "share")}

    assert len(known) >= 30
    assert IN_FINGERPRINT | NO_EFFECT.keys() == known
    assert IN_FINGERPRINT & NO_EFFECT.keys() == set()
    assert known == VALUES.keys()
    assert all(NO_EFFECT.values())


@pytest.mark.parametrize("path", sorted(IN_FINGERPRINT))
@settings(max_examples=20)
@given(IMPORTS, SHARES, st.data())
def test_setting_with_effect_changes_the_fingerprint(
    path: str, import_: Import, share: Share, data: st.DataObject
) -> None:
    one, other = data.draw(st.permutations(VALUES[path]))[:2]

    assert fingerprint_with(import_, share, path, one) != fingerprint_with(
        import_, share, path, other
    )


def test_photos_switched_off_change_the_fingerprint() -> None:
    import_ = Import(
        id="i",
        name="n",
        share_id="a" * 8,
        targets=Targets(users=[USERS[0]]),
        created=NOW,
        changed=NOW,
    )
    share = Share(
        id="a" * 8,
        share_id="b" * 8,
        name="s",
        sources=Sources(users=[USERS[0]]),
        created=NOW,
        changed=NOW,
    )
    on = import_.copy_with(photos=Photos())

    assert run_fingerprint(CONTACTS, on, share) != run_fingerprint(CONTACTS, import_, share)


@pytest.mark.parametrize("path", sorted(NO_EFFECT))
@settings(max_examples=20)
@given(IMPORTS, SHARES, st.data())
def test_setting_without_effect_leaves_the_fingerprint(
    path: str, import_: Import, share: Share, data: st.DataObject
) -> None:
    one, other = data.draw(st.permutations(VALUES[path]))[:2]

    assert fingerprint_with(import_, share, path, one) == fingerprint_with(
        import_, share, path, other
    )


@given(IMPORTS, SHARES, st.permutations(CONTACTS))
def test_contacts_count_by_content_and_not_by_order(
    import_: Import, share: Share, contacts: list[Contact]
) -> None:
    known = run_fingerprint(CONTACTS, import_, share)
    key, fields = contacts[0].key, contacts[0].fields
    others = [
        contacts[1:],
        [Contact.of(key, fields | {"surname": "C"}, contacts[0].photo), contacts[1]],
        [Contact.of(key, fields, "another"), contacts[1]],
        [Contact.of("u-3", fields, contacts[0].photo), contacts[1]],
    ]

    assert run_fingerprint(contacts, import_, share) == known
    assert known not in {run_fingerprint(each, import_, share) for each in others}
