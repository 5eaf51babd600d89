"""Pages: looking into one mailbox of an import, and taking over another tool's contacts there."""

from typing import Any

import azure.functions as func

from shared.domain.errors import CallerError, ContactSyncError, NotFound
from shared.domain.importing.imports import AdoptionInput
from shared.portal.forms.import_form import found, mailbox_of
from shared.portal.page_functions import page
from shared.portal.visits import Page, Visit, done
from shared.web.admission import WRITERS
from shared.web.validation import validated

bp = func.Blueprint()


@page(bp, "GET", "imports/{id}/preview", WRITERS)
async def show_mailbox_preview(visit: Visit) -> Page:
    """What the next run would do in a mailbox, once one is chosen."""
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
    """Which contacts of a mailbox's folder are the share's, once both are chosen."""
    return await _adoption(visit)


@page(bp, "POST", "imports/{id}/adopt", WRITERS)
async def adopt(visit: Visit) -> Page:
    """Mark just the contacts that were shown."""
    form = visit.form
    mailbox, folder = str(form.get("mailbox", "")), str(form.get("folder", ""))
    try:
        made = await visit.app.sync.adoptions.adopt(
            visit.caller, visit.id, _wanted(mailbox, folder, str(form.get("confirm", "")))
        )
    except ContactSyncError as error:
        return await _adoption(visit, error)
    num = made.adopted or 0
    text = visit.ngettext(
        "%(num)s contact is kept up to date by this import now.",
        "%(num)s contacts are kept up to date by this import now.",
        num,
    )
    return done(f"/imports/{visit.id}", text)


async def _adoption(visit: Visit, error: ContactSyncError | None = None) -> Page:
    values = await _asked(visit)
    folder = str(visit.form.get("folder", visit.query.get("folder", "")))
    values |= {"folder": folder, "adoption": None}
    own = values["import_"].destination.folder is not None
    if values["mailbox"] and (folder or not own):
        try:
            values["adoption"] = await visit.app.sync.adoptions.adopt(
                visit.caller, visit.id, _wanted(values["mailbox"], folder)
            )
        except ContactSyncError as refused:
            error = error or refused
    if error is not None:
        values |= _told(visit, error)
    return Page("imports/adopt", values, _status(values))


async def _asked(visit: Visit) -> dict[str, Any]:
    """The import, the text that is looked for or the mailbox that was chosen, if it is one."""
    import_ = (await visit.app.importing.imports.read(visit.caller, visit.id)).value
    mailbox = str(visit.form.get("mailbox", visit.query.get("mailbox", "")))
    text = visit.query.get("q", "")
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
    """What is wrong: beside the field that is meant, or above them all if it is none of them."""
    if isinstance(error, NotFound):
        # The import is there: it was read before.
        return {"errors": {"folder": visit.trouble(error)}}
    fields = {"mailbox": "q", "folder": "folder"}
    wrong = visit.wrong(error) if isinstance(error, CallerError) else {}
    errors = {fields[path]: text for path, text in wrong.items() if path in fields}
    return {"errors": errors} if errors else {"silent": visit.trouble(error)}


def _status(values: dict[str, Any]) -> int:
    return 422 if values["silent"] or values["errors"] else 200


def _wanted(mailbox: str, folder: str, confirm: str | None = None) -> AdoptionInput:
    body = {"mailbox": mailbox, "folder": folder.strip() or None, "confirm": confirm}
    return validated(AdoptionInput, body)
