"""The form of an import: one row for each setting. Creating and editing use it.

An unfinished import is not stored; the pages carry its fields. `targets` searches and shows its
targets.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from shared.domain.importing.imports import ImportInput
from shared.domain.importing.schedule import DAY
from shared.domain.tenancy.tenants import LicensePlan
from shared.domain.texts import N_
from shared.portal.forms.fields import (
    ABSENT,
    Choice,
    FieldKind,
    Flag,
    FormField,
    Ids,
    Line,
    Number,
    Option,
    Percent,
    Presence,
    Radios,
    Text,
)
from shared.portal.forms.tables import Draft, Form
from shared.portal.visits import Visit

PARTNER: Final = "partner"
"""The choice of a partner's share."""

_SHARE_ID: Final = re.compile(r"(?<![0-9a-z])[0-9a-f]{32}(?![0-9a-z])")

type ImportDraft = Draft[ImportInput]

_OFTEN: Final = (12, 8, 6, 4, 3, 2, 1)
_SHARE, _TARGETS = "share", "targets"
SETTINGS: Final = ("name", "place", "destination", "options", "limits")
"""The groups of settings besides the share, the targets and the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _ChosenShare(FieldKind):
    """The id of an own share, or `PARTNER` for one that another field names."""

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """Return the id of the own share."""
        del texts
        return ABSENT if text == PARTNER else text


@dataclass(frozen=True, slots=True, kw_only=True)
class _PartnersShare(Line):
    """The id of a partner's share as it is typed, not as it is stored."""

    widget: ClassVar[str] = "line"

    def text(self, value: Any) -> Text:
        """Return an empty text."""
        del value
        return ""

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """Return the id in its stored form, also out of a pasted address or sentence."""
        del texts
        typed = text.strip().lower()
        found = set(_SHARE_ID.findall(typed))
        return found.pop() if len(found) == 1 else typed


def _every(visit: Visit, hours: int) -> str:
    return visit.ngettext("every %(num)s hour", "every %(num)s hours", hours)


def _schedules(visit: Visit) -> Sequence[Option]:
    premium = visit.gettext("Premium")
    often = [(str(hours), f"{_every(visit, hours)} ({premium})") for hours in _OFTEN]
    return [(str(DAY), visit.gettext("once a day, at night")), *often]


_COLORS: Final = (
    N_("Red"),
    N_("Orange"),
    N_("Brown"),
    N_("Yellow"),
    N_("Green"),
    N_("Teal"),
    N_("Olive"),
    N_("Blue"),
    N_("Purple"),
    N_("Cranberry"),
    N_("Steel"),
    N_("Dark steel"),
    N_("Gray"),
    N_("Dark gray"),
    N_("Black"),
    N_("Dark red"),
    N_("Dark orange"),
    N_("Dark brown"),
    N_("Dark yellow"),
    N_("Dark green"),
    N_("Dark teal"),
    N_("Dark olive"),
    N_("Dark blue"),
    N_("Dark purple"),
    N_("Dark cranberry"),
)
"""Outlook's names of its presets, in their order (docs: outlookcategory)."""

IMPORT: Final = Form(
    ImportInput,
    (
        FormField("share", "shareId", _ChosenShare(), group=_SHARE),
        FormField(
            "partner",
            "shareId",
            _PartnersShare(),
            N_("Partner's share ID"),
            N_("Only for a partner's share. The partner finds the ID on the page of the share."),
            group=_SHARE,
            only_if=("share", PARTNER),
            attributes={"data-trigger": "check", "spellcheck": "false", "autocapitalize": "none"},
        ),
        FormField("users", "targets.users", Ids(), N_("People"), group=_TARGETS, shown_at="q"),
        FormField("groups", "targets.groups", Ids(), N_("Groups"), group=_TARGETS, shown_at="q"),
        FormField(
            "name",
            "name",
            Line(),
            N_("Name of the import"),
            N_("Only you and your colleagues see it."),
            group="name",
            required=True,
        ),
        FormField(
            "place",
            "destination.folder",
            Presence(given="folder", null="default"),
            N_("How do your people see contacts?"),
            group="place",
            choices=(
                (
                    "folder",
                    N_("In the iPhone's own Contacts app, or in Outlook on a computer"),
                    N_("The contacts are saved in a separate folder, apart from the user's own."),
                ),
                (
                    "default",
                    N_("In Outlook on a phone, in Teams, or on Android"),
                    N_(
                        "The contacts are saved in the default Contacts folder, the only one that "
                        "all these apps show. Users' own contacts never change."
                    ),
                ),
            ),
        ),
        FormField(
            "folder",
            "destination.folder",
            Line(),
            N_("Folder name"),
            N_("Not used for the default Contacts folder."),
            group="destination",
            only_if=("place", "folder"),
            unset=ImportInput.model_fields["destination"].default.folder,
        ),
        FormField(
            "category",
            "destination.category",
            Line(empty=None),
            N_("Category"),
            N_("Assigned to each contact. Leave it empty for none."),
            group="destination",
        ),
        FormField(
            "color",
            "categoryColor",
            Choice(),
            N_("Color of the category"),
            N_("As Outlook shows it."),
            group="destination",
            choices=(
                ("", N_("none")),
                *((f"preset{number}", color) for number, color in enumerate(_COLORS)),
            ),
            beside=True,
        ),
        FormField(
            "photos",
            "photos.edge",
            Choice(whole=True),
            N_("Photos"),
            N_("Only if the share includes photos."),
            group="options",
            choices=(
                ("", N_("no photos")),
                ("96", N_("small (96 pixels)")),
                ("240", N_("medium (240 pixels)")),
                ("648", N_("large (648 pixels)")),
            ),
            other=lambda visit, edge: visit.ngettext("%(num)s pixel", "%(num)s pixels", edge),
            null_at="photos",
        ),
        FormField(
            "every_hours",
            "schedule.everyHours",
            Choice(whole=True),
            N_("Schedule"),
            N_("Syncing more than once a day is part of the premium plan and of the trial."),
            group="options",
            choices=_schedules,
            other=_every,
        ),
        FormField(
            "deleted",
            "conflicts.deleted",
            Radios(),
            N_("If a user deletes a contact"),
            group="options",
            choices=(
                ("restore", N_("the next sync restores it")),
                ("respect", N_("it stays deleted in that mailbox")),
            ),
        ),
        FormField(
            "edited",
            "conflicts.edited",
            Radios(),
            N_("If a user changes a contact"),
            group="options",
            choices=(
                ("overwrite", N_("the next sync restores the published details")),
                ("keep", N_("the user's changes are kept")),
            ),
        ),
        FormField("deletes", "guard.deletes", Number(), N_("Contacts deleted"), group="limits"),
        FormField(
            "delete_share",
            "guard.deleteShare",
            Percent(),
            N_("or percent of the contacts"),
            group="limits",
            called=N_("Contacts deleted (percent)"),
            beside=True,
        ),
        FormField("changes", "guard.changes", Number(), N_("Contacts updated"), group="limits"),
        FormField(
            "change_share",
            "guard.changeShare",
            Percent(),
            N_("or percent of the contacts"),
            group="limits",
            called=N_("Contacts updated (percent)"),
            beside=True,
        ),
        FormField("creates", "guard.creates", Number(), N_("Contacts added"), group="limits"),
        FormField(
            "create_share",
            "guard.createShare",
            Percent(),
            N_("or percent of the contacts"),
            group="limits",
            called=N_("Contacts added (percent)"),
            beside=True,
        ),
        FormField(
            "paused",
            "active",
            Flag(inverted=True),
            N_("Create it paused"),
            N_(
                "To take over contacts of another tool first. Nothing is written until you resume "
                "the import."
            ),
            group="start",
        ),
    ),
)


def schedule_help(visit: Visit, plan: LicensePlan) -> dict[str, str]:
    """Return the hint of the schedule on the standard plan; nothing on other plans."""
    if plan is not LicensePlan.STANDARD:
        return {}
    words = visit.gettext(
        "Your plan includes one sync a day. More frequent syncs require the premium plan."
    )
    return {"every_hours": words}
