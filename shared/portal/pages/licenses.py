"""Pages: the company's seats, booking and cancelling them, and who holds which."""

from typing import Any, Final

import azure.functions as func

from shared.adapters.storage.records import Listing
from shared.domain.errors import CallerError, NeedsAdmin, TransientError
from shared.domain.tenancy.tenants import BookingInput, LedgerAction, Seat
from shared.portal.page_functions import page
from shared.portal.sessions import Undo
from shared.portal.visits import Page, Visit, done
from shared.services.licensing.licenses import BookingEffect
from shared.services.tenancy.ledger import Wanted
from shared.web.admission import READERS, WRITERS
from shared.web.operations import DEFAULT_PAGE
from shared.web.validation import validated

bp = func.Blueprint()
_HISTORY: Final = 10
_NAMED: Final = 50


@page(bp, "GET", "licenses", READERS)
async def show_licenses(visit: Visit) -> Page:
    """Booked, used and free seats, the trial, who holds which seat, and what was booked when."""
    license_ = (await visit.app.licensing.licenses.read(visit.caller)).value
    search = visit.query.get("q", "").strip()
    seats, trouble = Listing[Seat]((), None), ""
    try:
        if search:
            seats = await visit.app.insight.finding.seats(visit.caller, search)
        else:
            token = visit.query.get("next") or None
            seats = await visit.app.licensing.licenses.seats(visit.caller, DEFAULT_PAGE, token)
    except (TransientError, NeedsAdmin) as error:
        trouble = visit.trouble(error)
    entries = await visit.app.tenancy.ledger.page(
        visit.caller, _HISTORY, None, Wanted(action="license")
    )
    history = [entry.value for entry in entries.items]
    found = [seat.value for seat in seats.items]
    values = {
        "license": license_,
        "trial_left": visit.app.licensing.licenses.trial_left(license_),
        "booked_since": next(
            (e.when for e in history if e.action == LedgerAction.LICENSE_BOOKED), None
        ),
        "seats": found,
        "names": await visit.addresses([seat.mailbox for seat in found]),
        "next": seats.token,
        "q": search,
        "trouble": trouble,
        "history": history,
    }
    return Page("licenses/licenses", values)


@page(bp, "GET", "licenses/book", WRITERS)
async def show_booking(visit: Visit) -> Page:
    """The form to book or cancel seats."""
    return await _booking(visit)


@page(bp, "POST", "licenses/book", WRITERS, again=True)
async def book_seats(visit: Visit) -> Page:
    """Show what a booking would change, or book what was shown just so."""
    given = str(visit.form.get("booked", "")).strip()
    try:
        number = int(given) if given.isascii() and given.isdigit() else given
        booked = validated(BookingInput, {"booked": number}).booked
        if visit.do != "book" or visit.form.get("seen") != str(booked):
            effect = await visit.app.licensing.licenses.effect(visit.caller, booked)
            return await _booking(visit, given, effect=effect)
        before = (await visit.app.licensing.licenses.read(visit.caller)).value.booked
        await visit.app.licensing.licenses.book(
            visit.caller, booked, visit.form.get("etag") or None
        )
    except CallerError as error:
        return await _booking(visit, given, error=error)
    said = visit.ngettext("%(num)s seat is booked now.", "%(num)s seats are booked now.", booked)
    fields = {"do": "book", "booked": str(before), "seen": str(before)}
    undo = Undo("/licenses/book", fields)
    return done("/licenses", said, undo=undo if before != booked else None)


async def _booking(
    visit: Visit,
    booked: str | None = None,
    *,
    effect: BookingEffect | None = None,
    error: CallerError | None = None,
) -> Page:
    stored = await visit.app.licensing.licenses.read(visit.caller)
    concerned = (*effect.gaining, *effect.losing)[:_NAMED] if effect is not None else ()
    values: dict[str, Any] = {
        "license": stored.value,
        "etag": stored.etag,
        "booked": booked if booked is not None else str(stored.value.booked),
        "effect": effect,
        "names": await visit.addresses(concerned),
        "errors": visit.wrong(error),
    }
    return Page("licenses/book", values, status=422 if error is not None else 200)
