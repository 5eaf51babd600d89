"""Recognizes contacts that another tool created, so that we adopt them instead of duplicating them.

A contact matches a person if it has one of the person's mail addresses, or both the name and one
of the phone numbers, in any notation. A name alone never matches.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from phonenumbers import MatchType, is_number_match

from shared.domain.contacts.fields import Contact

_PHONE_LISTS: Final = ("businessPhones", "homePhones")
_SAME_NUMBER: Final = (MatchType.EXACT_MATCH, MatchType.NSN_MATCH)


class MatchedBy(StrEnum):
    """How a contact was recognized."""

    MAIL = "mail"
    """By a mail address."""
    PHONE_AND_NAME = "phone_and_name"
    """By a phone number and the name."""


@dataclass(frozen=True, slots=True)
class Match:
    """Contact `id` matches `key`; `duplicate_of` is the contact that the key already has."""

    id: str
    key: str
    by: MatchedBy
    duplicate_of: str | None = None


def match(
    existing: Iterable[tuple[str, Mapping[str, Any]]],
    desired: Mapping[str, Contact],
    taken: Mapping[str, str],
) -> tuple[Match, ...]:
    """Match a folder's unmarked contacts (id and fields) with the contacts of a share.

    `taken` maps keys to our existing contacts. Each person gets one contact, preferably one that
    matches by mail; further matches are its duplicates. A mail address that several people share
    matches nobody.
    """
    contacts = list(existing)
    people = _PeopleIndex(desired)
    standing = dict(taken)
    found: dict[str, Match] = {}
    for by in MatchedBy:
        for id_, fields in contacts:
            key = None if id_ in found else people.find(fields, by)
            if key is not None:
                found[id_] = Match(id_, key, by, standing.get(key))
                standing.setdefault(key, id_)
    return tuple(found[id_] for id_, _ in contacts if id_ in found)


class _PeopleIndex:
    """An index of a share's people, by mail address and by name."""

    def __init__(self, desired: Mapping[str, Contact]) -> None:
        self._mails: defaultdict[str, set[str]] = defaultdict(set)
        self._names: defaultdict[str, list[tuple[str, Sequence[str]]]] = defaultdict(list)
        for key, contact in desired.items():
            fields = contact.fields
            for address in _mails(fields):
                self._mails[address].add(key)
            for name in _names(fields):
                self._names[name].append((key, _phones(fields)))

    def find(self, fields: Mapping[str, Any], by: MatchedBy) -> str | None:
        if by is MatchedBy.MAIL:
            owners = [self._mails[mail] for mail in _mails(fields) if mail in self._mails]
            keys = {key for owner in owners if len(owner) == 1 for key in owner}
        else:
            phones = _phones(fields)
            keys = {
                key
                for name in _names(fields)
                for key, theirs in self._names.get(name, ())
                if any(is_number_match(a, b) in _SAME_NUMBER for a in phones for b in theirs)
            }
        return keys.pop() if len(keys) == 1 else None


def _mails(fields: Mapping[str, Any]) -> set[str]:
    found = fields.get("emailAddresses") or ()
    return {str(mail.get("address") or "").strip().casefold() for mail in found} - {""}


def _phones(fields: Mapping[str, Any]) -> list[str]:
    numbers = [number for name in _PHONE_LISTS for number in fields.get(name) or ()]
    return [str(number) for number in (*numbers, fields.get("mobilePhone")) if number]


def _names(fields: Mapping[str, Any]) -> set[str]:
    """Return a person's names, normalized for case, accents, commas and the order of parts."""
    full = (str(fields.get(part) or "") for part in ("givenName", "surname"))
    return {_plain(str(fields.get("displayName") or "")), _plain(" ".join(full))} - {""}


def _plain(name: str) -> str:
    bare = unicodedata.normalize("NFKD", name).casefold()
    letters = "".join(c if c.isalnum() else " " for c in bare if not unicodedata.combining(c))
    return " ".join(sorted(letters.split()))
