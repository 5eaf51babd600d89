"""The filters above lists, as forms: their fields are in the query of the page."""

import re
from contextlib import suppress
from datetime import date
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field

from shared.adapters.storage.tables.continuation import LONGEST
from shared.domain.importing.runs import RunStatus
from shared.domain.model import Model, ObjectId, RunId, wrong
from shared.domain.tenancy.tenants import LedgerAction
from shared.domain.texts import N_
from shared.portal import rendering
from shared.portal.forms.fields import Choice, Day, FormField, Line, Option
from shared.portal.forms.tables import Form
from shared.portal.visits import Visit

FILTER: Final = "filter"
"""The group of the fields that a page shows."""

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_ALL: Final = ("", N_("all"))


def _day(text: str) -> date:
    """Parse a day as browsers send it; pydantic alone accepts numbers, as seconds since 1970."""
    if _DAY.fullmatch(text):
        with suppress(ValueError):
            return date.fromisoformat(text)
    raise wrong("not_a_day")


type _Next = Annotated[str | None, Field(max_length=LONGEST)]
type _Day = Annotated[date, BeforeValidator(_day)]


_AREAS: Final = (
    ("share", N_("shares")),
    ("import", N_("imports")),
    ("run", N_("syncs")),
    ("license", N_("licenses")),
    ("person", N_("people")),
    ("tenant", N_("organization")),
    ("notices", N_("notices")),
    ("access", N_("access and sign-ins")),
)
"""The kinds of actions, and their names."""


def _action(text: str) -> str:
    """Parse an action, or a kind of actions."""
    known = {*dict(_AREAS), *LedgerAction}
    if text not in known:
        raise wrong("not_a_choice", choices=", ".join(sorted(known)))
    return text


type _Action = Annotated[str, AfterValidator(_action)]


class AuditFilter(Model):
    """Which entries of the audit log a page lists: an action or a kind of it, an actor, a period.

    `actor` is the object id of a person or program, or `service`.
    """

    kind: _Action | None = None
    actor: ObjectId | None = None
    since: _Day | None = None
    until: _Day | None = None
    next: _Next = None


class RunsFilter(Model):
    """Which runs a page lists."""

    import_id: Annotated[RunId | None, Field(alias="import")] = None
    status: RunStatus | None = None
    since: _Day | None = None
    next: _Next = None


def _statuses(visit: Visit) -> list[Option]:
    named = rendering.words("statuses", visit.language)
    return [("", visit.gettext("all")), *((each, named[each][1]) for each in RunStatus)]


def _actions(visit: Visit) -> list[Option]:
    """Return the kinds of actions, each followed by its actions."""
    named = rendering.words("actions", visit.language)
    options: list[Option] = [("", visit.gettext("all"))]
    for kind, called in _AREAS:
        options.append((kind, visit.gettext("All: %(kind)s") % {"kind": visit.gettext(called)}))
        options += [(a, named[a]) for a in LedgerAction if a.startswith(f"{kind}.")]
    return options


AUDIT: Final = Form(
    AuditFilter,
    (
        FormField("kind", "kind", Choice(), N_("Action"), group=FILTER, choices=_actions),
        FormField("actor", "actor", Line(empty=None), N_("Who (object ID)"), group=FILTER),
        FormField("since", "since", Day(), N_("From"), group=FILTER),
        FormField("until", "until", Day(), N_("Before"), group=FILTER),
        FormField("next", "next", Line(empty=None)),
    ),
)

RUNS: Final = Form(
    RunsFilter,
    (
        # A page adds the imports.
        FormField("import", "import", Choice(), N_("Import"), group=FILTER, choices=(_ALL,)),
        FormField("status", "status", Choice(), N_("Status"), group=FILTER, choices=_statuses),
        FormField("since", "since", Day(), N_("Since"), group=FILTER),
        FormField("next", "next", Line(empty=None)),
    ),
)
