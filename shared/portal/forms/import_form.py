"""What the forms of an import hold, as it was typed, and the import that it describes.

Creating and editing share these fields. Nothing of an unfinished import is stored: its fields
travel with the pages.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Self

from shared.domain.errors import ContactSyncError
from shared.domain.importing.imports import Import, ImportInput, MailboxInput, Targets
from shared.portal.visits import Visit
from shared.services.licensing.licenses import SeatsOutlook
from shared.services.sharing.directory_search import Found, Kind
from shared.web.validation import validated

SHOWN: Final = 100
"""How many targets are shown by name; the others are only counted."""
PARTNER: Final = "partner"
"""The choice of a share that is not one's own."""

_KINDS: Final = {"users": Kind.USER, "groups": Kind.GROUP}
_DEFAULTS: Final = {
    "share": "",
    "partner": "",
    "name": "",
    "place": "folder",
    "folder": "Contact Sync",
    "category": "",
    "color": "preset7",
    "photos": "",
    "deleted": "restore",
    "edited": "overwrite",
    "deletes": "10",
    "delete_share": "20",
    "changes": "100",
    "change_share": "50",
    "every_hours": "24",
    "paused": "",
}
_FIELDS: Final = {
    "share": "share",
    "shareId": "partner",
    "targets": "q",
    "name": "name",
    "destination.folder": "folder",
    "destination.category": "category",
    "categoryColor": "color",
    "photos.edge": "photos",
    "conflicts.deleted": "deleted",
    "conflicts.edited": "edited",
    "guard.deletes": "deletes",
    "guard.deleteShare": "delete_share",
    "guard.changes": "changes",
    "guard.changeShare": "change_share",
    "schedule.everyHours": "every_hours",
}

_PERCENTS: Final = ("delete_share", "change_share")
"""The fields that are typed as percentages; what the API says of them is of parts of one."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The fields of an import's form, by name; `users` and `groups` are its targets' ids."""

    values: Mapping[str, str] = field(default_factory=lambda: dict(_DEFAULTS))
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @classmethod
    def typed(cls, form: Any) -> Self:
        """What a form brought; fields that its page did not have are as they are by default."""
        values = {name: str(form.get(name, value)) for name, value in _DEFAULTS.items()}
        users, groups = (tuple(dict.fromkeys(form.getlist(kind))) for kind in ("users", "groups"))
        return cls(values, users, groups)

    @classmethod
    def of(cls, import_: Import) -> Self:
        """What an import is, as its form shows it."""
        values = {
            **_DEFAULTS,
            "share": import_.share_id,
            "name": import_.name,
            "place": "folder" if import_.destination.folder is not None else "default",
            "folder": import_.destination.folder or _DEFAULTS["folder"],
            "category": import_.destination.category or "",
            "color": import_.category_color or "",
            "photos": str(import_.photos.edge) if import_.photos is not None else "",
            "deleted": import_.conflicts.deleted,
            "edited": import_.conflicts.edited,
            "deletes": str(import_.guard.deletes),
            "delete_share": f"{import_.guard.delete_share * 100:g}",
            "changes": str(import_.guard.changes),
            "change_share": f"{import_.guard.change_share * 100:g}",
            "every_hours": str(import_.schedule.every_hours),
            "paused": "" if import_.active else "yes",
        }
        return cls(values, tuple(import_.targets.users), tuple(import_.targets.groups))

    @property
    def share_id(self) -> str:
        """The share that was chosen: one's own, or the partner's by the id that was typed."""
        chosen = self.values["share"]
        return self.values["partner"].strip().lower() if chosen == PARTNER else chosen

    @property
    def targets(self) -> Targets | None:
        """Whom it aims at; None while that is nobody. `InvalidInput` for ids that are none."""
        if not (self.users or self.groups):
            return None
        return validated(Targets, {"users": self.users, "groups": self.groups})

    def aims_elsewhere(self, targets: Targets) -> bool:
        """Whether these are other targets than the form's."""
        return {*self.users} != {*targets.users} or {*self.groups} != {*targets.groups}

    @property
    def fields(self) -> list[tuple[str, str]]:
        """All fields, as pages carry them."""
        many = [("users", id_) for id_ in self.users] + [("groups", id_) for id_ in self.groups]
        return [*self.values.items(), *many]

    def named(self, name: str) -> Self:
        """The same with a name, if it has none yet."""
        if self.values["name"]:
            return self
        return replace(self, values={**self.values, "name": name})

    def of_share(self, share: str) -> Self:
        """The same for a share that is not chosen here."""
        return replace(self, values={**self.values, "share": share})

    def pressed(self, do: str) -> Self:
        """The same after a button `add:users:ID` or `remove:groups:ID`."""
        action, _, rest = do.partition(":")
        kind, _, id_ = rest.partition(":")
        if action not in {"add", "remove"} or kind not in _KINDS:
            return self
        others = tuple(each for each in getattr(self, kind) if each != id_)
        now = (*others, id_) if action == "add" else others
        return replace(self, users=now) if kind == "users" else replace(self, groups=now)

    def wanted(self) -> ImportInput:
        """The import that the fields describe; `InvalidInput` names each bad field."""
        given = self.values
        own = given["place"] != "default"
        body = {
            "name": given["name"],
            "shareId": self.share_id,
            "targets": {"users": self.users, "groups": self.groups},
            "destination": {
                "folder": given["folder"] if own else None,
                "category": given["category"].strip() or None,
            },
            "categoryColor": given["color"] or None,
            "guard": {
                "deletes": _number(given["deletes"]),
                "deleteShare": _part(given["delete_share"]),
                "changes": _number(given["changes"]),
                "changeShare": _part(given["change_share"]),
            },
            "conflicts": {"deleted": given["deleted"], "edited": given["edited"]},
            "photos": {"edge": _number(given["photos"])} if given["photos"] else None,
            "schedule": {"everyHours": _number(given["every_hours"])},
            "active": not given["paused"],
        }
        return validated(ImportInput, body)


@dataclass(frozen=True, slots=True)
class Chosen:
    """An import's targets for showing: the first by name, how many more, and what they take.

    `outlook` is None while nobody is chosen, or if the directory cannot tell (`trouble`).
    `trial_days` is how long a trial lasts that begins with the import.
    """

    items: Sequence[tuple[str, str]]
    more: int
    outlook: SeatsOutlook | None
    trouble: str
    trial_days: int


def field_of(path: str) -> str:
    """The form's field that a JSON path of an import means; '' for the whole form."""
    parts = path.split(".")
    for length in range(len(parts), 0, -1):
        if found := _FIELDS.get(".".join(parts[:length])):
            return found
    return ""


def wrong(visit: Visit, error: Any) -> dict[str, str]:
    """What is wrong, by field of the form, in the visitor's language."""
    told = {field_of(path): text for path, text in visit.wrong(error).items()}
    percent = visit.gettext("must be a number between 0 and 100")
    return {name: percent if name in _PERCENTS else text for name, text in told.items()}


async def found(
    visit: Visit, text: str, draft: Draft | None, kinds: Sequence[str] = ("users", "groups")
) -> tuple[list[tuple[str, str, str]], str]:
    """Whom of the directory a text means, but those chosen already; or what keeps it from telling.

    Each is what a button adds, a name, and what tells those of one name apart.
    """
    if not text.strip() or not visit.wants("results"):
        return [], ""
    taken = {*draft.users, *draft.groups} if draft is not None else set[str]()
    names = {kind: name for name, kind in _KINDS.items()}
    try:
        hits = await visit.app.sharing.directory.find(
            visit.caller, text, [_KINDS[k] for k in kinds]
        )
    except ContactSyncError as error:
        return [], visit.trouble(error)
    return [
        (f"{names[hit.kind]}:{hit.id}", hit.name, _detail(visit, hit))
        for hit in hits
        if hit.id not in taken
    ], ""


async def chosen(visit: Visit, draft: Draft, *, count: bool = True) -> Chosen | None:
    """The targets of a draft by name, and the seats that they take; None if nobody wants them.

    To `count` them is to read all members of their groups.
    """
    if not visit.wants("chosen"):
        return None
    items, silent = await named(visit, draft.users, draft.groups)
    more = len(draft.users) + len(draft.groups) - len(items)
    try:
        targets = draft.targets if count else None
        outlook = (
            await visit.app.importing.imports.outlook(visit.caller, targets) if targets else None
        )
    except ContactSyncError as error:
        outlook, silent = None, visit.trouble(error)
    return Chosen(items, more, outlook, silent, visit.app.licensing.licenses.trial_days)


async def named(
    visit: Visit, users: Sequence[str], groups: Sequence[str], most: int = SHOWN
) -> tuple[list[tuple[str, str]], str]:
    """The first of some targets, as what a button removes and a name; and why they have none."""
    shown = [("groups", id_) for id_ in groups] + [("users", id_) for id_ in users]
    ids: dict[str, list[str]] = {"users": [], "groups": []}
    for kind, id_ in shown[:most]:
        ids[kind].append(id_)
    names: dict[str, Found] = {}
    why = ""
    try:
        for kind, some in ids.items():
            if some:
                names |= await visit.app.sharing.directory.name(visit.caller, some, [_KINDS[kind]])
    except ContactSyncError as error:
        why = visit.trouble(error)
    return [
        (f"{kind}:{id_}", names[id_].name if id_ in names else id_) for kind, id_ in shown[:most]
    ], why


def mailbox_of(text: str) -> str:
    """The mailbox that a form or an address names; `InvalidInput` if no id looks like it."""
    return validated(MailboxInput, {"mailbox": text.removeprefix("users:")}).mailbox


def _detail(visit: Visit, hit: Found) -> str:
    kind = visit.gettext("Group") if hit.kind is Kind.GROUP else ""
    return " · ".join(filter(None, (kind, hit.address, hit.detail)))


def _number(text: str) -> int | str:
    given = text.strip()
    whole = given.removeprefix("-")
    return int(given) if whole.isascii() and whole.isdigit() and len(whole) < 10 else given


def _part(text: str) -> float | str:
    """A percentage as a part of one; what is none stays as it is, and is refused."""
    given = text.strip().removesuffix("%").strip().replace(",", ".")
    try:
        return float(given) / 100
    except ValueError:
        return given
