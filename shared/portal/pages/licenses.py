"""Pages that show, book and cancel licenses."""

from dataclasses import replace
from typing import Any, Final

import azure.functions as func

from shared.adapters.storage.records import Stored
from shared.domain.tenancy import prices
from shared.domain.tenancy.tenants import BookingInput, LicensePlan
from shared.portal import rendering
from shared.portal.forms.short_forms import BOOKING
from shared.portal.forms.showing import Refusal, show
from shared.portal.forms.submitting import submit
from shared.portal.forms.tables import Draft
from shared.portal.page_functions import page
from shared.portal.sessions import Undo
from shared.portal.visits import Page, Visit, done
from shared.services.licensing.licenses import BookingEffect
from shared.web.admission import READERS, WRITERS
from shared.web.operations import DEFAULT_PAGE

bp = func.Blueprint()
_NAMED: Final = 50


@page(bp, "GET", "licenses", READERS)
async def show_licenses(visit: Visit) -> Page:
    """Show the licenses: booked, assigned and available, the trial, the mailboxes, the history."""
    search, token = visit.search, visit.query.get("next") or None
    found = await visit.app.insight.licenses.read(visit.caller, search, DEFAULT_PAGE, token)
    values = {
        "license": found.license,
        "trial_left": found.trial_left,
        "booked_since": found.booked_since,
        "seats": found.seats,
        "names": await visit.addresses([seat.mailbox for seat in found.seats]),
        "next": found.next,
        "matching": found.matching,
        "whole": found.whole,
        "q": search,
        "trouble": visit.trouble(found.trouble) if found.trouble else "",
        "history": found.history,
        "prices": prices.parse(visit.app.settings.license_prices),
        "removal": (
            await visit.app.licensing.removals.next(visit.caller.tenant)
            if found.license.waiting
            else None
        ),
    }
    return Page("licenses/licenses", values)


@page(bp, "GET", "licenses/book", WRITERS)
async def show_booking(visit: Visit) -> Page:
    """Show the form that books or cancels licenses."""
    return await _booking(visit)


@page(bp, "POST", "licenses/book", WRITERS, again=True)
async def book_seats(visit: Visit) -> Page:
    """Show the effect of a booking, or book exactly what was shown."""
    draft = BOOKING.read(visit.form)

    async def save() -> Page:
        booked = draft.input().booked
        if visit.do != "book" or visit.form.get("seen") != str(booked):
            return await _booking(visit, draft)
        license_ = (await visit.app.licensing.licenses.read(visit.caller)).value
        before = license_.booked
        if booked < before:
            visit.require_fresh()
        await visit.app.licensing.licenses.book(visit.caller, booked, draft.etag or None)
        said = visit.ngettext("%(num)s license is booked.", "%(num)s licenses are booked.", booked)
        said = f"{said}{_costs(visit, license_.plan, booked)}"
        fields = {"do": "book", "booked": str(before), "seen": str(before)}
        undo = Undo("/licenses/book", fields)
        return done("/licenses", said, undo=undo if before != booked else None)

    async def again(filled: Draft[Any], refusal: Refusal) -> Page:
        return await _booking(visit, filled, refusal)

    async def latest() -> Stored[BookingInput]:
        stored = await visit.app.licensing.licenses.read(visit.caller)
        return Stored(BookingInput(booked=stored.value.booked), stored.etag)

    return await submit(visit, draft, save=save, show=again, latest=latest)


def _costs(visit: Visit, plan: LicensePlan, booked: int) -> str:
    """Return what a booking costs a month, to confirm the order; '' without a price list."""
    found = prices.parse(visit.app.settings.license_prices)
    if found is None:
        return ""
    total = rendering.money(visit.language)(found.of(plan) * booked, found.currency)
    return " " + visit.gettext("Total per month: %(total)s, plus VAT.") % {"total": total}


async def _booking(
    visit: Visit, draft: Draft[BookingInput] | None = None, refusal: Refusal | None = None
) -> Page:
    """Return the form, with the effect of the typed number if it is valid."""
    stored = await visit.app.licensing.licenses.read(visit.caller)
    license_, refusal = stored.value, refusal or Refusal()
    effect: BookingEffect | None = None
    if draft is not None and not refusal.wrong:
        booked = draft.input().booked
        effect = await visit.app.licensing.licenses.effect(visit.caller, booked)
    concerned = (*effect.gaining, *effect.losing)[:_NAMED] if effect is not None else ()
    numbers = {name: getattr(license_, name) for name in ("booked", "used", "waiting")}
    number = rendering.number(visit.language)
    told = visit.gettext("Currently booked: %(booked)s. Assigned: %(used)s. Waiting: %(waiting)s.")
    # What is about to be booked is shown as things are now.
    draft = replace(draft or BOOKING.of_json({"booked": license_.booked}), etag=stored.etag)
    values: dict[str, Any] = {
        "form": show(
            visit,
            draft,
            refusal,
            helps={"booked": told % {name: number(count) for name, count in numbers.items()}},
        ),
        "license": license_,
        "effect": effect,
        "names": await visit.addresses(concerned),
        "prices": prices.parse(visit.app.settings.license_prices),
    }
    return Page("licenses/book", values, refusal.status)
