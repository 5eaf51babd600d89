"""Pages that create an import in three steps. Each page carries the entries to the next one."""

from typing import Any, Final

import azure.functions as func

from shared.domain.errors import CallerError, ContactSyncError, FieldError, InvalidInput, NotFound
from shared.domain.sharing.shares import Share
from shared.portal.forms.import_form import (
    IMPORT,
    PARTNER,
    SETTINGS,
    ImportDraft,
    schedule_help,
)
from shared.portal.forms.showing import Refusal, copied_name, show
from shared.portal.forms.submitting import submit
from shared.portal.forms.tables import Draft
from shared.portal.forms.targets import (
    chosen,
    found,
    mailbox_of,
    named,
    pressed,
    preview_choices,
    targets_of,
)
from shared.portal.page_functions import page
from shared.portal.visits import MAX_SEARCH, Page, Visit, done
from shared.services.sharing.publications import Publication
from shared.web.admission import WRITERS
from shared.web.operations import DEFAULT_PAGE
from shared.web.validation import is_id, valid_id

bp = func.Blueprint()
_STEPS: Final = ("share", "targets", "check")
_OWN_GROUPS: Final = {"share": ("share",), "check": (*SETTINGS, "start")}
"""The groups of fields that a step shows; all others are hidden fields."""
_NAMED: Final = 12


@page(bp, "GET", "imports/new", WRITERS)
async def show_new_import(visit: Visit) -> Page:
    """Show the first step, the share; or the second, if `?share=` names one that is open.

    `?copy=` fills in all steps with the settings of another import.
    """
    if copied := visit.query.get("copy", ""):
        return await _copy(visit, copied)
    draft, given = IMPORT.blank(), visit.query.get("share", "")
    if not given:
        return await _step(visit, "share", draft)
    return await _begun(visit, draft, given)


async def _copy(visit: Visit, id_: str) -> Page:
    """Show the second step, the targets, with the settings of another import."""
    import_ = (await visit.app.importing.imports.read(visit.caller, valid_id(id_))).value
    draft = IMPORT.of(import_).typed(name=copied_name(visit, import_.name))
    return await _begun(visit, draft, import_.share_id)


async def _begun(visit: Visit, draft: ImportDraft, share: str) -> Page:
    """Show the targets of an import of this share, or the first step if it is not open."""
    own = is_id(share) and await _own(visit, share)
    draft = draft.typed(share=share) if own else draft.typed(share=PARTNER, partner=share)
    try:
        offer = await _offer(visit, draft)
    except CallerError as error:
        return await _step(visit, "share", draft, refusal=Refusal.of(visit, error))
    named = draft if draft.text("name") else draft.typed(name=offer.share.name)
    return await _step(visit, "targets", named, offer=offer)


@page(bp, "POST", "imports/new", WRITERS, again=True)
async def take_new_import(visit: Visit) -> Page:
    """Go to another step, search and select, preview a mailbox, or create the import."""
    draft, do = IMPORT.read(visit.form), visit.do
    step = str(visit.form.get("step", ""))
    step = step if step in _STEPS else _STEPS[0]
    at = _STEPS.index(step)
    if do == "back":
        return await _step(visit, _STEPS[max(at - 1, 0)], draft)
    draft, do = _picked(draft, do)
    if do not in {"next", "create"}:
        return await _step(visit, step, pressed(draft, do), do=do)

    async def save() -> Page:
        passed = await _passed(visit, step, draft)
        if step != _STEPS[-1] or do == "next":
            return await _step(visit, _STEPS[min(at + 1, len(_STEPS) - 1)], passed)
        wanted = passed.input()
        execution = await visit.app.idempotency.resume(
            visit.caller, "form_import", draft.key, wanted
        )
        made = await visit.app.importing.imports.create(visit.caller, wanted, execution)
        created = made.stored.value
        text = (
            visit.gettext("The import is created. Its first sync has started.")
            if created.active
            else visit.gettext("The import is created and paused.")
        )
        run = made.first_run
        return done(f"/runs/{run}" if run else f"/imports/{created.id}", text)

    async def again(filled: Draft[Any], refusal: Refusal) -> Page:
        return await _step(visit, step, filled, refusal=refusal)

    used = visit.gettext(
        "You already created an import with this form. To create another one with these settings, "
        "select “Create import” again."
    )
    return await submit(visit, draft, save=save, show=again, used=used)


def _picked(draft: ImportDraft, do: str) -> tuple[ImportDraft, str]:
    """Return the form and the button after a choice of a share, which leads to the next step."""
    share = PARTNER if do == "partner" else do.removeprefix("pick:")
    if share != do:
        # The import of another share gets that share's name.
        name = draft.text("name") if draft.text("share") == share != PARTNER else ""
        return draft.typed(share=share, name=name), "next"
    return (draft.typed(share=PARTNER), do) if do == "check" else (draft, do)


async def _passed(visit: Visit, step: str, draft: ImportDraft) -> ImportDraft:
    """Return the draft if a step is valid. Raises `CallerError` with the errors."""
    match step:
        case "share":
            name = (await _offer(visit, draft)).share.name
            return draft if draft.text("name") else draft.typed(name=name)
        case "targets":
            if targets_of(draft) is None:
                raise InvalidInput.of(FieldError("targets", "target_missing"))
            return draft
        case _:
            await visit.app.importing.imports.require_plan(visit.caller, draft.input())
            return draft


async def _offer(visit: Visit, draft: ImportDraft) -> Publication:
    share = str(draft.json().get("shareId", ""))
    if not share:
        raise InvalidInput.of(FieldError("shareId", "share_not_chosen"))
    if not is_id(share):
        raise InvalidInput.of(FieldError("shareId", "share_id_invalid"))
    try:
        return await visit.app.sharing.publications.describe(visit.caller, share)
    except CallerError as error:
        raise InvalidInput.of(FieldError("shareId", error.code, error.values)) from error


async def _step(
    visit: Visit,
    step: str,
    draft: ImportDraft,
    *,
    do: str = "",
    refusal: Refusal | None = None,
    offer: Publication | None = None,
) -> Page:
    refusal = refusal or Refusal()
    # A search shows its results alone: to ask again what the share holds is to read all of it.
    if step != "share" and offer is None and visit.wants("offer"):
        try:
            offer = await _offer(visit, draft)
        except CallerError as gone:
            # Withdrawn meanwhile, or never chosen: nothing else can be asked before.
            step, refusal = "share", Refusal.of(visit, gone)
    values: dict[str, Any] = {
        "step": step,
        "at": _STEPS.index(step),
        "q": str(visit.form.get("q", "")),
        "carried": draft.hidden(*_OWN_GROUPS.get(step, ())),
        "offer": offer,
    }
    helps: dict[str, str] = {}
    if step == "share":
        values |= await _share_step(visit, draft, do)
    elif step == "targets":
        values["found"], values["silent"] = await found(visit, values["q"], draft)
        values["chosen"] = await chosen(visit, draft)
    else:
        helps = schedule_help(visit, await visit.app.licensing.licenses.plan(visit.caller))
        values |= await _check_step(visit, draft, values["q"], do)
    values["form"] = show(visit, draft, refusal, helps=helps)
    return Page(f"imports/new_{step}", values, refusal.status)


async def _share_step(visit: Visit, draft: ImportDraft, do: str) -> dict[str, Any]:
    text = str(visit.form.get("find", ""))[:MAX_SEARCH]
    own = await visit.app.sharing.shares.search(visit.caller, text, DEFAULT_PAGE, None)
    shares = [stored.value for stored in own.items]
    offer, refused = None, ""
    if do == "check" and draft.json().get("shareId"):
        try:
            offer = await _offer(visit, draft)
        except CallerError as error:
            refused = visit.trouble(error)
    if draft.text("share") not in {"", PARTNER, *(s.id for s in shares)}:
        shares += await _own(visit, draft.text("share"))
    counts = await visit.app.sharing.shares.counts(visit.caller, [share.id for share in shares])
    return {
        "shares": shares,
        "counts": counts,
        "find": text,
        "more": own.token is not None,
        "offer": offer,
        "refused": refused,
    }


async def _check_step(visit: Visit, draft: ImportDraft, text: str, do: str) -> dict[str, Any]:
    values: dict[str, Any] = {"preview": None, "mailbox": "", "silent": "", "found": []}
    users, groups = draft.many("users"), draft.many("groups")
    if not visit.wants("chosen"):
        users = groups = ()
    items, _ = await named(visit, users, groups, _NAMED)
    values["targets"] = items
    values["others"] = len(users) + len(groups) - len(items)
    values["chosen"] = await chosen(visit, draft)
    if do.startswith("preview:"):
        try:
            mailbox = mailbox_of(do.partition(":")[2])
            values["preview"] = await visit.app.insight.previews.plan_draft(
                visit.caller, draft.input(), mailbox
            )
            values["mailbox"] = (await visit.addresses([mailbox])).get(mailbox, mailbox)
        except ContactSyncError as error:
            values["silent"] = visit.trouble(error)
    elif visit.wants("results"):
        try:
            values["found"] = await preview_choices(visit, draft, text)
        except ContactSyncError as error:
            values["silent"] = visit.trouble(error)
    return values


async def _own(visit: Visit, share: str) -> list[Share]:
    """Return the tenant's own share with this id, if there is one."""
    try:
        return [(await visit.app.sharing.shares.read(visit.caller, share)).value]
    except NotFound:
        return []
