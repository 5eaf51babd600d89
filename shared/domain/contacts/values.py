"""Values of contact fields: how each is read from a directory object, and its form in Graph.

A `Reader` names the properties it needs, so that a request selects only these. A `Shape` converts
a value to the form that Graph accepts and returns.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.domain.contacts.cleaning import fitting, line, lines

type Fields = dict[str, Any]
type Directory = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads one contact field from these properties of a directory object.

    A property that is expanded rather than selected, such as the manager, is not listed. `drops`
    says whether an object has values of this field that a contact cannot hold. `person` returns the
    object id of the user that the value names.
    """

    properties: tuple[str, ...]
    read: Callable[[Directory], Any]
    drops: Callable[[Directory], bool] | None = None
    person: Callable[[Directory], str | None] | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of field value: how to clean it, and which value clears it in Graph.

    `fit` returns the part of a clean value that Exchange stores, given the maximum number of
    values. `send` returns a clean value as it is sent to Graph, `compare` the part of it that Graph
    returns as it was written.
    """

    clean: Callable[[object], Any]
    empty: Callable[[], object]
    fit: Callable[[Any, int | None], Any]
    send: Callable[[Any], Any] = lambda value: value
    compare: Callable[[Any], Any] = lambda value: value


def one(name: str) -> Reader:
    """Return a reader of one property, which it does not change."""
    return Reader((name,), lambda source: source.get(name))


_PHONE_TYPES: Final = ("business", "mobile", "home", "businessFax")


def phones(*types: str) -> Reader:
    """Return a reader of all numbers of these types in an organizational contact's `phones`."""
    return Reader(("phones",), lambda source: _numbers(source, types))


def phone(*types: str) -> Reader:
    """Return a reader of the first number of these types in an org contact's `phones`."""
    return Reader(
        ("phones",),
        lambda source: next(iter(_numbers(source, types)), None),
        lambda source: len(_numbers(source, types)) > 1,
    )


def _numbers(source: Directory, types: tuple[str, ...]) -> list[str]:
    return [
        phone["number"]
        for phone in source.get("phones") or ()
        if phone.get("type") in types and phone.get("number")
    ]


def _has_other_phones(source: Directory) -> bool:
    return any(
        phone.get("number") and phone.get("type") not in _PHONE_TYPES
        for phone in source.get("phones") or ()
    )


ORG_PHONES: Final = Reader(
    ("phones",), lambda source: _numbers(source, ("business",)), _has_other_phones
)
"""The business numbers; numbers of a type that no contact field holds count as dropped."""


def _mails(source: Directory) -> list[Any]:
    aliases = sorted(
        str(proxy)[5:]
        for proxy in source.get("proxyAddresses") or ()
        if str(proxy)[:5].lower() == "smtp:" and not str(proxy).lower().endswith("onmicrosoft.com")
    )
    return [{"address": address} for address in (source.get("mail"), *aliases) if address]


MAILS: Final = Reader(("mail", "proxyAddresses"), _mails)
"""The primary address, then the aliases except the tenant's onmicrosoft.com ones."""


def _user_address(user: Directory) -> Fields:
    return {
        "street": user.get("streetAddress"),
        "city": user.get("city"),
        "state": user.get("state"),
        "postalCode": user.get("postalCode"),
        "countryOrRegion": user.get("country"),
    }


USER_ADDRESS: Final = Reader(
    ("streetAddress", "city", "state", "postalCode", "country"), _user_address
)


def _org_address(contact: Directory) -> Any:
    return next(iter(contact.get("addresses") or ()), None)


def _org_office(contact: Directory) -> Any:
    return (_org_address(contact) or {}).get("officeLocation")


def _has_more_addresses(contact: Directory) -> bool:
    return len(contact.get("addresses") or ()) > 1


ORG_ADDRESS: Final = Reader(("addresses",), _org_address, _has_more_addresses)
ORG_OFFICE: Final = Reader(("addresses",), _org_office)


def _manager(user: Directory) -> Any:
    return (user.get("manager") or {}).get("displayName")


def _manager_id(user: Directory) -> str | None:
    return (user.get("manager") or {}).get("id")


MANAGER: Final = Reader((), _manager, person=_manager_id)
"""The manager's name; a request expands the manager instead of selecting it."""


def _fitting_text(value: str, limit: int | None) -> str:
    del limit
    return fitting(value)


def _texts(value: object) -> list[str] | None:
    items = value if isinstance(value, list | tuple) else ()
    return list(dict.fromkeys(text for item in items if (text := line(item)))) or None


def _fitting_texts(value: list[str], limit: int | None) -> list[str]:
    return list(dict.fromkeys(map(fitting, value)))[:limit]


_MAX_MAIL: Final = 320
_PART: Final = r"[^\s@,;:<>()\[\]\\\"]+"
_MAIL: Final = re.compile(rf"{_PART}@{_PART}(?<!\.)")


def _mail_list(value: object) -> list[Fields] | None:
    """Return the addresses without repetitions, each with its name if it has one."""
    found: dict[str, Fields] = {}
    for item in value if isinstance(value, list | tuple) else ():
        address = line(item.get("address"))
        if address and address.lower() not in found:
            name = line(item.get("name"))
            found[address.lower()] = {"address": address} | ({"name": name} if name else {})
    return list(found.values()) or None


def _fitting_mails(value: list[Fields], limit: int | None) -> list[Fields] | None:
    """Return the first well-formed addresses: of others Graph keeps only the name."""
    whole = [
        {part: fitting(text) if part == "name" else text for part, text in mail.items()}
        for mail in value
        if len(mail["address"]) <= _MAX_MAIL and _MAIL.fullmatch(mail["address"])
    ]
    return whole[:limit] or None


def _addresses_only(value: list[Fields]) -> list[str]:
    """Leave out the names, for which Graph puts the directory's where it knows the address."""
    return [mail["address"] for mail in value]


_ADDRESS_PARTS: Final = ("street", "city", "state", "postalCode", "countryOrRegion")


def _address(value: object) -> Fields | None:
    parts = value if isinstance(value, Mapping) else {}
    found = {part: line(parts.get(part)) for part in _ADDRESS_PARTS[1:]}
    found = {"street": lines(parts.get("street"))} | found
    return {part: text for part, text in found.items() if text} or None


def _whole_address(value: Fields) -> Fields:
    """Return all parts: Graph requires them (docs: contact-update), and rejects no address at all.

    A null instead of an address is an internal error there (msgraph-sdk-dotnet#2368).
    """
    return {part: value.get(part) for part in _ADDRESS_PARTS}


def without_null_parts(body: Mapping[str, Any]) -> Fields | None:
    """Return the body with empty text for each null part of an address; None if it has none."""
    replaced = {
        name: {part: text or "" for part, text in value.items()}
        for name, value in body.items()
        if isinstance(value, Mapping) and None in value.values()
    }
    return {**body, **replaced} if replaced else None


def _fitting_address(value: Fields, limit: int | None) -> Fields:
    del limit
    return {part: fitting(text) for part, text in value.items()}


TEXT: Final = Shape(line, lambda: None, _fitting_text)
TEXTS: Final = Shape(_texts, list, _fitting_texts)
MAIL_LIST: Final = Shape(_mail_list, list, _fitting_mails, compare=_addresses_only)
ADDRESS: Final = Shape(_address, lambda: _whole_address({}), _fitting_address, _whole_address)
