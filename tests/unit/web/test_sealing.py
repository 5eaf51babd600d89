"""Sealed values that browsers keep for us: unreadable, unforgeable, for one purpose and time."""

import string
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.sealing import LONGEST, GivenKeys, Purpose, Seal
from shared.domain.errors import Defect

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SESSION = Purpose("session", timedelta(hours=1))
FORM = Purpose("form", timedelta(hours=1))
KEY, OTHER = Fernet.generate_key().decode(), Fernet.generate_key().decode()
LETTERS = string.ascii_letters + string.digits + "-_"
VALUES = st.dictionaries(st.text(), st.text() | st.integers(-(2**53), 2**53) | st.booleans())


def seal(*keys: str, now: datetime = NOON) -> Seal:
    return Seal(GivenKeys(keys or (KEY,)), lambda: now)


@given(VALUES)
async def test_sealed_value_is_opened_unchanged(value: dict[str, Any]) -> None:
    assert await seal().open(SESSION, await seal().close(SESSION, value)) == value


async def test_sealed_value_is_valid_only_for_its_purpose() -> None:
    assert await seal().open(FORM, await seal().close(SESSION, {"a": 1})) is None


@pytest.mark.parametrize(("minutes", "valid"), [(0, True), (59, True), (61, False), (-10, False)])
async def test_sealed_value_is_valid_only_for_its_lifetime(minutes: int, *, valid: bool) -> None:
    sealed = await seal().close(SESSION, {"a": 1})

    found = await seal(now=NOON + timedelta(minutes=minutes)).open(SESSION, sealed)

    assert (found is not None) == valid


@given(st.data())
async def test_modified_value_is_not_opened(data: st.DataObject) -> None:
    sealed = await seal().close(SESSION, {"roles": ["Reader"]})
    # The last letter before the padding has unused bits.
    place = data.draw(st.integers(0, len(sealed) - 4))
    further = data.draw(st.integers(1, len(LETTERS) - 1))
    letter = LETTERS[(LETTERS.index(sealed[place]) + further) % len(LETTERS)]

    assert await seal().open(SESSION, sealed[:place] + letter + sealed[place + 1 :]) is None


@given(st.text() | st.just("A" * (LONGEST + 1)))
async def test_value_that_we_did_not_seal_is_not_opened(text: str) -> None:
    assert await seal().open(SESSION, text) is None


async def test_new_key_seals_and_the_previous_key_still_opens() -> None:
    before = await seal(KEY).close(SESSION, {"a": 1})
    after = await seal(OTHER, KEY).close(SESSION, {"a": 2})

    assert await seal(OTHER, KEY).open(SESSION, before) == {"a": 1}
    assert await seal(OTHER).open(SESSION, after) == {"a": 2}
    assert await seal(OTHER).open(SESSION, before) is None


async def test_sealed_value_does_not_reveal_its_content() -> None:
    assert "Ada" not in await seal().close(SESSION, {"name": "Ada"})


@pytest.mark.parametrize("key", ["", "short", "ä" * 44])
async def test_invalid_key_raises_a_defect_without_the_key(key: str) -> None:
    with pytest.raises(Defect) as caught:
        await seal(key).close(SESSION, {})

    assert not key or key not in str(caught.value)
