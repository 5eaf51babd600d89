"""A mailbox as in Exchange: contact folders, contacts, marks, and a change log per folder.

Docs: contact, contactfolder, outlook-immutable-id. Limits: microsoft-graph-docs#15276, #2186.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.local.graph.protocol import GraphError, now_text
from tests.local.graph.sources import sources

type Json = dict[str, Any]

TEXTS = [
    "assistantName",
    "businessHomePage",
    "companyName",
    "department",
    "displayName",
    "fileAs",
    "generation",
    "givenName",
    "initials",
    "jobTitle",
    "manager",
    "middleName",
    "mobilePhone",
    "nickName",
    "officeLocation",
    "personalNotes",
    "profession",
    "spouseName",
    "surname",
    "title",
    "yomiCompanyName",
    "yomiGivenName",
    "yomiSurname",
    "birthday",
]
LISTS = ("businessPhones", "homePhones", "imAddresses", "children", "categories", "emailAddresses")
ADDRESSES = ("businessAddress", "homeAddress", "otherAddress")
_BY_PLACE = ("primaryEmailAddress", "secondaryEmailAddress", "tertiaryEmailAddress")
"""Other names of the first three of `emailAddresses`; no document says how they are written."""
MOST = {"businessPhones": 2, "homePhones": 2, "emailAddresses": 3}
_ADDRESS_PARTS = {"street", "city", "state", "postalCode", "countryOrRegion", "type"}
_EXTENDED = "singleValueExtendedProperties"
WRITABLE = frozenset((*TEXTS, *LISTS, *ADDRESSES, _EXTENDED))
PROPERTIES = (
    "id",
    "createdDateTime",
    "lastModifiedDateTime",
    "changeKey",
    "parentFolderId",
    *TEXTS,
    *LISTS,
    *ADDRESSES,
    *_BY_PLACE,
)
_IMMUTABLE, _MUTABLE = "AAkALg", "AAMkAD"


def new_core() -> str:
    """Return a new id without its form's prefix; long and case-sensitive, as in Exchange."""
    digest = hashlib.sha512(f"contact-sync {next(sources().numbers)}".encode()).digest()
    return base64.urlsafe_b64encode(digest + digest[:38]).decode()


def shown_id(core: str, *, immutable: bool) -> str:
    """Return the id in immutable or mutable form."""
    return f"{_IMMUTABLE if immutable else _MUTABLE}{core}"


def core_of(id_: str) -> str:
    """Return the core of an id in either form."""
    return id_[6:] if id_.startswith((_IMMUTABLE, _MUTABLE)) else id_


@dataclass(slots=True)
class Contact:
    """One contact. `values` holds only properties that were set."""

    core: str
    values: Json
    extended: dict[str, str]
    created: str
    version: int = 0
    modified: str = ""
    photo: bytes | None = None

    def touch(self) -> None:
        self.version = next(sources().numbers)
        self.modified = now_text()

    @property
    def change_key(self) -> str:
        return base64.b64encode(f"EQAAABYAAAC{self.version:012d}".encode()).decode()


@dataclass(slots=True)
class Folder:
    """A contact folder. `log` lists the changed contacts in order, for delta."""

    core: str
    name: str
    parent: str
    default: bool = False
    extended: dict[str, str] = field(default_factory=dict)
    contacts: dict[str, Contact] = field(default_factory=dict)
    marks: dict[tuple[str, str], dict[str, None]] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    def index(self, contact: Contact) -> None:
        for key, value in contact.extended.items():
            self.marks.setdefault((key, value.casefold()), {})[contact.core] = None

    def unindex(self, contact: Contact) -> None:
        for key, value in contact.extended.items():
            self.marks.get((key, value.casefold()), {}).pop(contact.core, None)


class Mailbox:
    """One user's mailbox."""

    def __init__(self) -> None:
        self.root = new_core()
        self.default = Folder(new_core(), "Contacts", self.root, default=True)
        self.folders: dict[str, Folder] = {self.default.core: self.default}
        self.where: dict[str, Folder] = {}
        self.categories: list[Json] = []
        self.photo: bytes | None = None
        self.purpose = "user"

    def folder(self, id_: str) -> Folder:
        """Return a folder by id (v1.0 has no well-known name for the default one)."""
        found = self.folders.get(core_of(id_))
        if found is None:
            raise GraphError(
                404, "ErrorItemNotFound", "The specified object was not found in the store."
            )
        return found

    def children(self, parent: str) -> list[Folder]:
        return [f for f in self.folders.values() if f.parent == parent and not f.default]

    def add_folder(self, body: Json, parent: str) -> Folder:
        name = body.get("displayName")
        if not isinstance(name, str) or not name.strip():
            raise GraphError(400, "ErrorInvalidRequest", "A displayName is required.")
        self._free_name(name, parent)
        folder = Folder(new_core(), name, parent, extended=extended_of(body))
        self.folders[folder.core] = folder
        return folder

    def rename_folder(self, folder: Folder, name: str) -> None:
        if folder.default:
            raise GraphError(400, "ErrorInvalidRequest", "A default folder cannot be renamed.")
        if name.casefold() != folder.name.casefold():
            self._free_name(name, folder.parent)
        folder.name = name

    def remove_folder(self, folder: Folder) -> None:
        if folder.default:
            raise GraphError(
                403, "ErrorDeleteDistinguishedFolder", "Distinguished folders cannot be deleted."
            )
        for child in self.children(folder.core):
            self.remove_folder(child)
        for core in folder.contacts:
            del self.where[core]
        del self.folders[folder.core]

    def contact(self, id_: str, folder: Folder | None = None) -> tuple[Folder, Contact]:
        core = core_of(id_)
        place = self.where.get(core)
        if place is None or (folder is not None and place is not folder):
            raise GraphError(
                404, "ErrorItemNotFound", "The specified object was not found in the store."
            )
        return place, place.contacts[core]

    def add_contact(self, folder: Folder, body: Json) -> Contact:
        values = checked(body)
        contact = Contact(new_core(), values, extended_of(body), now_text())
        if not values.get("displayName"):
            values["displayName"] = _computed_name(values)
        contact.touch()
        folder.contacts[contact.core] = contact
        self.where[contact.core] = folder
        folder.index(contact)
        folder.log.append(contact.core)
        return contact

    def change_contact(self, folder: Folder, contact: Contact, body: Json) -> None:
        values = checked(body, contact.values.get("emailAddresses", ()))
        recomputed = {"givenName", "surname", "middleName"} & values.keys()
        contact.values.update(values)
        if recomputed and "displayName" not in values:
            contact.values["displayName"] = _computed_name(contact.values)
        folder.unindex(contact)
        contact.extended.update(extended_of(body))
        folder.index(contact)
        contact.touch()
        folder.log.append(contact.core)

    def remove_contact(self, folder: Folder, contact: Contact) -> None:
        folder.unindex(contact)
        del folder.contacts[contact.core]
        del self.where[contact.core]
        folder.log.append(contact.core)

    def _free_name(self, name: str, parent: str) -> None:
        taken = {f.name.casefold() for f in self.children(parent)}
        if name.casefold() in taken or (
            parent == self.root and name.casefold() == self.default.name.casefold()
        ):
            raise GraphError(
                409, "ErrorFolderExists", "A folder with the specified name already exists."
            )


def checked(body: Json, before: Sequence[Json] = ()) -> Json:
    """Return the contact values of a body. Raises a 400 for values that Exchange refuses.

    `before` are the contact's mail addresses so far.
    """
    values: Json = {}
    for name, value in body.items():
        if "@odata" in name or name in {_EXTENDED, "parentFolderId"} or name in _BY_PLACE:
            continue
        if name not in WRITABLE:
            raise GraphError(
                400,
                "RequestBodyRead",
                f"The property '{name}' does not exist on type 'microsoft.graph.contact'.",
            )
        values[name] = _checked_value(name, value)
    if any(name in body for name in _BY_PLACE):
        values["emailAddresses"] = _placed(body, values.get("emailAddresses") or before)
    return values


def _placed(body: Json, mails: Sequence[Json]) -> list[Json]:
    """Return the mail addresses with those set by the names of their places."""
    found: list[Json | None] = [*mails]
    for place, name in enumerate(_BY_PLACE):
        if name in body:
            found += [None] * (place + 1 - len(found))
            found[place] = body[name]
    return [mail for mail in found if mail]


def _checked_value(name: str, value: Any) -> Any:
    wrong = GraphError(400, "RequestBodyRead", f"The value of '{name}' has the wrong type.")
    if name in TEXTS:
        if value is not None and not isinstance(value, str):
            raise wrong
        return value
    if name in ADDRESSES:
        if value is not None and not isinstance(value, dict):
            raise wrong
        if unknown := set(value or ()) - _ADDRESS_PARTS:
            raise GraphError(
                400,
                "RequestBodyRead",
                f"The property '{min(unknown)}' does not exist on 'physicalAddress'.",
            )
        return dict(value or {})
    if value is not None and not isinstance(value, list):
        raise wrong
    items = list(value or ())
    kind = dict if name == "emailAddresses" else str
    if not all(isinstance(item, kind) for item in items):
        raise wrong
    if len(items) > MOST.get(name, 10_000):
        raise GraphError(
            400,
            "ErrorInvalidRequest",
            f"The collection '{name}' has more than {MOST[name]} entries.",
        )
    return items


def extended_of(body: Json) -> dict[str, str]:
    """Return the extended properties by id. The GUID in an id is not case-sensitive."""
    found: dict[str, str] = {}
    for item in body.get(_EXTENDED) or ():
        id_, value = item.get("id"), item.get("value")
        if not isinstance(id_, str) or not isinstance(value, str):
            raise GraphError(400, "ErrorInvalidExtendedProperty", "An id and a value are needed.")
        found[extended_id(id_)] = value
    return found


def extended_id(id_: str) -> str:
    """Return an extended property's id in normal form. The name in it is case-sensitive."""
    kind, _, rest = id_.partition(" ")
    if "{" in rest:
        guid, _, name = rest.partition("} ")
        return f"{kind} {guid.lower()}}} {name}"
    return f"{kind} {rest.lower()}"


def _computed_name(values: Json) -> str:
    parts = (values.get(name) for name in ("givenName", "middleName", "surname"))
    return " ".join(part for part in parts if part)


def shown_contact(
    folder: Folder, contact: Contact, chosen: tuple[str, ...] | None, *, immutable: bool
) -> Json:
    """Return a contact as Graph shows it, without extended properties."""
    every: Json = {"@odata.etag": f'W/"{contact.change_key}"'}
    for name in chosen or PROPERTIES:
        every[name] = _shown_value(folder, contact, name, immutable=immutable)
    every["id"] = shown_id(contact.core, immutable=immutable)
    return every


def _shown_value(folder: Folder, contact: Contact, name: str, *, immutable: bool) -> Any:
    match name:
        case "emailAddresses":
            return [
                {"name": mail.get("name") or mail["address"], "address": mail["address"]}
                for mail in contact.values.get(name, ())
                # Graph does not return malformed addresses.
                if "@" in (mail.get("address") or "")
            ]
        case _ if name in _BY_PLACE:
            mails = _shown_value(folder, contact, "emailAddresses", immutable=immutable)
            place = _BY_PLACE.index(name)
            return mails[place] if place < len(mails) else None
        case "parentFolderId":
            return shown_id(folder.core, immutable=immutable)
        case "changeKey":
            return contact.change_key
        case "createdDateTime":
            return contact.created
        case "lastModifiedDateTime":
            return contact.modified
        case _ if name in LISTS:
            return contact.values.get(name, [])
        case _ if name in ADDRESSES:
            return contact.values.get(name, {})
        case _:
            return contact.values.get(name)
