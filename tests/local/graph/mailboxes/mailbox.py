"""A mailbox as in Exchange: contact folders, contacts, marks, and a change log per folder.

Docs: contact, contactfolder, outlook-immutable-id. Limits: microsoft-graph-docs#15276, #2186.
"""

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.local.graph.mailboxes.contact_values import (
    ADDRESSES,
    BY_PLACE,
    LISTS,
    PROPERTIES,
    Json,
    checked,
    computed_name,
    extended_of,
)
from tests.local.graph.protocol import GraphError, now_text
from tests.local.graph.sources import sources

type Names = Callable[[str], str | None]
"""Returns the name of the directory's object with a mail address."""

_MAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+")
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
    touched: frozenset[str] | None = None
    """The properties that the last change set; None for all."""

    def touch(self) -> None:
        self.version = next(sources().numbers)
        self.modified = now_text()

    @property
    def change_key(self) -> str:
        return base64.b64encode(f"EQAAABYAAAC{self.version:012d}".encode()).decode()


@dataclass(slots=True)
class Folder:
    """A contact folder. `log` lists the changed contacts in order, for delta.

    `ghosts` are contacts that were moved out and back, with their place in `log` when they left:
    until they are changed, delta shows them as removed, and not at all to who knows that they left
    (microsoft-graph-docs#21752).
    """

    core: str
    name: str
    parent: str
    default: bool = False
    extended: dict[str, str] = field(default_factory=dict)
    contacts: dict[str, Contact] = field(default_factory=dict)
    marks: dict[tuple[str, str], dict[str, None]] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    left: dict[str, int] = field(default_factory=dict)
    ghosts: dict[str, int] = field(default_factory=dict)

    def since(self, upto: int) -> list[str]:
        """Return the contacts that delta shows as changed or removed since a place in `log`."""
        changed = dict.fromkeys(self.log[upto:])
        return [core for core in changed if self.ghosts.get(core, upto) >= upto]

    def index(self, contact: Contact) -> None:
        for key, value in contact.extended.items():
            self.marks.setdefault((key, value.casefold()), {})[contact.core] = None

    def unindex(self, contact: Contact) -> None:
        for key, value in contact.extended.items():
            self.marks.get((key, value.casefold()), {}).pop(contact.core, None)


class Mailbox:
    """One user's mailbox.

    `bin` has the deleted folders, and `trash` the deleted contacts: those in Deleted Items, which
    are still found by their ids, and keep them when the user takes them out again.
    """

    def __init__(self) -> None:
        self.root = new_core()
        self.default = Folder(new_core(), "Contacts", self.root, default=True)
        self.folders: dict[str, Folder] = {self.default.core: self.default}
        self.where: dict[str, Folder] = {}
        self.deleted_items = new_core()
        self.bin: dict[str, Folder] = {}
        self.trash = Folder(self.deleted_items, "Deleted Items", self.root)
        self.categories: list[Json] = []
        self.photo: bytes | None = None
        self.purpose = "user"

    def folder(self, id_: str) -> Folder:
        """Return a folder by id (v1.0 has no well-known name for the default one)."""
        core = core_of(id_)
        found = self.folders.get(core) or self.bin.get(core)
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

    def move_folder(self, folder: Folder, into: str) -> None:
        """Move a folder below another one (docs: contactfolder-update)."""
        above = self.folder(into)
        within = above
        while within is not folder and within.parent in self.folders:
            within = self.folders[within.parent]
        if folder.default or within is folder:
            raise GraphError(400, "ErrorInvalidRequest", "The folder cannot be moved there.")
        if above.core != folder.parent:
            self._free_name(folder.name, above.core)
        folder.parent = above.core

    def remove_folder(self, folder: Folder) -> None:
        if folder.default:
            raise GraphError(
                403, "ErrorDeleteDistinguishedFolder", "Distinguished folders cannot be deleted."
            )
        for child in self.children(folder.core):
            self.remove_folder(child)
        for core in folder.contacts:
            del self.where[core]
        self.folders.pop(folder.core, None)
        self.bin.pop(folder.core, None)

    def restore_folder(self, folder: Folder) -> None:
        """Take a folder out of Deleted Items, beside the others; a name that is taken changes."""
        self.folders[folder.core] = self.bin.pop(folder.core)
        folder.parent = self.default.core
        taken = {other.name for other in self.children(folder.parent) if other is not folder}
        while folder.name in taken:
            folder.name += "1"

    def bin_folder(self, folder: Folder) -> None:
        """Move a folder to Deleted Items, where it keeps its id and its contacts."""
        if folder.default or folder.core in self.bin:
            self.remove_folder(folder)
            return
        folder.parent = self.deleted_items
        self._bin_tree(folder)

    def _bin_tree(self, folder: Folder) -> None:
        for child in self.children(folder.core):
            self._bin_tree(child)
        self.bin[folder.core] = self.folders.pop(folder.core)

    def contact(self, id_: str, folder: Folder | None = None) -> tuple[Folder, Contact]:
        core = core_of(id_)
        place = self.where.get(core)
        if place is None and folder is None and core in self.trash.contacts:
            return self.trash, self.trash.contacts[core]
        if place is None or (folder is not None and place is not folder):
            raise GraphError(
                404, "ErrorItemNotFound", "The specified object was not found in the store."
            )
        return place, place.contacts[core]

    def add_contact(self, folder: Folder, body: Json) -> Contact:
        values = checked(body)
        contact = Contact(new_core(), values, extended_of(body), now_text())
        if not values.get("displayName"):
            values["displayName"] = computed_name(values)
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
        contact.touched = frozenset(values)
        folder.ghosts.pop(contact.core, None)
        if recomputed and "displayName" not in values:
            contact.values["displayName"] = computed_name(contact.values)
        folder.unindex(contact)
        contact.extended.update(extended_of(body))
        folder.index(contact)
        contact.touch()
        folder.log.append(contact.core)

    def remove_contact(self, folder: Folder, contact: Contact) -> None:
        folder.unindex(contact)
        del folder.contacts[contact.core]
        self.where.pop(contact.core, None)
        folder.ghosts.pop(contact.core, None)
        folder.log.append(contact.core)

    def bin_contact(self, folder: Folder, contact: Contact) -> None:
        """Move a contact to Deleted Items."""
        folder.left[contact.core] = len(folder.log)
        self.remove_contact(folder, contact)
        if folder is not self.trash:
            self.trash.contacts[contact.core] = contact

    def move_contact(self, contact: Contact, to: Folder, *, ghosts: bool) -> None:
        """Move a contact to another folder, or out of Deleted Items; its immutable id stays."""
        came_from = self.where.get(contact.core, self.trash)
        came_from.left[contact.core] = len(came_from.log)
        came_from.ghosts.pop(contact.core, None)
        came_from.unindex(contact)
        del came_from.contacts[contact.core]
        came_from.log.append(contact.core)
        if ghosts and contact.core in to.left:
            to.ghosts[contact.core] = to.left[contact.core]
        to.contacts[contact.core] = contact
        to.index(contact)
        to.log.append(contact.core)
        self.where[contact.core] = to

    def _free_name(self, name: str, parent: str) -> None:
        taken = {f.name.casefold() for f in self.children(parent)}
        if name.casefold() in taken:
            raise GraphError(
                409, "ErrorFolderExists", "A folder with the specified name already exists."
            )


def as_written(address: str) -> None:
    """Return no name, so that mail addresses are shown with the names that were written."""
    del address


def shown_contact(
    folder: Folder,
    contact: Contact,
    chosen: tuple[str, ...] | None,
    *,
    immutable: bool,
    names: Names = as_written,
) -> Json:
    """Return a contact as Graph shows it, without extended properties."""
    every: Json = {"@odata.etag": f'W/"{contact.change_key}"'}
    for name in chosen or PROPERTIES:
        every[name] = _shown_value(folder, contact, name, names, immutable=immutable)
    every["id"] = shown_id(contact.core, immutable=immutable)
    return every


def _shown_mail(mail: Json, names: Names) -> Json:
    """Return a mail address; Graph leaves out a malformed one (microsoft-graph-docs#2186)."""
    address = str(mail.get("address") or "")
    shown = {"name": names(address) or mail.get("name") or address}
    return {**shown, "address": address} if _MAIL.fullmatch(address) else shown


def _shown_value(
    folder: Folder, contact: Contact, name: str, names: Names, *, immutable: bool
) -> Any:
    match name:
        case "emailAddresses":
            return [_shown_mail(mail, names) for mail in contact.values.get(name, ())]
        case _ if name in BY_PLACE:
            mails = _shown_value(folder, contact, "emailAddresses", names, immutable=immutable)
            place = BY_PLACE.index(name)
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
