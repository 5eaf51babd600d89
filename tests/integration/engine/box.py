"""The content of a mailbox, and the invariants that hold after every worker."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from shared.domain.contacts.fields import FAX, Contact
from tests.integration.engine.engine import mark, marked
from tests.local.client import Client, Json

OURS = ("displayName", "emailAddresses", "mobilePhone", "companyName")
"""The fields of these tests' contacts; the fax is an extended property besides."""
THE_USERS = ("personalNotes", "nickName")


@dataclass(frozen=True, slots=True)
class Box:
    """A mailbox at one moment, as Exchange stores it."""

    folders: list[Json]

    @classmethod
    async def look(cls, client: Client, tenant: str, mailbox: str) -> Self:
        return cls((await client.mailbox(tenant, mailbox))["folders"])

    def folder(self, import_id: str) -> Json | None:
        """The import's own folder, regardless of its name."""
        found = self._folders(import_id)
        return found[0] if found else None

    def place(self, import_id: str) -> Json:
        """The import's own folder, or the default one."""
        return self.folder(import_id) or next(f for f in self.folders if f["default"])

    def contacts(self, import_id: str) -> list[Json]:
        """The contacts with the import's mark, in all folders."""
        return [c for copies in self.by_key(import_id).values() for c in copies]

    def by_key(self, import_id: str) -> dict[str, list[Json]]:
        """The contacts with the import's mark, by source key."""
        found: dict[str, list[Json]] = {}
        prefix = mark(import_id, "x")["value"].removesuffix("x")
        for folder in self.folders:
            for contact in folder["contacts"]:
                value = marked(contact["singleValueExtendedProperties"]) or ""
                if value.startswith(prefix):
                    found.setdefault(value.removeprefix(prefix), []).append(contact)
        return found

    def foreign(self, import_id: str) -> Json:
        """Contacts and folders of the user and of other imports."""
        mine = {c["id"] for c in self.contacts(import_id)}
        folders = {f["id"]: f["displayName"] for f in self.folders}
        for folder in self._folders(import_id):
            del folders[folder["id"]]
        contacts = {c["id"]: c for f in self.folders for c in f["contacts"] if c["id"] not in mine}
        return {"folders": folders, "contacts": contacts}

    def _folders(self, import_id: str) -> list[Json]:
        wanted = mark(import_id)["value"]
        return [f for f in self.folders if marked(f["singleValueExtendedProperties"]) == wanted]

    def folders_of(self, import_id: str) -> int:
        """The number of folders with the import's mark."""
        return len(self._folders(import_id))


def assert_nothing_damaged(
    before: Box, after: Box, import_id: str, desired: Mapping[str, Contact]
) -> None:
    """Assert what holds after each worker, finished or crashed, whatever Graph answered.

    No contact exists twice; nothing of the user or of another import changes; a contact that the
    share contains stays, with the user's notes.
    """
    assert after.foreign(import_id) == before.foreign(import_id), (
        "changed something that is not ours"
    )
    assert after.folders_of(import_id) <= max(1, before.folders_of(import_id)), "a second folder"
    had, has = before.by_key(import_id), after.by_key(import_id)
    for key, copies in has.items():
        assert len(copies) <= max(1, len(had.get(key, ()))), f"{key} is duplicated"
    for key in desired.keys() & had.keys():
        owns = {c["id"]: {n: c[n] for n in THE_USERS} for c in had[key]}
        left = [c for c in has.get(key, ()) if c["id"] in owns]
        assert left, f"{key} was deleted or recreated"
        for contact in left:
            assert {n: contact[n] for n in THE_USERS} == owns[contact["id"]], f"{key} lost notes"


def assert_holds_exactly(
    box: Box, import_id: str, desired: Mapping[str, Contact], *, leftovers: bool = False
) -> None:
    """Assert that each contact of the share exists once, in its folder, with the share's values.

    With `leftovers` it may have more fields: after a loss of state, a field that the share no
    longer has looks like one that the user added, and stays.
    """
    found = box.by_key(import_id)
    assert {key: len(copies) for key, copies in found.items()} == dict.fromkeys(desired, 1)
    place = box.place(import_id)
    assert {c["id"] for c in box.contacts(import_id)} <= {c["id"] for c in place["contacts"]}
    for key, contact in desired.items():
        has = written(found[key][0])
        if leftovers:
            has = {name: value for name, value in has.items() if name in contact.fields}
        assert has == contact.fields, f"{key} differs from the share"


def written(contact: Json) -> Json:
    """The values of those fields that the share may write."""
    fax = [
        e["value"]
        for e in contact["singleValueExtendedProperties"]
        if e["id"].lower() == FAX.lower() and e["value"]
    ]
    values = {name: contact[name] for name in OURS if contact[name]}
    return {**values, "fax": fax[0]} if fax else values
