"""Pages that list, show, pause, sync, edit and delete imports."""

from collections.abc import Sequence
from typing import Any, Final

import azure.functions as func

from shared.adapters.storage.records import Stored
from shared.domain.errors import CallerError, NotFound, PreconditionFailed
from shared.domain.importing.imports import Import, ImportInput
from shared.portal.forms.import_form import IMPORT, ImportDraft, schedule_help
from shared.portal.forms.showing import Refusal, show
from shared.portal.forms.submitting import changed_meanwhile, submit
from shared.portal.forms.tables import Draft
from shared.portal.forms.targets import chosen, differs, found, named, pressed
from shared.portal.page_functions import page
from shared.portal.sessions import Undo
from shared.portal.visits import Page, Visit, done
from shared.services.insight.import_list import ImportRow
from shared.web.admission import READERS, WRITERS
from shared.web.operations import DEFAULT_PAGE

bp = func.Blueprint()
_RUNS: Final = 10
_NAMED: Final = 20


@page(bp, "GET", "imports", READERS)
async def show_imports(visit: Visit) -> Page:
    """List the imports, 50 per page, or search them by name."""
    text = visit.search
    token = visit.query.get("next") or None
    listing = await visit.app.importing.imports.search(visit.caller, text, DEFAULT_PAGE, token)
    imports = [stored.value for stored in listing.items]
    values = {"rows": await _rows(visit, imports), "q": text, "next": listing.token}
    return Page("imports/list", values)


@page(bp, "GET", "imports/{id}", READERS)
async def show_import(visit: Visit) -> Page:
    """Show an import: its status, its configuration, and its last runs."""
    return await _import(visit)


@page(bp, "POST", "imports/{id}", WRITERS)
async def act_on_import(visit: Visit) -> Page:
    """Pause, resume or sync an import."""
    id_, do = visit.id, visit.form.get("do")
    if do == "run":
        try:
            run, new = await visit.app.importing.runs.request(visit.caller, id_, visit.once())
        except NotFound:
            raise
        except CallerError as error:
            return await _import(visit, error)
        text = (
            visit.gettext("The sync has started.")
            if new
            else visit.gettext("A sync is in progress.")
        )
        return done(f"/runs/{run.value.id}", text)
    if do not in {"pause", "resume"}:
        return Page(location=f"/imports/{id_}")
    active = do == "resume"
    await visit.app.importing.imports.change(
        visit.caller, id_, lambda i: i.copy_with(active=active), None
    )
    if not active:
        text = visit.gettext("The import is paused. Its contacts stay unchanged.")
    elif (await visit.app.importing.imports.runs(visit.caller, id_)).last_run is None:
        text = visit.gettext("The import is active, and its first sync has started.")
    else:
        text = visit.gettext("The import is active and continues with its next sync.")
    undo = Undo(f"/imports/{id_}", {"do": "pause" if active else "resume"})
    return done(f"/imports/{id_}", text, undo=undo)


@page(bp, "GET", "imports/{id}/edit", WRITERS)
async def show_import_form(visit: Visit) -> Page:
    """Show the form that changes an import, except its share."""
    stored = await visit.app.importing.imports.read(visit.caller, visit.id)
    return await _form(visit, stored.value, IMPORT.of(stored.value, stored.etag))


@page(bp, "POST", "imports/{id}/edit", WRITERS, again=True)
async def change_import_form(visit: Visit) -> Page:
    """Search and select targets, or save."""

    async def latest() -> Stored[Import]:
        return await visit.app.importing.imports.read(visit.caller, visit.id)

    before = (await latest()).value
    kept = IMPORT.of(before)
    # Neither can be changed here.
    draft = IMPORT.read(visit.form).typed(share=before.share_id, paused=kept.text("paused"))
    do = visit.do
    if do == "enter":
        do = "save" if visit.form.get("q") == visit.form.get("searched") else "search"
    if do != "save":
        return await _form(visit, before, pressed(draft, do))

    async def save() -> Page:
        wanted = draft.input()
        every_hours = before.schedule.every_hours
        await visit.app.importing.imports.require_plan(visit.caller, wanted, every_hours)

        def changed(import_: ImportInput) -> ImportInput:
            return wanted.copy_with(active=import_.active)

        await visit.app.importing.imports.change(
            visit.caller, visit.id, changed, draft.etag or None
        )
        words = visit.gettext("Saved. The changes apply from the next sync.")
        return done(f"/imports/{visit.id}", words)

    async def again(filled: Draft[Any], refusal: Refusal) -> Page:
        return await _form(visit, before, filled, refusal)

    return await submit(visit, draft, save=save, show=again, latest=latest)


@page(bp, "GET", "imports/{id}/delete", WRITERS)
async def show_import_deletion(visit: Visit) -> Page:
    """Show what deleting an import removes, and the form that confirms it."""
    return await _deletion(visit)


@page(bp, "POST", "imports/{id}/delete", WRITERS, fresh=True)
async def remove_import(visit: Visit) -> Page:
    """Delete an import. A run removes its contacts."""
    try:
        etag = visit.form.get("etag") or None
        run = await visit.app.importing.imports.remove(visit.caller, visit.id, etag)
    except PreconditionFailed:
        return await _deletion(visit, changed_meanwhile(visit))
    text = visit.gettext("The import is deleted. This sync removes its contacts.")
    return done(f"/runs/{run}", text)


async def _import(visit: Visit, error: CallerError | None = None) -> Page:
    import_ = (await visit.app.importing.imports.read(visit.caller, visit.id)).value
    (row,) = await _rows(visit, [import_])
    runs = await visit.app.importing.runs.page(visit.caller, _RUNS, None, import_.id)
    targets, silent = await named(visit, import_.targets.users, import_.targets.groups, _NAMED)
    values = {
        "row": row,
        "import_": import_,
        "runs": [stored.value for stored in runs.items],
        "targets": targets,
        "others": len(import_.targets.users) + len(import_.targets.groups) - len(targets),
        "silent": silent,
        "plan": await visit.app.licensing.licenses.plan(visit.caller),
        "form": show(visit, IMPORT.of(import_)),
        "errors": visit.wrong(error),
    }
    return Page("imports/import", values, 422 if error is not None else 200)


async def _form(
    visit: Visit, import_: Import, draft: ImportDraft, refusal: Refusal | None = None
) -> Page:
    refusal = refusal or Refusal()
    text = str(visit.form.get("q", ""))
    hits, silent = await found(visit, text, draft)
    plan = await visit.app.licensing.licenses.plan(visit.caller)
    values: dict[str, Any] = {
        "import_": import_,
        "form": show(visit, draft, refusal, helps=schedule_help(visit, plan)),
        "q": text,
        "found": hits,
        "silent": silent,
        # What is stored has its seats; those of others are counted, which reads all members.
        "chosen": await chosen(visit, draft, count=differs(draft, import_.targets)),
    }
    return Page("imports/edit", values, refusal.status)


async def _deletion(visit: Visit, refusal: str = "") -> Page:
    stored = await visit.app.importing.imports.read(visit.caller, visit.id)
    (row,) = await _rows(visit, [stored.value])
    mailboxes, contacts = await visit.app.insight.finding.filled(visit.caller, stored.value.id)
    values = {
        "row": row,
        "mailboxes": mailboxes,
        "contacts": contacts,
        "etag": stored.etag,
        "errors": {"": refusal} if refusal else {},
    }
    return Page("imports/delete", values, 422 if refusal else 200)


async def _rows(visit: Visit, imports: Sequence[Import]) -> list[ImportRow]:
    return await visit.app.insight.import_list.rows(visit.caller, visit.own_tenant, imports)
