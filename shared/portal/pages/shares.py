"""Pages: publishing shares, who imports them, and withdrawing them."""

from collections.abc import Awaitable, Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any, Final

import azure.functions as func

from shared.domain.contacts.fields import PUBLISHABLE
from shared.domain.errors import CallerError, ContactSyncError, PreconditionFailed
from shared.domain.importing.runs import Omission
from shared.domain.sharing.shares import FILTER_ATTRIBUTES, Share, ShareInput
from shared.portal.forms.share_form import MANUAL_FIELDS, ShareForm
from shared.portal.page_functions import page
from shared.portal.sessions import Undo
from shared.portal.visits import Page, Visit, done
from shared.services.insight.previews import SharePreview
from shared.services.sharing.directory_search import Kind
from shared.web.admission import READERS, WRITERS
from shared.web.operations import DEFAULT_PAGE
from shared.wiring.app import new_id

bp = func.Blueprint()
_LEFT_OUT: Final = 50
_FIELDS: Final = {"access": "rule", "access.tenants": "tenants", "access.expires": "expires"}
"""The fields of the form that the JSON paths of a share mean, where the two differ."""

type Save = Callable[[ShareForm, ShareInput], Awaitable[Page]]


@page(bp, "GET", "shares", READERS)
async def show_shares(visit: Visit) -> Page:
    """The company's shares, by name."""
    wanted = visit.query.get("q", "").strip()
    token = visit.query.get("next") or None
    found = await visit.app.sharing.shares.search(visit.caller, wanted, DEFAULT_PAGE, token)
    shares = [stored.value for stored in found.items]
    counts = await visit.app.sharing.shares.counts(visit.caller, [share.id for share in shares])
    values = {"shares": shares, "counts": counts, "q": wanted, "next": found.token}
    return Page("shares/list", values)


@page(bp, "GET", "shares/new", WRITERS)
async def show_new_share(visit: Visit) -> Page:
    """The form for a new share."""
    return await _form(visit, ShareForm(key=new_id()))


@page(bp, "POST", "shares/new", WRITERS, again=True)
async def publish_share(visit: Visit) -> Page:
    """Look at, or publish, a new share."""

    async def save(form: ShareForm, wanted: ShareInput) -> Page:
        made = await visit.app.sharing.shares.create(visit.caller, wanted, form.key or None)
        return done(f"/shares/{made.value.id}", visit.gettext("The share is published."))

    return await _sent(visit, save)


@page(bp, "GET", "shares/{id}", READERS)
async def show_share(visit: Visit) -> Page:
    """A share: its id, whom it holds, who may import it, and who does."""
    stored = await visit.app.sharing.shares.read(visit.caller, visit.id)
    share = stored.value
    ends = share.access.expires
    values = {
        "share": share,
        "expired": ends is not None and ends <= visit.app.clock(),
        "consumers": await visit.app.sharing.shares.consumers(visit.caller, visit.id),
        "names": await _names(visit, share.sources.users, [g.id for g in share.sources.groups]),
        "preview": None,
        "trouble": None,
    }
    if "preview" in visit.query:
        values |= await _previewed(visit, share)
    return Page("shares/share", values)


@page(bp, "GET", "shares/{id}/edit", WRITERS)
async def show_share_form(visit: Visit) -> Page:
    """The form of a share that is published."""
    stored = await visit.app.sharing.shares.read(visit.caller, visit.id)
    return await _form(visit, ShareForm.of(stored.value, stored.etag), stored.value)


@page(bp, "POST", "shares/{id}/edit", WRITERS, again=True)
async def edit_share(visit: Visit) -> Page:
    """Look at, or make, changes of a share."""
    share = (await visit.app.sharing.shares.read(visit.caller, visit.id)).value

    async def save(form: ShareForm, wanted: ShareInput) -> Page:
        await visit.app.sharing.shares.change(
            visit.caller, visit.id, lambda _: wanted, form.etag or None
        )
        words = visit.gettext("The share is changed. Each import of it follows with its next run.")
        return done(f"/shares/{visit.id}", words)

    return await _sent(visit, save, share)


@page(bp, "GET", "shares/{id}/withdraw", WRITERS)
async def show_withdrawal(visit: Visit) -> Page:
    """What withdrawing a share means, and for whom."""
    stored = await visit.app.sharing.shares.read(visit.caller, visit.id)
    consumers = await visit.app.sharing.shares.consumers(visit.caller, visit.id)
    values = {"share": stored.value, "etag": stored.etag, "consumers": consumers}
    return Page("shares/withdraw", values)


@page(bp, "POST", "shares/{id}/withdraw", WRITERS)
async def withdraw_share(visit: Visit) -> Page:
    """Withdraw a share."""
    await visit.app.sharing.shares.withdraw(visit.caller, visit.id, visit.form.get("etag") or None)
    words = visit.gettext(
        "The share is withdrawn. The next run of each import of it removes its contacts."
    )
    return done("/shares", words)


@page(bp, "GET", "shares/{id}/rotate", WRITERS)
async def show_rotation(visit: Visit) -> Page:
    """What a new id means, and the choice of who may stay."""
    stored = await visit.app.sharing.shares.read(visit.caller, visit.id)
    consumers = await visit.app.sharing.shares.consumers(visit.caller, visit.id)
    others = [c for c in consumers if c.tenant != visit.caller.tenant]
    return Page("shares/rotate", {"share": stored.value, "consumers": others})


@page(bp, "POST", "shares/{id}/rotate", WRITERS)
async def give_new_id(visit: Visit) -> Page:
    """Give a share a new id."""
    keep = [str(tenant) for tenant in visit.form.getlist("keep")]
    made = await visit.app.sharing.shares.rotate(visit.caller, visit.id, keep)
    words = visit.gettext("The share has a new id. Nobody new can import with the old one.")
    return done(f"/shares/{made.value.id}", words)


@page(bp, "GET", "shares/{id}/consumers/{tenant}", WRITERS)
async def show_consumer(visit: Visit) -> Page:
    """What shutting a partner out means."""
    stored = await visit.app.sharing.shares.read(visit.caller, visit.id)
    tenant = visit.segment("tenant")
    consumers = await visit.app.sharing.shares.consumers(visit.caller, visit.id)
    found = next((c for c in consumers if c.tenant == tenant), None)
    blocked = tenant in stored.value.blocked
    values = {"share": stored.value, "tenant": tenant, "consumer": found, "blocked": blocked}
    return Page("shares/consumer", values)


@page(bp, "POST", "shares/{id}/consumers/{tenant}", WRITERS)
async def admit_or_block_consumer(visit: Visit) -> Page:
    """Shut a partner out of a share, or let it in again."""
    tenant, path = visit.segment("tenant"), f"/shares/{visit.id}"
    here = f"{path}/consumers/{tenant}"
    if visit.form.get("do") == "admit":

        def admitted(share: ShareInput) -> ShareInput:
            left = [each for each in share.blocked if each != tenant]
            return share.copy_with(blocked=left)

        await visit.app.sharing.shares.change(visit.caller, visit.id, admitted, None)
        words = visit.gettext("The partner may import the share again.")
        return done(path, words, undo=Undo(here, {"do": "block"}))
    await visit.app.sharing.shares.block(visit.caller, visit.id, tenant)
    words = visit.gettext("The partner is shut out: its next run removes the contacts.")
    return done(path, words, undo=Undo(here, {"do": "admit"}))


async def _sent(visit: Visit, save: Save, share: Share | None = None) -> Page:
    """What a form's button asks for: a search, a change of the form, a preview, or to save."""
    form = ShareForm.read(visit.form)
    do = visit.do
    if do == "enter":
        do = "save" if form.search == form.searched else "search"
    try:
        if not do or form.act(do):
            return await _form(visit, form, share)
        if do == "preview":
            return await _looked_at(visit, form, share)
        return await save(form, form.input())
    except PreconditionFailed as error:
        stored = await visit.app.sharing.shares.read(visit.caller, visit.id)
        form.etag = stored.etag
        return await _form(visit, form, share, error=error, meanwhile=stored.value)
    except CallerError as error:
        return await _form(visit, form, share, error=error)


async def _looked_at(visit: Visit, form: ShareForm, share: Share | None) -> Page:
    """The form with a preview of what it says; a share's name may still be missing."""
    draft = replace(deepcopy(form), name=form.name.strip() or "-")
    try:
        shown = await _previewed(visit, draft.input())
    except CallerError as error:
        return await _form(visit, form, share, error=error, trouble=visit.trouble(error))
    return await _form(visit, form, share, **shown)


async def _form(
    visit: Visit,
    form: ShareForm,
    share: Share | None = None,
    *,
    error: CallerError | None = None,
    **more: Any,
) -> Page:
    found, silent = [], ""
    if form.search.strip() and visit.wants("results"):
        try:
            kinds = [Kind.GROUP, Kind.USER]
            found = await visit.app.sharing.directory.find(visit.caller, form.search, kinds)
        except ContactSyncError as away:
            silent = visit.trouble(away)
    names = {}
    if visit.wants("chosen", "left-out"):
        names = await _names(visit, [*form.users, *form.exclude], list(form.groups))
    values: dict[str, Any] = {
        "form": form,
        "share": share,
        "found": found,
        "silent": silent,
        "names": names,
        "attributes": FILTER_ATTRIBUTES,
        "publishable": PUBLISHABLE,
        "hand_kept": MANUAL_FIELDS,
        "preview": None,
        "trouble": None,
        "meanwhile": None,
        "errors": {_FIELDS.get(path, path): text for path, text in visit.wrong(error).items()},
        **more,
    }
    return Page("shares/form", values, status=422 if error is not None else 200)


async def _names(visit: Visit, users: list[str], groups: list[str]) -> dict[str, str]:
    """What the directory calls people and groups; ids stand for those it does not know."""
    known = await visit.names(users, Kind.USER) | await visit.names(groups, Kind.GROUP)
    return {id_: known.get(id_, id_) for id_ in (*users, *groups)}


async def _previewed(visit: Visit, share: ShareInput) -> dict[str, Any]:
    """A share's preview with the names of those left out; or why there is none."""
    try:
        found: SharePreview = (
            await visit.app.insight.previews.share(visit.caller, share.id)
            if isinstance(share, Share)
            else await visit.app.insight.previews.share_draft(visit.caller, share)
        )
    except CallerError:
        raise
    except ContactSyncError as error:
        return {"trouble": visit.trouble(error)}
    left_out: list[Omission] = list(found.omissions[:_LEFT_OUT])
    called = await visit.names([o.id for o in left_out], Kind.USER)
    return {"preview": found, "left_out": left_out, "called": called}
