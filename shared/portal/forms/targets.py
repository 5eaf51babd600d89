"""The targets of an import on its pages: searching, selecting, naming and counting them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.domain.errors import ContactSyncError
from shared.domain.importing.imports import MailboxInput, Targets
from shared.portal.forms.import_form import ImportDraft
from shared.portal.visits import Visit
from shared.services.licensing.licenses import SeatsOutlook
from shared.services.sharing.directory_search import EntryKind, Found
from shared.web.validation import validated

SHOWN: Final = 100
"""How many targets are shown by name; the rest are only counted."""
_PREVIEWED: Final = 10

_KINDS: Final = {"users": EntryKind.USER, "groups": EntryKind.GROUP}


@dataclass(frozen=True, slots=True)
class Chosen:
    """The targets to show: the first ones by name, the number of others, and their licenses.

    `outlook` is None if nothing is selected, or if the directory fails (`trouble`). `trial_days` is
    the length of a trial that starts with the import.
    """

    items: Sequence[tuple[str, str]]
    more: int
    outlook: SeatsOutlook | None
    trouble: str
    trial_days: int


def targets_of(draft: ImportDraft) -> Targets | None:
    """Return the targets of a form, None if it has none. Raises `InvalidInput` for bad ids."""
    users, groups = draft.many("users"), draft.many("groups")
    if not (users or groups):
        return None
    return validated(Targets, {"users": users, "groups": groups})


def differs(draft: ImportDraft, targets: Targets) -> bool:
    """Return whether a form has other targets than these."""
    return {*draft.many("users")} != {*targets.users} or {*draft.many("groups")} != {
        *targets.groups
    }


def pressed(draft: ImportDraft, do: str) -> ImportDraft:
    """Return the form after a button (`add:users:ID`, `remove:groups:ID`) was pressed."""
    action, _, rest = do.partition(":")
    kind, _, id_ = rest.partition(":")
    if action not in {"add", "remove"} or kind not in _KINDS:
        return draft
    others = tuple(each for each in draft.many(kind) if each != id_)
    return draft.typed(**{kind: (*others, id_) if action == "add" else others})


async def found(
    visit: Visit, text: str, draft: ImportDraft | None, kinds: Sequence[str] = ("users", "groups")
) -> tuple[list[tuple[str, str, str]], str]:
    """Search the directory for people and groups that are not selected yet.

    Return each with its button's value, its name and a detail; and the error text if the directory
    fails.
    """
    if not text.strip() or not visit.wants("results"):
        return [], ""
    taken = {*draft.many("users"), *draft.many("groups")} if draft is not None else set[str]()
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


async def chosen(visit: Visit, draft: ImportDraft, *, count: bool = True) -> Chosen | None:
    """Return the targets by name and the licenses they need; None if the page does not show them.

    To `count` them, all members of their groups are read.
    """
    if not visit.wants("chosen"):
        return None
    users, groups = draft.many("users"), draft.many("groups")
    items, silent = await named(visit, users, groups)
    more = len(users) + len(groups) - len(items)
    try:
        targets = targets_of(draft) if count else None
        outlook = (
            await visit.app.importing.imports.outlook(visit.caller, targets) if targets else None
        )
    except ContactSyncError as error:
        outlook, silent = None, visit.trouble(error)
    return Chosen(items, more, outlook, silent, visit.app.licensing.licenses.trial_days)


async def preview_choices(
    visit: Visit, draft: ImportDraft, text: str
) -> list[tuple[str, str, str]]:
    """Return the target mailboxes that match a text, with name and address, to preview one.

    Without a text these are the first people who are chosen by name, which reads no group. Raises
    `TransientError` and `NeedsAdmin`.
    """
    ids = list(draft.many("users"))
    if text.strip() and (targets := targets_of(draft)) is not None:
        matches, _ = await visit.app.sharing.directory.mailboxes(visit.caller, text)
        matching = {id_.lower() for id_ in matches}
        found = await visit.app.base.directory.mailboxes_of(visit.caller.tenant, targets)
        ids = [id_ for id_ in found.entries if id_.lower() in matching]
    names = await visit.app.sharing.directory.name(
        visit.caller, ids[:_PREVIEWED], (EntryKind.USER,)
    )
    return [(f"users:{id_}", each.name, _detail(visit, each)) for id_, each in names.items()]


async def named(
    visit: Visit, users: Sequence[str], groups: Sequence[str], most: int = SHOWN
) -> tuple[list[tuple[str, str]], str]:
    """Return the first targets with a button's value and a name; and the error text if unnamed."""
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
    """Return the mailbox named in a form or an address. Raises `InvalidInput` for an invalid id."""
    return validated(MailboxInput, {"mailbox": text.removeprefix("users:")}).mailbox


def _detail(visit: Visit, hit: Found) -> str:
    kind = visit.gettext("Group") if hit.kind is EntryKind.GROUP else ""
    return " · ".join(filter(None, (kind, hit.address, hit.detail)))
