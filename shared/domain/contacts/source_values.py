"""Short hashes of a contact's values as its source has them: before mapping, policy and formats.

They tell a change of source data, which the guard counts, from a rewrite of our own making.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from typing import Any, Final

import orjson

from shared.domain.contacts.fields import properties_of
from shared.domain.contacts.keys import ContactKind

UNKNOWN: Final = ""
"""The hash of a contact whose source values at the time of its last write are not known."""

_APART: Final = ("manager", "assistantName")
"""Properties that are not read each time, or that name a person who may not be in the share. A
property that the mapping reads in future belongs here too: each has a part of its own in the hash,
which is compared only where both sides have it."""

_BASE_BYTES: Final = 4
_PART_BYTES: Final = 2
_BETWEEN: Final = "."


def source_hash(kind: ContactKind, source: Mapping[str, Any]) -> str:
    """Return the hash of all values that the mapping may read from an object of this kind.

    It covers unpublished values too, so that it does not depend on the field policy. Empty values
    and the order of a list make no difference. A few digits are enough, because the guard counts
    changes by the hundred.
    """
    parts = [_digest(source, _base(kind), _BASE_BYTES)]
    parts += [_digest(source, [n], _PART_BYTES) if n in source else UNKNOWN for n in _APART]
    return _BETWEEN.join(parts).rstrip(_BETWEEN)


def without_values(hash_: str, names: Collection[str]) -> str:
    """Return a hash as it is if these properties, each with a part of its own, are empty."""
    base, *parts = hash_.split(_BETWEEN)
    empty = _digest({}, (), _PART_BYTES)
    left = [
        empty if part and name in names else part for name, part in zip(_APART, parts, strict=False)
    ]
    return _BETWEEN.join([base, *left])


@cache
def _base(kind: ContactKind) -> tuple[str, ...]:
    return tuple(name for name in properties_of(kind) if name not in _APART)


def same_source(before: str, now: str) -> bool:
    """Return whether two hashes are of the same values, as far as both sides know them."""
    if UNKNOWN in {before, now}:
        return False
    pairs = zip(before.split(_BETWEEN), now.split(_BETWEEN), strict=False)
    return all(one == other for one, other in pairs if one and other)


def _digest(source: Mapping[str, Any], names: Iterable[str], size: int) -> str:
    values = {name: found for name in names if (found := _plain(source.get(name)))}
    return hashlib.blake2b(_packed(values), digest_size=size).hexdigest()


def _plain(value: Any) -> Any:
    """Return a value without empty parts and annotations, lists sorted."""
    if isinstance(value, Mapping):
        parts = ((name, _plain(part)) for name, part in value.items() if name[:1] != "@")
        return {name: part for name, part in parts if part}
    if isinstance(value, list | tuple):
        return sorted((found for part in value if (found := _plain(part))), key=_packed)
    return value


def _packed(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
