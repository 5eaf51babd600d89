"""Save a sent form: one flow for all forms; and list what a filter asks for.

A form that is rejected is shown again with its entries, the reason and a new Idempotency-Key. After
a change by someone else it carries the new version, so that saving again overwrites that change
deliberately.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from pydantic import BaseModel

from shared.adapters.storage.records import Stored
from shared.domain.errors import (
    CallerError,
    KeyReused,
    NotFound,
    PreconditionFailed,
    TooManyRequests,
    Unauthenticated,
)
from shared.portal.forms.showing import Refusal, show
from shared.portal.forms.tables import Draft
from shared.portal.visits import Page, Visit
from shared.services.idempotency import KeyUsed

type Save = Callable[[], Awaitable[Page]]
type Show = Callable[[Draft[Any], Refusal], Awaitable[Page]]
type Latest = Callable[[], Awaitable[Stored[Any]]]


async def submit(
    visit: Visit,
    draft: Draft[Any],
    *,
    save: Save,
    show: Show,
    latest: Latest | None = None,
    used: str = "",
) -> Page:
    """Save a form, or show it again with its entries and the reason.

    `latest` reads what is stored now. `used` is the error text if the form has already created
    something.
    """
    try:
        return await save()
    except (NotFound, Unauthenticated, TooManyRequests):
        raise
    except PreconditionFailed:
        if latest is None:
            raise
        stored = await latest()
        note = visit.gettext(
            "Someone else changed this in the meantime. Your entries are kept. Save again "
            "to overwrite the other changes."
        )
        return await show(replace(draft, etag=stored.etag), Refusal({}, note, stored.value))
    except (KeyUsed, KeyReused) as error:
        return await show(draft, Refusal({"": used} if used else visit.wrong(error)))
    except CallerError as error:
        return await show(draft, Refusal.of(visit, error))


async def listed[M: BaseModel](
    visit: Visit,
    template: str,
    draft: Draft[M],
    find: Callable[[M], Awaitable[Mapping[str, Any]]],
    choices: Mapping[str, Sequence[tuple[str, ...]]] | None = None,
) -> Page:
    """Show the list of a filter with the values that `find` returns for it.

    If the filter is invalid, show it again with the reason, above an empty list. `choices` adds to
    those of its fields.
    """
    found: Mapping[str, Any] = {}
    refusal, status = Refusal(), 200
    try:
        found = await find(draft.input())
    except CallerError as error:
        refusal, status = Refusal.of(visit, error), error.status
    asked = draft.query()
    values = {
        "filter": show(visit, draft, refusal, choices=choices),
        "asked": asked,
        "query": urlencode({name: text for name, text in asked.items() if name != "next"}),
        "items": [],
        "next": None,
    }
    return Page(template, {**values, **found}, status)


def changed_meanwhile(visit: Visit) -> str:
    """Return the text for a confirmation of something that has changed in the meantime."""
    return visit.gettext(
        "Someone else changed this in the meantime. Check what the page shows now and "
        "confirm again."
    )
