"""Values of contact fields: how each is read from a directory object, and its form in Graph.

A `Reader` names the properties it needs, so that a request selects only these. A `Shape` converts
a value to the form that Graph accepts and returns.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

type Fields = dict[str, Any]
type Directory = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads one contact field from these properties of a directory object.

    A property that is expanded rather than selected, such as the manager, is not listed.
    """

    properties: tuple[str, ...]
    read: Callable[[Directory], Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of field value: how to clean it, and which value clears it in Graph."""

    clean: Callable[[object], Any]
    empty: Callable[[], object]


def one(name: str) -> Reader:
    """Return a reader of one property, which it does not change."""
    return Reader((name,), lambda source: source.get(name))


def phones(*types: str) -> Reader:
    """Return a reader of all numbers of these types in an organizational contact's `phones`."""
    return Reader(("phones",), lambda source: _numbers(source, types))


def phone(*types: str) -> Reader:
    """Return a reader of the first number of these types in an org contact's `phones`."""
    return Reader(("phones",), lambda source: next(iter(_numbers(source, types)), None))


def _numbers(source: Directory, types: tuple[str, ...]) -> list[str]:
    return [
        phone["number"]
        for phone in source.get("phones") or ()
        if phone.get("type") in types and phone.get("number")
    ]


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


ORG_ADDRESS: Final = Reader(("addresses",), _org_address)
ORG_OFFICE: Final = Reader(("addresses",), _org_office)


def _manager(user: Directory) -> Any:
    return (user.get("manager") or {}).get("displayName")


MANAGER: Final = Reader((), _manager)
"""The manager's name; a request expands the manager instead of selecting it."""


def _text(value: object) -> str | None:
    """Return text without control characters and surrounding blanks; None if it is empty."""
    if not isinstance(value, str):
        return None
    if value.isprintable():
        return value.strip() or None
    return "".join(c for c in value if c.isprintable() or c == "\n").strip() or None


def _texts(value: object) -> list[str] | None:
    items = value if isinstance(value, list | tuple) else ()
    return list(dict.fromkeys(text for item in items if (text := _text(item)))) or None


def _mail_list(value: object) -> list[Fields] | None:
    found: dict[str, Fields] = {}
    for item in value if isinstance(value, list | tuple) else ():
        address = _text(item.get("address"))
        if address and address.lower() not in found:
            name = _text(item.get("name"))
            found[address.lower()] = {"address": address, "name": name or address}
    return list(found.values()) or None


_ADDRESS_PARTS: Final = ("street", "city", "state", "postalCode", "countryOrRegion")


def _address(value: object) -> Fields | None:
    parts = value if isinstance(value, Mapping) else {}
    return {part: text for part in _ADDRESS_PARTS if (text := _text(parts.get(part)))} or None


def _nothing() -> None:
    return None


TEXT: Final = Shape(_text, _nothing)
TEXTS: Final = Shape(_texts, list)
MAIL_LIST: Final = Shape(_mail_list, list)
ADDRESS: Final = Shape(_address, _nothing)
