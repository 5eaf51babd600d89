"""A contact: which fields it has, where each comes from, and how it is written to Graph.

`FIELDS` is the only table of the mapping; to change what a contact contains, change a row. Fields
have the names of Graph's contact resource (docs: contact), except `fax`, for which Graph v1.0 has
no property and which is written as the MAPI property `String 0x3A24`.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from shared.domain.contacts.keys import ContactKind
from shared.domain.contacts.values import (
    ADDRESS,
    MAIL_LIST,
    MAILS,
    MANAGER,
    ORG_ADDRESS,
    ORG_OFFICE,
    ORG_PHONES,
    TEXT,
    TEXTS,
    USER_ADDRESS,
    Fields,
    Reader,
    Shape,
    one,
    phone,
    phones,
)
from shared.domain.texts import N_

MARK: Final = "String {6f9c1a3e-52d7-4b0a-9e84-d1c7b35f0e26} Name ContactSync"
"""Our mark: the id, which never changes, of the extended property whose value is `mark_of`."""

WRITTEN: Final = "String {6f9c1a3e-52d7-4b0a-9e84-d1c7b35f0e26} Name ContactSyncFields"
"""The property beside the mark that says which fields we wrote (`Contact.mask`, hexadecimal).

With it we can clear a field even if the worker that wrote the contact died before recording it.
"""

FAX: Final = "String 0x3A24"
"""PidTagBusinessFaxNumber, for which Graph v1.0 contacts have no property."""

MAX_PHONES: Final = 2
MAX_ADDRESSES: Final = 3
MAX_IM_ADDRESSES: Final = 3


@dataclass(frozen=True, slots=True)
class Field:
    """One row of the mapping: a contact field and where it comes from in each kind of source.

    `bit` is the field's bit in masks of the fields we wrote; masks are stored in mailboxes, so a
    bit never changes and a new field takes the next one. `label` is the name that people see.
    `limit` is the maximum number of values (Graph rejects more with 400:
    microsoft-graph-docs#15276). `by_default` says whether a share without a field policy publishes
    the field, `manual` whether a manual contact may have it. A `derived` field is made from the
    name, so that nobody publishes or types it. A field that `names_a_person` other than the contact
    is published only if the share holds that person (`mapping.people_named`).
    """

    name: str
    bit: int
    label: str
    shape: Shape = TEXT
    user: Reader | None = None
    org_contact: Reader | None = None
    group: Reader | None = None
    limit: int | None = None
    by_default: bool = True
    manual: bool = True
    derived: bool = False
    names_a_person: bool = False

    def reader(self, kind: ContactKind) -> Reader | None:
        """Return the field's reader for objects of this kind; None if they do not have the field.

        Kinds without a column in the table have objects whose properties have the names of the
        fields.
        """
        match kind:
            case ContactKind.USER:
                return self.user
            case ContactKind.ORG_CONTACT:
                return self.org_contact
            case ContactKind.GROUP:
                return self.group
            case _:
                return None if self.derived else one(self.name)


def _same(name: str, *, bit: int, label: str) -> Field:
    return Field(name, bit=bit, label=label, user=one(name), org_contact=one(name))


FIELDS: Final[tuple[Field, ...]] = (
    Field(
        "displayName",
        bit=0,
        label=N_("Display name"),
        user=one("displayName"),
        org_contact=one("displayName"),
        group=one("displayName"),
    ),
    _same("givenName", bit=1, label=N_("First name")),
    Field("middleName", bit=2, label=N_("Middle name")),
    _same("surname", bit=3, label=N_("Last name")),
    Field("title", bit=4, label=N_("Title")),
    _same("companyName", bit=5, label=N_("Company")),
    _same("department", bit=6, label=N_("Department")),
    _same("jobTitle", bit=7, label=N_("Job title")),
    Field(
        "officeLocation",
        bit=8,
        label=N_("Office"),
        user=one("officeLocation"),
        org_contact=ORG_OFFICE,
    ),
    Field(
        "emailAddresses",
        bit=9,
        label=N_("E-mail"),
        shape=MAIL_LIST,
        user=MAILS,
        org_contact=MAILS,
        group=MAILS,
        limit=MAX_ADDRESSES,
    ),
    Field(
        "businessPhones",
        bit=10,
        label=N_("Business phone"),
        shape=TEXTS,
        user=one("businessPhones"),
        org_contact=ORG_PHONES,
        limit=MAX_PHONES,
    ),
    Field(
        "mobilePhone",
        bit=11,
        label=N_("Mobile phone"),
        user=one("mobilePhone"),
        org_contact=phone("mobile"),
    ),
    Field(
        "homePhones",
        bit=12,
        label=N_("Home phone"),
        shape=TEXTS,
        org_contact=phones("home"),
        limit=MAX_PHONES,
        by_default=False,
    ),
    Field("fax", bit=13, label=N_("Fax"), user=one("faxNumber"), org_contact=phone("businessFax")),
    Field(
        "businessAddress",
        bit=14,
        label=N_("Business address"),
        shape=ADDRESS,
        user=USER_ADDRESS,
        org_contact=ORG_ADDRESS,
    ),
    Field("homeAddress", bit=15, label=N_("Home address"), shape=ADDRESS, by_default=False),
    Field("otherAddress", bit=16, label=N_("Other address"), shape=ADDRESS),
    Field("manager", bit=17, label=N_("Manager"), user=MANAGER, names_a_person=True),
    Field("assistantName", bit=18, label=N_("Assistant"), names_a_person=True),
    Field("businessHomePage", bit=19, label=N_("Web page")),
    Field("yomiGivenName", bit=20, label=N_("First name, phonetic")),
    Field("yomiSurname", bit=21, label=N_("Last name, phonetic")),
    Field("yomiCompanyName", bit=22, label=N_("Company, phonetic")),
    Field("fileAs", bit=23, label="", manual=False, derived=True),
    Field(
        "imAddresses",
        bit=24,
        label=N_("Chat address"),
        shape=TEXTS,
        user=one("imAddresses"),
        limit=MAX_IM_ADDRESSES,
    ),
)

FIELD_NAMES: Final = tuple(row.name for row in FIELDS)
PHOTO: Final = "photo"
"""The name of a person's photo in a share's field policy; Graph keeps it beside the fields."""
PUBLISHABLE: Final = (*(row.name for row in FIELDS if not row.derived), PHOTO)
ALWAYS_PUBLISHED: Final = ("displayName", "givenName", "middleName", "surname")
"""The names: a phone shows a contact without them as empty, so no field policy removes them."""
DEFAULT_FIELDS: Final = (
    *(row.name for row in FIELDS if row.by_default and not row.derived),
    PHOTO,
)
GRAPH_FIELDS: Final = tuple(name for name in FIELD_NAMES if name != "fax")
"""The fields that Graph returns for a contact (`$select` of delta): all but the fax."""
LABELS: Final = {row.name: row.label for row in FIELDS if row.label} | {PHOTO: N_("Photo")}
"""The labels of the publishable fields, in English."""

ROWS: Final = {row.name: row for row in FIELDS}
"""The fields by name, in the order of the table."""
_BITS: Final = {row.name: 1 << row.bit for row in FIELDS}
_BY_BIT: Final = tuple(sorted(GRAPH_FIELDS, key=lambda name: _BITS[name]))
"""The order of the stored checks, which does not depend on the order of the table."""


_NAME_PARTS: Final = sum(
    _BITS[name] for name in ("displayName", "givenName", "middleName", "surname", "title", "fileAs")
)
_CHECK_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class Contact:
    """A desired contact: `key` permanently identifies its source, `packed` is its fields as JSON.

    The fields are packed because a run holds up to 50,000 contacts and writes few of them. `hash`
    covers all fields, `seen` what Graph returns as it was written; `mask` has the bits of the
    fields that have a value. `photo` is the photo's digest, '' if there is no photo, or None if
    this is unknown. `source` is the hash of the values that the fields were made of
    (`source_values`).
    """

    key: str
    packed: bytes
    hash: str
    seen: str
    mask: int
    photo: str | None = None
    source: str = ""

    @classmethod
    def of(cls, key: str, fields: Fields, photo: str | None = None, source: str = "") -> "Contact":
        """Pack a contact's fields, from which `clean` has removed empty ones.

        Without `source`, the fields count as the source values.
        """
        packed = _packed(fields)
        digest = _digest(packed)
        shown = _shown(fields)
        if "emailAddresses" in fields:
            shown["emailAddresses"] = _compared("emailAddresses", fields["emailAddresses"])
        seen = digest if shown == fields else _hash(shown)
        mask = sum(_BITS[name] for name in fields)
        return cls(key, packed, digest, seen, mask, photo, source or digest[:8])

    @property
    def fields(self) -> Fields:
        """The fields by name, unpacked at each call."""
        return dict(orjson.loads(self.packed))

    @property
    def has_hidden_fields(self) -> bool:
        """Whether it has a field that Graph does not return, so that nobody can check it."""
        return bool(self.mask & _BITS["fax"])

    def without_fields(self, names: Iterable[str], source: str) -> "Contact":
        """Return the contact without these fields; `source` is its hash without them."""
        left = self.without(sum(_BITS[name] for name in names))
        return replace(left, source=source)

    def without(self, kept: int) -> "Contact":
        """Return the contact without the fields of this mask, which the user's edits replace."""
        if not kept & self.mask:
            return self
        left = {n: value for n, value in self.fields.items() if not kept & _BITS[n]}
        return Contact.of(self.key, left, self.photo, self.source)


def properties_of(kind: ContactKind) -> tuple[str, ...]:
    """Return all properties that the fields read from objects of this kind, for `$select`."""
    readers = (row.reader(kind) for row in FIELDS)
    return tuple(dict.fromkeys(n for reader in readers if reader for n in reader.properties))


def _compared(name: str, value: object) -> Any:
    """Return the part of a field that Graph returns as it was written; None if it is empty."""
    shape = ROWS[name].shape
    cleaned = shape.clean(value)
    return None if cleaned is None else shape.compare(cleaned)


def seen_hash(observed: Mapping[str, Any], mask: int) -> str:
    """Return the hash of the fields in `mask` that Graph returns for a contact."""
    values = (
        (name, _compared(name, observed.get(name))) for name in GRAPH_FIELDS if mask & _BITS[name]
    )
    return _hash({name: value for name, value in values if value is not None})


def holds_any(observed: Mapping[str, Any], mask: int) -> bool:
    """Return whether a contact read from Graph has, or may have, a value in any of these fields.

    The fax number counts as possibly present, because Graph does not return it.
    """
    return bool(mask & _BITS["fax"]) or seen_hash(observed, mask) != seen_hash({}, mask)


def checks(observed: Mapping[str, Any], mask: int) -> str:
    """Return a short hash of each field of `mask`, to find out later which one was edited."""
    found = []
    for name in _BY_BIT:
        if mask & _BITS[name]:
            value = _compared(name, observed.get(name))
            found.append(_digest(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))[:_CHECK_DIGITS])
    return "".join(found)


def edited(before: str, now: str, mask: int) -> int:
    """Return the mask of fields whose checks differ.

    If one part of the name differs, all its parts count as edited.

    Outlook may derive the display name from the other parts (docs: contact).
    """
    changed = 0
    visible = (name for name in _BY_BIT if mask & _BITS[name])
    for start, name in zip(range(0, len(now), _CHECK_DIGITS), visible, strict=True):
        if before[start : start + _CHECK_DIGITS] != now[start : start + _CHECK_DIGITS]:
            changed |= _BITS[name]
    return changed | (_NAME_PARTS if changed & _NAME_PARTS else 0)


def graph_body(contact: Contact, before: int = 0) -> Fields:
    """Return the JSON that creates or updates the contact in Graph.

    `before` is the mask written last time: its fields that the contact no longer has are cleared.
    Fields that we never wrote are left out, so that the user's own values are kept.
    """
    gone = [name for name in FIELD_NAMES if before & ~contact.mask & _BITS[name]]
    body: Fields = {name: ROWS[name].shape.empty() for name in gone if name != "fax"}
    fields = contact.fields
    body |= {name: ROWS[name].shape.send(value) for name, value in _shown(fields).items()}
    if "fax" in fields or "fax" in gone:
        body["singleValueExtendedProperties"] = [{"id": FAX, "value": fields.get("fax", "")}]
    return body


@dataclass(frozen=True, slots=True)
class Mark:
    """A contact's mark: its source key, and the mask of the fields we wrote."""

    key: str
    mask: int = 0


def mark_of(import_id: str, key: str = "") -> str:
    """Return the value of our mark on a contact or, without a key, on a folder of an import.

    Graph ignores the case of such values (docs: singlevaluelegacyextendedproperty-get), so both
    parts are in lower case.
    """
    return f"{import_id}:{key}" if key else import_id


def wrote(mask: int) -> Fields:
    """Return the property that records on the contact which fields we wrote."""
    return {"id": WRITTEN, "value": f"{mask:x}"}


def key_of_mark(value: str, import_id: str) -> str | None:
    """Return the source key in a mark's value; None if the mark belongs to another import."""
    prefix = f"{import_id}:"
    return value[len(prefix) :] if value.startswith(prefix) else None


def fingerprint(contacts: Iterable[Contact]) -> str:
    """Return one hash over all contacts of a share, independent of their order."""
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
