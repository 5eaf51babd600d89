"""The filters above lists, as forms: their fields are in the query of the page."""

import re
from contextlib import suppress
from datetime import date
from typing import Annotated, Final, Literal

from pydantic import BeforeValidator, Field

from shared.domain.importing.runs import RunStatus
from shared.domain.model import Model, wrong
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


type _Day = Annotated[date, BeforeValidator(_day)]


class AuditFilter(Model):
    """Which entries of the audit log a page lists: a kind of action, a period."""

    kind: Literal["share", "import", "run", "license", "person", "tenant"] | None = None
    since: _Day | None = None
    until: _Day | None = None
    next: str | None = None


class RunsFilter(Model):
    """Which runs a page lists."""

    import_id: Annotated[str | None, Field(alias="import", max_length=128)] = None
    status: RunStatus | None = None
    since: _Day | None = None
    next: str | None = None


def _statuses(visit: Visit) -> list[Option]:
    named = rendering.words("statuses", visit.language)
    return [("", visit.gettext("all")), *((each, named[each][1]) for each in RunStatus)]


AUDIT: Final = Form(
    AuditFilter,
    (
        FormField(
            "kind",
            "kind",
            Choice(),
            N_("Area"),
            group=FILTER,
            choices=(
                _ALL,
                ("share", N_("shares")),
                ("import", N_("imports")),
                ("run", N_("syncs")),
                ("license", N_("licenses")),
                ("person", N_("people")),
                ("tenant", N_("organization")),
            ),
        ),
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
