"""Save a sent form: one flow for all forms.

A form that is rejected is shown again with its entries, the reason and a new Idempotency-Key. After
a change by someone else it carries the new version, so that saving again overwrites that change
deliberately.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from shared.adapters.storage.records import Stored
from shared.domain.errors import (
    CallerError,
    NotFound,
    PreconditionFailed,
    TooManyRequests,
    Unauthenticated,
)
from shared.portal.forms.showing import Refusal
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
    except KeyUsed as error:
        return await show(draft, Refusal({"": used} if used else visit.wrong(error)))
    except CallerError as error:
        return await show(draft, Refusal.of(visit, error))


def changed_meanwhile(visit: Visit) -> str:
    """Return the text for a confirmation of something that has changed in the meantime."""
    return visit.gettext(
        "Someone else changed this in the meantime. Check what the page shows now and "
        "confirm again."
    )
