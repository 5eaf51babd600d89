"""The guard: which plans are held."""

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.contacts.fields import Contact
from shared.domain.contacts.guard import Guard
from shared.domain.contacts.known import Known
from shared.domain.contacts.plan import Delete, Plan, make_plan
from shared.domain.reasons import Reason
from tests.unit.domain.contacts.folder import shares


@given(shares, st.integers(0, 20), st.floats(0, 1))
def test_guard_holds_plan_that_deletes_more_than_allowed(
    share: dict[str, Contact], deletes: int, share_of_known: float
) -> None:
    known = {f"k{n}": Known(f"id{n}", "h", "s", 1) for n in range(15)}
    plan = make_plan(share, known)
    allowed = max(deletes, share_of_known * len(known))
    held = Guard(deletes, share_of_known).objection(plan, len(known))
    assert (held is Reason.TOO_MANY_DELETES) == (allowed < 15)


@given(st.integers(0, 20), st.floats(0, 1), st.integers(0, 15))
def test_guard_holds_plan_that_changes_more_than_allowed(
    changes: int, share_of_known: float, changed: int
) -> None:
    share = {f"k{n}": Contact.of(f"k{n}", {"displayName": str(n)}) for n in range(15)}
    known = {
        key: Known(f"id-{key}", "old" if n < changed else contact.hash, "s", 1)
        for n, (key, contact) in enumerate(share.items())
    }
    plan = make_plan(share, known)
    held = Guard(0, 0, changes, share_of_known).objection(plan, len(known))
    assert (held is Reason.TOO_MANY_CHANGES) == (changed > max(changes, share_of_known * 15))


def test_repairs_never_trip_the_guard() -> None:
    share = {f"k{n}": Contact.of(f"k{n}", {"displayName": str(n)}) for n in range(15)}
    known = {key: Known(f"id-{key}", None, None, 1, c.source) for key, c in share.items()}
    assert Guard(0, 0, 0, 0).objection(make_plan(share, known), len(known)) is None


def test_deleting_duplicates_never_trips_the_guard() -> None:
    plan = Plan((), (), tuple(Delete("", f"id{n}") for n in range(50)), 0)
    assert Guard(0, 0).objection(plan, 0) is None
