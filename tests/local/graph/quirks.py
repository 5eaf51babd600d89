"""Quirks: the ways in which Graph and Exchange may answer, where documents and reports disagree.

Each is one row of `QUIRKS`. Its first value is the default, and the hardest for the app. A handler
asks `request.quirk(name)`. Docs and reports: `shared/adapters/graph/README.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

type Value = str | int | bool


@dataclass(frozen=True, slots=True)
class Quirk:
    """One quirk: its name, the values it takes (the first is the default), and what it does."""

    name: str
    values: tuple[Value, ...]
    says: str

    def checked(self, value: Any) -> Value:
        """Return a value that the quirk takes; null is its default."""
        if value is None:
            return self.values[0]
        for known in self.values:
            if type(known) is type(value) and known == value:
                return known
        message = f"{self.name} is one of {', '.join(map(repr, self.values))}"
        raise ValueError(message)


QUIRKS: tuple[Quirk, ...] = (
    Quirk(
        "nullAddress",
        ("refused", "partsRefused", "cleared"),
        "A null address returns 500; or null parts of an address do as well; or null clears it.",
    ),
    Quirk(
        "partialAddress",
        ("merged", "replaced"),
        "A PATCH keeps the parts that an address leaves out; or clears them.",
    ),
    Quirk(
        "mailNames",
        ("directory", "written"),
        "A mail address of a contact shows the directory's name; or the name that was written.",
    ),
    Quirk(
        "missingMailbox",
        ("ResourceNotFound", "ErrorNonExistentMailbox", "MailboxNotEnabledForRESTAPI"),
        "The code for a user without a mailbox.",
    ),
    Quirk(
        "fullMailbox",
        ("no", "quota", "storage", "names"),
        "Writes and deltas work; return 403 ErrorQuotaExceeded; 507; or 403 for named properties.",
    ),
    Quirk(
        "deadLink",
        (
            "SyncStateInvalid",
            "ErrorItemNotFound",
            "ErrorSyncFolderNotFound",
            "ResyncRequired",
            "SyncStateNotFound",
        ),
        "The code for a delta link that no longer works.",
    ),
    Quirk(
        "movedBack",
        ("removed", "shown"),
        "Delta shows a contact moved out and back as removed, or not at all, until it changes; or"
        " as it is.",
    ),
    Quirk(
        "deltaItems",
        ("whole", "changedOnly"),
        "A delta shows all selected properties of a changed contact; or only the changed ones.",
    ),
    Quirk(
        "deletedFolder",
        ("deletedItems", "gone"),
        "A deleted folder lives on in Deleted Items with its id and contacts; or returns 404.",
    ),
    Quirk(
        "deletedName",
        ("refused", "ignored", "free"),
        "Deleting a folder whose name is in Deleted Items returns 403; does nothing; or works.",
    ),
    Quirk(
        "permanentDelete",
        ("allowed", "refused"),
        "permanentDelete works, as documented; or returns 400, as in some national clouds.",
    ),
    Quirk(
        "newCategory",
        ("created", "refused"),
        "Creating a category works; or returns 400.",
    ),
    Quirk(
        "categoryExists",
        ("400", "409"),
        "The status for a category that exists.",
    ),
    Quirk(
        "orgContactCast",
        ("refused", "empty"),
        "A group that cannot hold organizational contacts returns 400 for them; or an empty list.",
    ),
    Quirk(
        "hiddenMembers",
        ("empty", "refused"),
        "A group with hidden membership looks empty; or returns 403 for its members.",
    ),
    Quirk(
        "contactSearch",
        ("displayName", "any"),
        "Organizational contacts can be searched by display name only; or by all properties.",
    ),
    Quirk(
        "expandedPage",
        (100, 999),
        "The most objects of a page that expands others.",
    ),
    Quirk(
        "batchBytes",
        ("urlSafe", "standard"),
        "The base64 alphabet of bytes in the answer to a batch.",
    ),
    Quirk(
        "photoTags",
        ("stable", "missing", "changing"),
        "The etag of a user's photo changes with the photo; is missing; or changes with each read.",
    ),
    # Reports say that this works (microsoft-graph-docs-contrib#8798); documents name a permission
    # that we do not ask for.
    Quirk(
        "getByIds",
        ("answered", "refused", "idOnly", "nulls"),
        "getByIds returns users; or 403; or only their ids; or null for everything else.",
    ),
    Quirk(
        "batchPhotos",
        ("standard", "urlSafe"),
        "The base64 alphabet of a photo in a batch; another returns 400.",
    ),
    Quirk(
        "texts",
        ("kept", "tidied"),
        "A contact's texts come back as written; or without blanks at their ends and with other"
        " line breaks.",
    ),
)

_BY_NAME = {quirk.name: quirk for quirk in QUIRKS}
DEFAULTS: Mapping[str, Value] = {quirk.name: quirk.values[0] for quirk in QUIRKS}


@dataclass(slots=True)
class Quirks:
    """The quirks in force: for all tenants, and those of single tenants."""

    everywhere: dict[str, Value] = field(default_factory=dict)
    tenants: dict[str, dict[str, Value]] = field(default_factory=dict)

    def set(self, given: Mapping[str, Any]) -> None:
        """Set quirks by name, of one `tenant` or of all; null restores the default."""
        values = {name: value for name, value in given.items() if name != "tenant"}
        if unknown := sorted(set(values) - set(_BY_NAME)):
            message = f"no such quirk: {', '.join(unknown)}"
            raise ValueError(message)
        checked = {name: _BY_NAME[name].checked(value) for name, value in values.items()}
        tenant = given.get("tenant")
        place = self.everywhere if tenant is None else self.tenants.setdefault(str(tenant), {})
        place.update(checked)

    def reset(self) -> None:
        """Restore the default of every quirk, in every tenant."""
        self.everywhere.clear()
        self.tenants.clear()

    def of(self, tenant: str) -> Mapping[str, Value]:
        """Return the quirks of a tenant."""
        own = self.tenants.get(tenant)
        if not own and not self.everywhere:
            return DEFAULTS
        return {**DEFAULTS, **self.everywhere, **(own or {})}

    def as_json(self) -> dict[str, Any]:
        """Return the table, with the values in force."""
        table = {
            quirk.name: {
                "value": self.everywhere.get(quirk.name, quirk.values[0]),
                "values": list(quirk.values),
                "says": quirk.says,
            }
            for quirk in QUIRKS
        }
        return {"quirks": table, "tenants": self.tenants}
