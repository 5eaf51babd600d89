"""Pages: a new import in four steps. Each page carries what was chosen; the last one creates."""

from typing import Any, Final

import azure.functions as func

from shared.domain.errors import CallerError, ContactSyncError, FieldError, InvalidInput, NotFound
from shared.domain.importing.imports import ImportInput
from shared.domain.importing.schedule import DAY
from shared.domain.sharing.shares import Share
from shared.portal.forms.import_form import PARTNER, Draft, chosen, found, mailbox_of, named, wrong
from shared.portal.page_functions import page
from shared.portal.visits import Page, Visit, done
from shared.services.sharing.publications import Publication
from shared.web.admission import WRITERS
from shared.web.operations import DEFAULT_PAGE
from shared.web.validation import is_id
from shared.wiring.app import new_id

bp = func.Blueprint()
_STEPS: Final = ("share", "targets", "settings", "check")
_NAMED: Final = 12


@page(bp, "GET", "imports/new", WRITERS)
async def show_new_import(visit: Visit) -> Page:
    """The first step: which share. `?share=` names one."""
    given = visit.query.get("share", "")
    own = bool(given) and is_id(given) and bool(await _own(visit, given))
    draft = Draft.typed(visit.form)
    chosen_share = {"share": given if own else PARTNER, "partner": "" if own else given}
    values = {**draft.values, **(chosen_share if given else {})}
    return await _step(visit, "share", Draft(values), new_id())


@page(bp, "POST", "imports/new", WRITERS, again=True)
async def take_new_import(visit: Visit) -> Page:
    """Go a step on or back, search and choose, look into a mailbox, or create."""
    form = visit.form
    draft, key = Draft.typed(form), str(form.get("key", ""))[:200] or new_id()
    step = str(form.get("step", ""))
    step = step if step in _STEPS else _STEPS[0]
    do = visit.do
    at = _STEPS.index(step)
    if do == "back":
        return await _step(visit, _STEPS[max(at - 1, 0)], draft, key)
    if do not in {"next", "create"}:
        return await _step(visit, step, draft.pressed(do), key, do=do)
    try:
        draft = await _passed(visit, step, draft)
        if step != _STEPS[-1] or do == "next":
            return await _step(visit, _STEPS[min(at + 1, len(_STEPS) - 1)], draft, key)
        made = await visit.app.importing.imports.create(visit.caller, draft.wanted(), key)
    except CallerError as error:
        # What the key was used for, if it was, is there already: what is typed now is another one.
        return await _step(visit, step, draft, new_id(), error=error)
    created = made.stored.value
    text = (
        visit.gettext("The import is created. Its first run has begun.")
        if created.active
        else visit.gettext("The import is created, and paused.")
    )
    return done(f"/imports/{created.id}", text)


async def _passed(visit: Visit, step: str, draft: Draft) -> Draft:
    """The draft if a step of it is right; raises `CallerError` with what is not."""
    match step:
        case "share":
            return draft.named((await _offer(visit, draft)).share.name)
        case "targets":
            if draft.targets is None:
                words = "name at least one target: users or groups"
                raise InvalidInput("Nobody is chosen.", (FieldError("targets", words),))
            return draft
        case _:
            wanted = draft.wanted()
            await require_plan(visit, wanted, DAY)
            return draft


async def require_plan(visit: Visit, wanted: ImportInput, hours: int) -> None:
    """Raise `InvalidInput` for a schedule other than every `hours` that the plan does not have."""
    every = wanted.schedule.every_hours
    if await visit.app.importing.imports.allows(visit.caller, every, hours):
        return
    words = "More than once a day belongs to the premium plan."
    raise InvalidInput("The plan does not allow it.", (FieldError("schedule.everyHours", words),))


async def _offer(visit: Visit, draft: Draft) -> Publication:
    if not draft.share_id:
        words = "Choose one of your shares, or enter a partner's share id."
        at = "shareId" if draft.values["share"] == PARTNER else "share"
        raise InvalidInput("No share is chosen.", (FieldError(at, words),))
    try:
        return await visit.app.sharing.publications.describe(visit.caller, draft.share_id)
    except CallerError as error:
        raise InvalidInput(error.detail, (FieldError("shareId", error.detail),)) from error


async def _step(
    visit: Visit,
    step: str,
    draft: Draft,
    key: str,
    *,
    do: str = "",
    error: CallerError | None = None,
) -> Page:
    errors = wrong(visit, error)
    values: dict[str, Any] = {
        "step": step,
        "at": _STEPS.index(step),
        "draft": draft,
        "given": draft.values,
        "key": key,
        "errors": errors,
        "q": str(visit.form.get("q", "")),
        "carried": [(n, v) for n, v in draft.fields if n not in _OWN_FIELDS[step]],
        "offer": None,
    }
    # A search shows its results alone: to ask again what the share holds is to read all of it.
    if step != "share" and visit.wants("offer"):
        try:
            values["offer"] = await _offer(visit, draft)
        except CallerError as gone:
            # Withdrawn meanwhile, or never chosen: nothing else can be asked before.
            step, errors = "share", wrong(visit, gone)
            carried = [(n, v) for n, v in draft.fields if n not in _OWN_FIELDS[step]]
            values |= {"step": step, "at": 0, "errors": errors, "carried": carried}
    if step == "share":
        values |= await _share_step(visit, draft, do)
    elif step == "targets":
        values["found"], values["silent"] = await found(visit, values["q"], draft)
        values["chosen"] = await chosen(visit, draft)
    elif step == "settings":
        values["plan"] = await visit.app.licensing.licenses.plan(visit.caller)
    else:
        values |= await _check_step(visit, draft, values["q"], do)
    return Page(f"imports/new_{step}", values, 422 if values["errors"] else 200)


_OWN_FIELDS: Final = {
    "share": {"share", "partner"},
    # Those who are chosen travel in hidden fields here too.
    "targets": set[str](),
    "settings": {
        "name",
        "place",
        "folder",
        "category",
        "color",
        "photos",
        "deleted",
        "edited",
        "deletes",
        "delete_share",
        "changes",
        "change_share",
        "every_hours",
        "paused",
    },
    "check": set[str](),
}


async def _share_step(visit: Visit, draft: Draft, do: str) -> dict[str, Any]:
    own = await visit.app.sharing.shares.search(visit.caller, "", DEFAULT_PAGE, None)
    shares = [stored.value for stored in own.items]
    offer, refused = None, ""
    if do == "check" and draft.share_id:
        try:
            offer = await _offer(visit, draft)
        except CallerError as error:
            refused = visit.trouble(error)
    if draft.values["share"] not in {"", PARTNER, *(s.id for s in shares)}:
        shares += await _own(visit, draft.values["share"])
    return {"shares": shares, "more": own.token is not None, "offer": offer, "refused": refused}


async def _check_step(visit: Visit, draft: Draft, text: str, do: str) -> dict[str, Any]:
    values: dict[str, Any] = {"preview": None, "mailbox": "", "silent": "", "found": []}
    users, groups = (draft.users, draft.groups) if visit.wants("chosen") else ((), ())
    items, _ = await named(visit, users, groups, _NAMED)
    values["targets"] = items
    values["others"] = len(users) + len(groups) - len(items)
    values["chosen"] = await chosen(visit, draft)
    if do.startswith("preview:"):
        try:
            mailbox = mailbox_of(do.partition(":")[2])
            values["preview"] = await visit.app.insight.previews.plan_draft(
                visit.caller, draft.wanted(), mailbox
            )
            values["mailbox"] = (await visit.addresses([mailbox])).get(mailbox, mailbox)
        except ContactSyncError as error:
            values["silent"] = visit.trouble(error)
    else:
        values["found"], values["silent"] = await found(visit, text, None, ("users",))
    return values


async def _own(visit: Visit, share: str) -> list[Share]:
    """The share of this id if it is one's own."""
    try:
        return [(await visit.app.sharing.shares.read(visit.caller, share)).value]
    except NotFound:
        return []
