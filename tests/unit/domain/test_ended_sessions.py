"""Which sessions and tokens count as ended, and that nothing ended comes back."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.tenancy.sessions import KEPT, MAX_PEOPLE, EndedSessions

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
BEFORE, AFTER = NOON - timedelta(microseconds=1), NOON + timedelta(microseconds=1)
NOBODY = EndedSessions()


@pytest.mark.parametrize("portal", [True, False])
def test_what_was_issued_before_the_end_has_ended(portal: bool) -> None:  # noqa: FBT001
    for ended in (NOBODY.with_everyone(NOON), NOBODY.with_person("ada", NOON)):
        assert ended.ended("ada", BEFORE, portal=portal)
        assert ended.ended("ada", None, portal=portal)
        assert not ended.ended("ada", AFTER, portal=portal)
    assert NOBODY.with_everyone(NOON).ended("bob", BEFORE, portal=portal)
    assert not NOBODY.with_person("ada", NOON).ended("bob", BEFORE, portal=portal)
    assert not NOBODY.ended("ada", None, portal=portal)


def test_sign_out_ends_sessions_of_the_portal_but_no_tokens() -> None:
    ended = NOBODY.with_sign_out("ada", NOON)

    assert ended.ended("ada", BEFORE, portal=True)
    assert not ended.ended("ada", BEFORE, portal=False)


def test_later_ends_keep_earlier_ones() -> None:
    ended = NOBODY.with_everyone(NOON).with_person("ada", AFTER).with_sign_out("bob", AFTER)

    assert ended.ended("carl", BEFORE, portal=False)
    assert ended.ended("ada", NOON, portal=False)
    assert ended.ended("bob", NOON, portal=True)


def test_beyond_the_maximum_the_oldest_end_applies_to_everyone() -> None:
    ended = NOBODY
    for n in range(MAX_PEOPLE + 1):
        ended = ended.with_person(str(n), NOON + timedelta(seconds=n))

    assert len(ended.people) == MAX_PEOPLE
    assert ended.ended("0", BEFORE, portal=False)
    assert ended.everyone == NOON


def test_what_cannot_be_valid_any_more_is_dropped() -> None:
    ended = NOBODY.with_person("ada", NOON).with_sign_out("bob", NOON + KEPT)

    assert (ended.people, ended.everyone) == ({}, None)
