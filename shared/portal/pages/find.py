"""Pages that find a person or a mailbox, and say where a contact is and why it is missing."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import azure.functions as func

from shared.domain.errors import ContactSyncError
from shared.domain.importing.imports import Import
from shared.domain.sharing.shares import Share
from shared.portal.page_functions import page
from shared.portal.sessions import Undo
from shared.portal.visits import Page, Visit, done
from shared.services.sharing.directory_search import EntryKind, Found
from shared.web.admission import READERS, WRITERS
from shared.web.operations import DEFAULT_PAGE

bp = func.Blueprint()
_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class _Group:
    """A group of the directory, the shares that publish it, and the imports that aim at it."""

    found: Found
    shares: Sequence[Share]
    imports: Sequence[Import]


@page(bp, "GET", "find", READERS)
async def show_find(visit: Visit) -> Page:
    """Show what matches a text: people, mailboxes, groups, shares, and imports with their syncs."""
    text = visit.search
    values: dict[str, Any] = {"q": text, "found": [], "groups": [], "trouble": None}
    values |= {"shares": [], "imports": []}
    if not text:
        return Page("find/find", values)
    shares, imports = visit.app.sharing.shares, visit.app.importing.imports
    published, configured, (hits, values["trouble"]) = await asyncio.gather(
        shares.search(visit.caller, text, _NAMED, None),
        imports.search(visit.caller, text, _NAMED, None),
        _in_directory(visit, text),
    )
    values["shares"] = [stored.value for stored in published.items]
    values["imports"] = [stored.value for stored in configured.items]
    values["found"] = [hit for hit in hits if hit.kind is not EntryKind.GROUP]
    groups = [hit for hit in hits if hit.kind is EntryKind.GROUP]
    values["groups"] = await _used(visit, groups) if groups else []
    return Page("find/find", values)


async def _in_directory(visit: Visit, text: str) -> tuple[Sequence[Found], str | None]:
    """Return the people and groups that a text finds, and what hindered the search, if anything."""
    kinds = (EntryKind.USER, EntryKind.ORG_CONTACT, EntryKind.GROUP)
    try:
        return await visit.app.sharing.directory.find(visit.caller, text, kinds), None
    except ContactSyncError as error:
        return (), visit.trouble(error)


async def _used(visit: Visit, groups: Sequence[Found]) -> list[_Group]:
    """Return groups with the shares and imports that use them, among the first ones by name."""
    published, configured = await asyncio.gather(
        visit.app.sharing.shares.search(visit.caller, "", DEFAULT_PAGE, None),
        visit.app.importing.imports.search(visit.caller, "", DEFAULT_PAGE, None),
    )
    shares = [stored.value for stored in published.items]
    imports = [stored.value for stored in configured.items]
    return [
        _Group(
            group,
            [each for each in shares if group.id in {one.id for one in each.sources.groups}],
            [each for each in imports if group.id in each.targets.groups],
        )
        for group in groups
    ]


@page(bp, "GET", "find/{id}", READERS)
async def show_found(visit: Visit) -> Page:
    """Show a mailbox: its license, its imports, its last results, and the search for a contact."""
    search, person = visit.search, visit.query.get("person", "")
    seen = await visit.app.insight.finding.look(visit.caller, visit.id, search, person)
    unnamed = seen.mailbox.trouble
    values = {
        "view": seen.mailbox,
        "removal": visit.app.licensing.removals.of(
            seen.mailbox.seat, sum(filling.contacts for filling in seen.mailbox.imports)
        ),
        "q": search,
        "found": seen.found,
        "explained": seen.explained,
        "unnamed": visit.trouble(unnamed) if unnamed else "",
        "trouble": visit.trouble(seen.trouble) if seen.trouble else None,
    }
    return Page("find/mailbox", values)


@page(bp, "GET", "find/{id}/everywhere", READERS)
async def show_locations(visit: Visit) -> Page:
    """Show where a person's contact is: the shares, imports and mailboxes that have it.

    The page is shown at once and then requests the search of all mailboxes, which takes longer.
    """
    looked = "look" in visit.query
    finding = visit.app.insight.finding
    view = await (finding.person if looked else finding.who)(visit.caller, visit.id)
    unnamed = visit.trouble(view.trouble) if view.trouble else ""
    return Page("find/person", {"view": view, "looked": looked, "unnamed": unnamed})


@page(bp, "GET", "find/{id}/remove", WRITERS)
async def show_person_removal(visit: Visit) -> Page:
    """Show what removing a person everywhere means."""
    names = await visit.names([visit.id], *EntryKind)
    return Page("find/remove", {"id": visit.id, "called": names.get(visit.id, visit.id)})


@page(bp, "POST", "find/{id}/remove", WRITERS)
async def remove_or_readmit(visit: Visit) -> Page:
    """Remove a person everywhere, or allow the person again."""
    path, back = f"/find/{visit.id}/remove", f"/find/{visit.id}/everywhere"
    if visit.form.get("do") == "readmit":
        await visit.app.privacy.people.lift_suppression(visit.caller, visit.id, visit.once())
        words = visit.gettext(
            "The person can be included again. The next syncs restore the contact."
        )
        return done(back, words, undo=Undo(path, {"do": "remove"}))
    visit.require_fresh()
    await visit.app.privacy.people.suppress(visit.caller, visit.id)
    words = visit.gettext("The contact is being removed everywhere, and no import adds it again.")
    return done(back, words, undo=Undo(path, {"do": "readmit"}))
