"""Pages that preview one mailbox of an import, and take over another tool's contacts there."""

from typing import Any

import azure.functions as func

from shared.domain.errors import CallerError, ContactSyncError, NotFound
from shared.portal.forms.short_forms import ADOPTION
from shared.portal.forms.showing import Refusal, show
from shared.portal.forms.targets import found, mailbox_of
from shared.portal.page_functions import page
from shared.portal.visits import Page, Visit, done
from shared.web.admission import WRITERS

bp = func.Blueprint()


@page(bp, "GET", "imports/{id}/preview", WRITERS)
async def show_mailbox_preview(visit: Visit) -> Page:
    """Show what the next run would change in the selected mailbox."""
    values = await _asked(visit)
    values["preview"] = None
    if values["mailbox"]:
        try:
            values["preview"] = await visit.app.insight.previews.plan(
                visit.caller, visit.id, values["mailbox"]
            )
        except ContactSyncError as error:
            values |= _told(visit, error)
    return Page("imports/preview", values, _status(values))


@page(bp, "GET", "imports/{id}/adopt", WRITERS)
async def show_adoption(visit: Visit) -> Page:
    """Show which contacts of a mailbox's folder match the share."""
    return await _adoption(visit)


@page(bp, "POST", "imports/{id}/adopt", WRITERS)
async def adopt(visit: Visit) -> Page:
    """Take over exactly the contacts that were shown."""
    try:
        wanted = ADOPTION.read(visit.form).input()
        made = await visit.app.sync.adoptions.adopt(visit.caller, visit.id, wanted)
    except ContactSyncError as error:
        return await _adoption(visit, error)
    num = made.adopted or 0
    text = visit.ngettext(
        "This import now keeps %(num)s contact up to date.",
        "This import now keeps %(num)s contacts up to date.",
        num,
    )
    return done(f"/imports/{visit.id}", text)


async def _adoption(visit: Visit, error: ContactSyncError | None = None) -> Page:
    values = await _asked(visit)
    sent = visit.form if visit.request.method == "POST" else visit.query
    draft = ADOPTION.read(sent).typed(mailbox=values["mailbox"], confirm="")
    values |= {"adoption": None}
    own = values["import_"].destination.folder is not None
    if values["mailbox"] and (draft.text("folder") or not own):
        try:
            values["adoption"] = await visit.app.sync.adoptions.adopt(
                visit.caller, visit.id, draft.input()
            )
        except ContactSyncError as refused:
            error = error or refused
    refusal = Refusal({"mailbox": values["errors"]["q"]} if values["errors"] else {})
    if isinstance(error, NotFound):
        # The import is there: it was read before.
        refusal = Refusal({"folder": visit.trouble(error)})
    elif isinstance(error, CallerError):
        refusal = Refusal.of(visit, error)
    elif error is not None:
        values["silent"] = visit.trouble(error)
    values["form"] = show(visit, draft, refusal)
    return Page("imports/adopt", values, 422 if values["silent"] else refusal.status)


async def _asked(visit: Visit) -> dict[str, Any]:
    """Return the import, the search text, and the selected mailbox if it is valid."""
    import_ = (await visit.app.importing.imports.read(visit.caller, visit.id)).value
    mailbox = str(visit.form.get("mailbox", visit.query.get("mailbox", "")))
    text = visit.search
    hits, silent = await found(visit, "" if mailbox else text, None, ("users",))
    errors: dict[str, str] = {}
    if mailbox:
        try:
            mailbox = mailbox_of(mailbox)
        except CallerError as error:
            mailbox, errors = "", {"q": visit.trouble(error)}
    names = await visit.addresses([mailbox])
    return {
        "import_": import_,
        "q": text,
        "mailbox": mailbox,
        "address": names.get(mailbox, mailbox),
        "found": [(id_.removeprefix("users:"), name, detail) for id_, name, detail in hits],
        "silent": silent,
        "errors": errors,
    }


def _told(visit: Visit, error: ContactSyncError) -> dict[str, Any]:
    """Return the errors: at the search field for the mailbox, otherwise for the whole form."""
    wrong = visit.wrong(error) if isinstance(error, CallerError) else {}
    if "mailbox" in wrong:
        return {"errors": {"q": wrong["mailbox"]}}
    return {"silent": visit.trouble(error)}


def _status(values: dict[str, Any]) -> int:
    return 422 if values["silent"] or values["errors"] else 200
