"""Pages that publish, edit and withdraw shares, and block partners."""

from dataclasses import replace
from typing import Any, Final

import azure.functions as func

from shared.adapters.storage.records import Stored
from shared.domain.errors import (
    CallerError,
    Conflict,
    ContactSyncError,
    PreconditionFailed,
)
from shared.domain.importing.runs import by_inclusion
from shared.domain.sharing.shares import Share, ShareInput
from shared.portal.forms.pasted_addresses import entries_of
from shared.portal.forms.share_form import EVERYBODY, SHARE, ShareDraft
from shared.portal.forms.short_forms import ROTATION
from shared.portal.forms.showing import Refusal, copied_name, show
from shared.portal.forms.submitting import Latest, Save, changed_meanwhile, submit
from shared.portal.forms.tables import TYPED, Draft
from shared.portal.page_functions import page
from shared.portal.sessions import INVITATION, Undo
from shared.portal.visits import Page, Visit, done
from shared.services.insight.previews import SharePreview
from shared.services.sharing.directory_search import EntryKind
from shared.web.admission import READERS, WRITERS
from shared.web.operations import DEFAULT_PAGE
from shared.web.validation import valid_id

bp = func.Blueprint()
_OMISSIONS_SHOWN: Final = 50


@page(bp, "GET", "shares", READERS)
async def show_shares(visit: Visit) -> Page:
    """List the shares by name."""
    wanted = visit.search
    token = visit.query.get("next") or None
    found = await visit.app.sharing.shares.search(visit.caller, wanted, DEFAULT_PAGE, token)
    shares = [stored.value for stored in found.items]
    counts = await visit.app.sharing.shares.counts(visit.caller, [share.id for share in shares])
    values = {"shares": shares, "counts": counts, "q": wanted, "next": found.token}
    return Page("shares/list", values)


@page(bp, "GET", "shares/new", WRITERS)
async def show_new_share(visit: Visit) -> Page:
    """Show the form of a new share; `?copy=` fills it in with the settings of another one."""
    given = visit.query.get("copy", "")
    if not given:
        return await _form(visit, ShareDraft.of(SHARE.blank()))
    share = (await visit.app.sharing.shares.read(visit.caller, valid_id(given))).value
    return await _form(
        visit, ShareDraft.of(SHARE.of(share).typed(name=copied_name(visit, share.name)))
    )


@page(bp, "POST", "shares/new", WRITERS, again=True)
async def publish_share(visit: Visit) -> Page:
    """Preview or publish a new share."""
    draft = ShareDraft.read(visit.form)

    async def save() -> Page:
        wanted = draft.input()
        execution = await visit.app.idempotency.resume(
            visit.caller, "form_share", draft.share.key, wanted
        )
        made = await visit.app.sharing.shares.create(visit.caller, wanted, execution)
        return done(f"/shares/{made.value.id}", visit.gettext("The share is published."))

    return await _sent(visit, draft, save)


@page(bp, "GET", "shares/{id}", READERS)
async def show_share(visit: Visit) -> Page:
    """Show a share: its id, its contacts, its access rule, and its importing companies."""
    stored = await visit.app.sharing.shares.read(visit.caller, visit.id)
    share = stored.value
    ends = share.access.expires
    values = {
        "share": share,
        "invitation": f"{visit.app.settings.portal_origin}{INVITATION}{share.share_id}",
        "switches": [field for field in SHARE.rows if field.group == EVERYBODY],
        "expired": ends is not None and ends <= visit.app.clock(),
        "subscribers": await visit.app.sharing.shares.subscribers(visit.caller, visit.id),
        "names": await _names(visit, share.sources.users, [g.id for g in share.sources.groups]),
        "preview": None,
        "trouble": None,
    }
    if "preview" in visit.query:
        values |= await _previewed(visit, share)
    return Page("shares/share", values)


@page(bp, "GET", "shares/{id}/edit", WRITERS)
async def show_share_form(visit: Visit) -> Page:
    """Show the form of a published share."""
    stored = await visit.app.sharing.shares.read(visit.caller, visit.id)
    return await _form(visit, ShareDraft.of(SHARE.of(stored.value, stored.etag)), stored.value)


@page(bp, "POST", "shares/{id}/edit", WRITERS, again=True)
async def edit_share(visit: Visit) -> Page:
    """Preview or save changes to a share."""
    draft = ShareDraft.read(visit.form)

    async def latest() -> Stored[Share]:
        return await visit.app.sharing.shares.read(visit.caller, visit.id)

    async def save() -> Page:
        wanted = draft.input()
        await visit.app.sharing.shares.change(
            visit.caller, visit.id, lambda _: wanted, draft.share.etag or None
        )
        words = visit.gettext(
            "The share is changed. Each import applies the changes with its next sync."
        )
        return done(f"/shares/{visit.id}", words)

    return await _sent(visit, draft, save, (await latest()).value, latest)


@page(bp, "GET", "shares/{id}/withdraw", WRITERS)
async def show_withdrawal(visit: Visit) -> Page:
    """Show what withdrawing a share means, and for which companies."""
    return await _withdrawal(visit)


@page(bp, "POST", "shares/{id}/withdraw", WRITERS, fresh=True, leaving=True)
async def withdraw_share(visit: Visit) -> Page:
    """Withdraw a share."""
    etag = visit.form.get("etag") or None
    try:
        await visit.app.sharing.shares.withdraw(visit.caller, visit.id, etag)
    except PreconditionFailed:
        return await _withdrawal(visit, changed_meanwhile(visit))
    words = visit.gettext(
        "The share is withdrawn. The next sync of each import removes its contacts."
    )
    return done("/shares", words)


@page(bp, "GET", "shares/{id}/rotate", WRITERS)
async def show_rotation(visit: Visit) -> Page:
    """Show what a new id means, and the partners that can keep access."""
    return await _rotation(visit)


@page(bp, "POST", "shares/{id}/rotate", WRITERS)
async def give_new_id(visit: Visit) -> Page:
    """Give a share a new id."""
    draft = ROTATION.read(visit.form)

    async def save() -> Page:
        keep = draft.input().keep
        made = await visit.app.sharing.shares.rotate(visit.caller, visit.id, keep, visit.once())
        words = visit.gettext(
            "The share has a new ID. The old ID can no longer be used for new imports."
        )
        return done(f"/shares/{made.value.id}", words)

    async def again(filled: Draft[Any], refusal: Refusal) -> Page:
        return await _rotation(visit, filled, refusal)

    return await submit(visit, draft, save=save, show=again)


async def _rotation(
    visit: Visit, draft: Draft[Any] | None = None, refusal: Refusal | None = None
) -> Page:
    """Show the partners that import the share; all of them keep access unless unticked."""
    stored = await visit.app.sharing.shares.read(visit.caller, visit.id)
    found = await visit.app.sharing.shares.subscribers(visit.caller, visit.id)
    partners = [
        (each.tenant, each.domain or each.tenant, each.name if each.domain != each.name else "")
        for each in found
        if each.tenant != visit.caller.tenant
    ]
    filled = draft or ROTATION.blank(keep=tuple(partner[0] for partner in partners))
    form = show(visit, filled, refusal, choices={"keep": partners})
    values = {"share": stored.value, "form": form, "partners": partners}
    return Page("shares/rotate", values, refusal.status if refusal else 200)


@page(bp, "GET", "shares/{id}/subscribers/{tenant}", WRITERS)
async def show_subscriber(visit: Visit) -> Page:
    """Show what blocking or unblocking a partner means."""
    stored = await visit.app.sharing.shares.read(visit.caller, visit.id)
    tenant = visit.segment("tenant").lower()
    subscribers = await visit.app.sharing.shares.subscribers(visit.caller, visit.id)
    found = next((c for c in subscribers if c.tenant == tenant), None)
    blocked = tenant in stored.value.blocked
    values = {"share": stored.value, "tenant": tenant, "subscriber": found, "blocked": blocked}
    return Page("shares/subscriber", values)


@page(bp, "POST", "shares/{id}/subscribers/{tenant}", WRITERS, leaving=True)
async def admit_or_block_subscriber(visit: Visit) -> Page:
    """Approve a partner that waits, block it, or unblock it."""
    tenant, path = visit.segment("tenant").lower(), f"/shares/{visit.id}"
    here = f"{path}/subscribers/{tenant}"
    opening = visit.form.get("do") in {"approve", "admit"}
    if opening and visit.own_tenant.removing:
        raise Conflict("tenant_leaving")
    if visit.form.get("do") == "approve":
        await visit.app.sharing.shares.approve(visit.caller, visit.id, tenant)
        words = visit.gettext("The company is approved. Its first sync starts now.")
        return done(path, words, undo=Undo(here, {"do": "block"}))
    if visit.form.get("do") == "admit":

        def admitted(share: ShareInput) -> ShareInput:
            left = [each for each in share.blocked if each != tenant]
            return share.copy_with(blocked=left)

        share = (await visit.app.sharing.shares.read(visit.caller, visit.id)).value
        if share.access.approval:
            await visit.app.sharing.shares.approve(visit.caller, visit.id, tenant)
        else:
            await visit.app.sharing.shares.change(visit.caller, visit.id, admitted, None)
        words = visit.gettext("The partner can import the share again.")
        return done(path, words, undo=Undo(here, {"do": "block"}))
    await visit.app.sharing.shares.block(visit.caller, visit.id, tenant)
    words = visit.gettext("The partner is blocked. Its next sync removes the contacts.")
    return done(path, words, undo=Undo(here, {"do": "admit"}))


async def _sent(
    visit: Visit,
    draft: ShareDraft,
    save: Save,
    share: Share | None = None,
    latest: Latest | None = None,
) -> Page:
    """Do what the pressed button asks for: search, change the form, preview, or save."""
    do = visit.do
    if do == "enter":
        do = "save" if draft.search == draft.searched else "search"
    try:
        now = draft.pressed(do) if do else draft
    except CallerError as error:
        return await _form(visit, draft, share, Refusal.of(visit, error))
    if now is not None:
        return await _form(visit, now, share)
    # A list that was pasted and not added yet is added and shown before anything is saved.
    if do == "paste" or (do == "save" and str(visit.form.get("pasted", "")).strip()):
        return await _pasted(visit, draft, share)
    if do == "preview":
        return await _looked_at(visit, draft, share)

    async def again(filled: Draft[Any], refusal: Refusal) -> Page:
        return await _form(visit, replace(draft, share=filled), share, refusal)

    used = visit.gettext(
        "You already published a share with this form. To publish another one with the "
        "current entries, select “Publish” again."
    )
    return await submit(visit, draft.share, save=save, show=again, latest=latest, used=used)


async def _pasted(visit: Visit, draft: ShareDraft, share: Share | None) -> Page:
    """Return the form with the people of a pasted list; what was not found is listed."""
    entries = entries_of(str(visit.form.get("pasted", "")))
    try:
        known = await visit.app.sharing.directory.addressed(
            visit.caller, [each for each in entries if "@" in each]
        )
    except ContactSyncError as away:
        return await _form(visit, draft, share, pasted=entries, unread=visit.trouble(away))
    users = (*draft.share.many("user"), *(each.id for each in known.values()))
    typed = draft.share.typed(user=tuple(dict.fromkeys(users)))
    missing = [each for each in entries if each.lower() not in known]
    return await _form(visit, replace(draft, share=typed), share, pasted=(), missing=missing)


async def _looked_at(visit: Visit, draft: ShareDraft, share: Share | None) -> Page:
    """Return the form with a preview; the share may still have no name."""
    try:
        shown = await _previewed(visit, draft.named("-").input())
    except CallerError as error:
        told = {"trouble": visit.trouble(error)}
        return await _form(visit, draft, share, Refusal.of(visit, error), **told)
    return await _form(visit, draft, share, **shown)


async def _form(
    visit: Visit,
    draft: ShareDraft,
    share: Share | None = None,
    refusal: Refusal | None = None,
    **more: Any,
) -> Page:
    refusal = refusal or Refusal()
    found, silent = [], ""
    if draft.search.strip() and visit.wants("results"):
        try:
            kinds = [EntryKind.GROUP, EntryKind.USER]
            found = await visit.app.sharing.directory.find(visit.caller, draft.search, kinds)
        except ContactSyncError as away:
            silent = visit.trouble(away)
    names = {}
    if visit.wants("chosen", "left-out"):
        people = [*draft.share.many("user"), *draft.share.many("exclude")]
        names = await _names(visit, people, list(draft.groups))
    values: dict[str, Any] = {
        "draft": draft,
        "form": show(visit, draft.share, refusal),
        "contact": show(visit, draft.contact, refusal.within(TYPED)),
        "share": share,
        "found": found,
        "silent": silent,
        "names": names,
        "preview": None,
        "trouble": None,
        "pasted": entries_of(str(visit.form.get("pasted", ""))),
        "missing": [],
        "unread": "",
        **more,
    }
    return Page("shares/form", values, refusal.status)


async def _withdrawal(visit: Visit, refusal: str = "") -> Page:
    stored = await visit.app.sharing.shares.read(visit.caller, visit.id)
    subscribers = await visit.app.sharing.shares.subscribers(visit.caller, visit.id)
    values = {
        "share": stored.value,
        "etag": stored.etag,
        "subscribers": subscribers,
        "errors": {"": refusal} if refusal else {},
    }
    return Page("shares/withdraw", values, 422 if refusal else 200)


async def _names(visit: Visit, users: list[str], groups: list[str]) -> dict[str, str]:
    """Return the names of people and groups; unknown ones are named by their ids."""
    known = await visit.names(users, EntryKind.USER) | await visit.names(groups, EntryKind.GROUP)
    return {id_: known.get(id_, id_) for id_ in (*users, *groups)}


async def _previewed(visit: Visit, share: ShareInput) -> dict[str, Any]:
    """Return a share's preview with the names of omitted people, or why there is none."""
    try:
        found: SharePreview = (
            await visit.app.insight.previews.share(visit.caller, share.id)
            if isinstance(share, Share)
            else await visit.app.insight.previews.share_draft(visit.caller, share)
        )
        unmatched = await visit.app.sharing.directory.unmatched(visit.caller, share.sources.filter)
    except CallerError:
        raise
    except ContactSyncError as error:
        return {"trouble": visit.trouble(error)}
    omitted, limited = by_inclusion(found.omissions)
    shown = [*omitted[:_OMISSIONS_SHOWN], *limited[:_OMISSIONS_SHOWN]]
    called = await visit.names([o.id for o in shown], EntryKind.USER)
    return {
        "preview": found,
        "omitted": omitted,
        "limited": limited,
        "most": _OMISSIONS_SHOWN,
        "unmatched": unmatched,
        "called": called,
    }
