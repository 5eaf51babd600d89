"""A contact: which fields it has, where each comes from, and how Graph takes it.

`FIELDS` is the one table of the mapping; to change what a contact carries, change a row.
A contact's fields are held under the names of Graph's contact resource (docs: contact), but `fax`,
for which Graph v1.0 has no property and which goes as the MAPI property `String 0x3A24`.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

type Fields = dict[str, Any]
type Directory = Mapping[str, Any]

MARK: Final = "String {6f9c1a3e-52d7-4b0a-9e84-d1c7b35f0e26} Name ContactSync"
"""Our mark, for ever: id of the extended property on contacts and folders (value: `mark_of`)."""

WRITTEN: Final = "String {6f9c1a3e-52d7-4b0a-9e84-d1c7b35f0e26} Name ContactSyncFields"
"""Beside the mark: which fields we wrote (`Contact.mask`, hexadecimal).

So a contact that we have no record of, since its worker died, can still lose a field again.
"""

FAX: Final = "String 0x3A24"
"""PidTagBusinessFaxNumber, for which Graph v1.0 contacts have no property of their own."""

MAX_PHONES: Final = 2
MAX_ADDRESSES: Final = 3


def _one(name: str) -> Callable[[Directory], Any]:
    return lambda source: source.get(name)


def _mails(source: Directory) -> list[Any]:
    """The main address first, then aliases, without the tenant's technical onmicrosoft.com ones."""
    aliases = sorted(
        str(proxy)[5:]
        for proxy in source.get("proxyAddresses") or ()
        if str(proxy)[:5].lower() == "smtp:" and not str(proxy).lower().endswith("onmicrosoft.com")
    )
    return [{"address": address} for address in (source.get("mail"), *aliases) if address]


def _phones(*types: str) -> Callable[[Directory], list[str]]:
    return lambda source: [
        phone["number"]
        for phone in source.get("phones") or ()
        if phone.get("type") in types and phone.get("number")
    ]


def _phone(*types: str) -> Callable[[Directory], str | None]:
    numbers = _phones(*types)
    return lambda source: next(iter(numbers(source)), None)


def _user_address(user: Directory) -> Fields:
    return {
        "street": user.get("streetAddress"),
        "city": user.get("city"),
        "state": user.get("state"),
        "postalCode": user.get("postalCode"),
        "countryOrRegion": user.get("country"),
    }


def _org_address(contact: Directory) -> Any:
    return next(iter(contact.get("addresses") or ()), None)


def _org_office(contact: Directory) -> Any:
    return (_org_address(contact) or {}).get("officeLocation")


def _manager(user: Directory) -> Any:
    return (user.get("manager") or {}).get("displayName")


def _text(value: object) -> str | None:
    """Text without control characters and surrounding blanks, or nothing."""
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


@dataclass(frozen=True, slots=True)
class Field:
    """One row of the mapping: a contact field and where it comes from in each kind of source.

    `limit` is the most values Graph takes (more answer 400: microsoft-graph-docs#15276);
    `by_default` whether a share publishes it unless its field policy names others.
    """

    name: str
    clean: Callable[[object], Any] = _text
    user: Callable[[Directory], Any] | None = None
    org_contact: Callable[[Directory], Any] | None = None
    group: Callable[[Directory], Any] | None = None
    limit: int | None = None
    by_default: bool = True


def _same(name: str) -> Field:
    return Field(name, user=_one(name), org_contact=_one(name))


FIELDS: Final[tuple[Field, ...]] = (
    Field(
        "displayName",
        user=_one("displayName"),
        org_contact=_one("displayName"),
        group=_one("displayName"),
    ),
    _same("givenName"),
    Field("middleName"),
    _same("surname"),
    Field("title"),
    _same("companyName"),
    _same("department"),
    _same("jobTitle"),
    Field("officeLocation", user=_one("officeLocation"), org_contact=_org_office),
    Field(
        "emailAddresses",
        _mail_list,
        user=_mails,
        org_contact=_mails,
        group=_mails,
        limit=MAX_ADDRESSES,
    ),
    Field(
        "businessPhones",
        _texts,
        user=_one("businessPhones"),
        org_contact=_phones("business"),
        limit=MAX_PHONES,
    ),
    Field("mobilePhone", user=_one("mobilePhone"), org_contact=_phone("mobile")),
    Field("homePhones", _texts, org_contact=_phones("home"), limit=MAX_PHONES, by_default=False),
    Field("fax", user=_one("faxNumber"), org_contact=_phone("businessFax")),
    Field("businessAddress", _address, user=_user_address, org_contact=_org_address),
    Field("homeAddress", _address, by_default=False),
    Field("otherAddress", _address),
    Field("manager", user=_manager),
    Field("assistantName"),
    Field("businessHomePage"),
    Field("yomiGivenName"),
    Field("yomiSurname"),
    Field("yomiCompanyName"),
)

FIELD_NAMES: Final = tuple(row.name for row in FIELDS)
PHOTO: Final = "photo"
"""The name of a person's photo in a share's field policy; Graph keeps it beside the fields."""
PUBLISHABLE: Final = (*FIELD_NAMES, PHOTO)
DEFAULT_FIELDS: Final = (*(row.name for row in FIELDS if row.by_default), PHOTO)
GRAPH_FIELDS: Final = tuple(name for name in FIELD_NAMES if name != "fax")
"""The fields a contact read from Graph shows (`$select` of delta); fax is no property there."""

_ROWS: Final = {row.name: row for row in FIELDS}
_BITS: Final = {name: 1 << position for position, name in enumerate(FIELD_NAMES)}


_NAME_PARTS: Final = sum(
    _BITS[name] for name in ("displayName", "givenName", "middleName", "surname", "title")
)
_CHECK_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class Contact:
    """One desired contact: `key` names its source for ever, `packed` is its fields as JSON.

    Packed, because a run holds up to 50,000 of them and writes few. `hash` stands for all fields,
    `seen` for those that a later read can show, `mask` says which they are (a bit for each row of
    `FIELDS`). `photo` is the photo's digest; '' says that there is none, None that we do not know.
    """

    key: str
    packed: bytes
    hash: str
    seen: str
    mask: int
    photo: str | None = None

    @classmethod
    def of(cls, key: str, fields: Fields, photo: str | None = None) -> "Contact":
        """Pack a contact's fields, which hold only what has a value (see `clean`)."""
        packed = _packed(fields)
        digest = _digest(packed)
        seen = digest if "fax" not in fields else _hash(_shown(fields))
        mask = sum(_BITS[name] for name in fields)
        return cls(key, packed, digest, seen, mask, photo)

    @property
    def fields(self) -> Fields:
        """The fields by name, unpacked anew each time."""
        return dict(orjson.loads(self.packed))

    def without(self, kept: int) -> "Contact":
        """The contact less the fields of this mask, which the mailbox's user keeps as they are."""
        if not kept & self.mask:
            return self
        left = {n: value for n, value in self.fields.items() if not kept & _BITS[n]}
        return Contact.of(self.key, left, self.photo)


def map_source(kind: str, source: Directory, names: Iterable[str]) -> tuple[Fields, bool]:
    """Map a directory object to contact fields.

    `kind` is 'user', 'org_contact' or 'group' (a column of `FIELDS`), `names` the published
    fields. Answers the fields and whether Graph's limits cut some off.
    """
    values = {
        row.name: getter(source)
        for row in map(_ROWS.get, names)
        if row is not None and (getter := getattr(row, kind)) is not None
    }
    return clean(values)


def clean(values: Mapping[str, Any]) -> tuple[Fields, bool]:
    """Bring values to the form Graph takes and would answer; empty ones fall away.

    Answers the fields and whether Graph's limits cut some off.
    """
    fields: Fields = {}
    shortened = False
    for name in FIELD_NAMES:
        row = _ROWS[name]
        value = row.clean(values.get(name))
        if value is None:
            continue
        if row.limit is not None and len(value) > row.limit:
            value, shortened = value[: row.limit], True
        fields[name] = value
    if "displayName" not in fields and "emailAddresses" in fields:
        fields["displayName"] = fields["emailAddresses"][0]["address"]
    return fields, shortened


def seen_hash(observed: Mapping[str, Any], mask: int) -> str:
    """Hash a contact as read from Graph, restricted to the fields of `mask` that a read shows."""
    values = {name: observed.get(name) for name in GRAPH_FIELDS if mask & _BITS[name]}
    return _hash(
        {
            name: cleaned
            for name, value in values.items()
            if (cleaned := _ROWS[name].clean(value)) is not None
        }
    )


def holds_any(observed: Mapping[str, Any], mask: int) -> bool:
    """Whether a contact as read from Graph has a value in any of these fields, or may have one.

    The fax is out of sight.
    """
    return bool(mask & _BITS["fax"]) or seen_hash(observed, mask) != seen_hash({}, mask)


def checks(observed: Mapping[str, Any], mask: int) -> str:
    """A short check of each field of `mask` that a read shows, to tell later which was edited."""
    found = []
    for name in GRAPH_FIELDS:
        if mask & _BITS[name]:
            value = _ROWS[name].clean(observed.get(name))
            found.append(_digest(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))[:_CHECK_DIGITS])
    return "".join(found)


def edited(before: str, now: str, mask: int) -> int:
    """The mask of fields whose checks differ; a name is one thing, whichever part was edited.

    Outlook may compute the display name from the other parts (docs: contact), so they count as one.
    """
    changed = 0
    visible = (name for name in GRAPH_FIELDS if mask & _BITS[name])
    for start, name in zip(range(0, len(now), _CHECK_DIGITS), visible, strict=True):
        if before[start : start + _CHECK_DIGITS] != now[start : start + _CHECK_DIGITS]:
            changed |= _BITS[name]
    return changed | (_NAME_PARTS if changed & _NAME_PARTS else 0)


def graph_body(contact: Contact, before: int = 0) -> Fields:
    """The JSON by which Graph creates or updates the contact.

    `before` is the mask written last time: what it held and the contact has no more is cleared;
    fields that we never wrote are not named, so that the user's own values survive.
    """
    gone = [name for name in FIELD_NAMES if before & ~contact.mask & _BITS[name]]
    body: Fields = {name: None for name in gone if name != "fax"}
    for name in ("emailAddresses", "businessPhones", "homePhones"):
        if name in body:
            body[name] = []
    fields = contact.fields
    body |= _shown(fields)
    if "fax" in fields or "fax" in gone:
        body["singleValueExtendedProperties"] = [{"id": FAX, "value": fields.get("fax", "")}]
    return body


@dataclass(frozen=True, slots=True)
class Mark:
    """What a contact's mark says: its source, and the mask of the fields we wrote."""

    key: str
    mask: int = 0


def mark_of(import_id: str, key: str = "") -> str:
    """The value of our mark on a contact (or, without a key, on a folder) of an import.

    Graph compares such values without regard to case (docs: singlevaluelegacyextendedproperty-get),
    so both parts are lower-case by construction.
    """
    return f"{import_id}:{key}" if key else import_id


def wrote(mask: int) -> Fields:
    """What a contact itself says of the fields we wrote."""
    return {"id": WRITTEN, "value": f"{mask:x}"}


def key_of_mark(value: str, import_id: str) -> str | None:
    """The source key in a mark's value, or None if the mark is another import's."""
    prefix = f"{import_id}:"
    return value[len(prefix) :] if value.startswith(prefix) else None


def hand_kept_key(contact: Mapping[str, Any]) -> str:
    """A stable key for a hand-kept contact: its own id, else its name and first address.

    Correcting a phone number so keeps the contact; renaming it makes it a new one.
    """
    if given := contact.get("id"):
        return f"c-{str(given).lower()}"
    mails = contact.get("emailAddresses") or [{}]
    identity = f"{contact.get('displayName', '')}\n{mails[0].get('address', '')}".casefold()
    return f"c-{hashlib.blake2b(identity.encode(), digest_size=12).hexdigest()}"


def fingerprint(contacts: Iterable[Contact]) -> str:
    """One hash over all contacts of a share, independent of their order."""
    digest = hashlib.blake2b(digest_size=16)
    for contact in sorted(contacts, key=lambda c: c.key):
        digest.update(f"{contact.key}\0{contact.hash}\0{contact.photo or ''}\n".encode())
    return digest.hexdigest()


def _shown(fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if name != "fax"}


def _packed(fields: Mapping[str, Any]) -> bytes:
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)


def _digest(packed: bytes) -> str:
    return hashlib.blake2b(packed, digest_size=8).hexdigest()


def _hash(fields: Mapping[str, Any]) -> str:
    return _digest(_packed(fields))
