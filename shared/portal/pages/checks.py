"""The page of the tenant's own check: its form, its progress and its result."""

import re
from typing import Any

import azure.functions as func

from shared.domain.error_codes import Code
from shared.domain.errors import FieldError, InvalidInput, NotFound
from shared.domain.model import GUID
from shared.domain.tenancy.tenant_checks import PERMISSION_OF, CheckInput, TenantCheck
from shared.portal.forms.short_forms import CHECK, CheckedMailboxes
from shared.portal.forms.showing import Refusal, show
from shared.portal.forms.submitting import submit
from shared.portal.forms.tables import Draft
from shared.portal.page_functions import page
from shared.portal.visits import Page, Visit, done
from shared.services.sharing.directory_search import EntryKind
from shared.web.admission import READERS, WRITERS

bp = func.Blueprint()
_PATH = "/settings/check"


@page(bp, "GET", "settings/check", READERS)
async def show_check(visit: Visit) -> Page:
    """Show the last check of the organization, and the form that starts one."""
    return await _shown(visit)


@page(bp, "POST", "settings/check", WRITERS)
async def start_check(visit: Visit) -> Page:
    """Start a check, or go on with the one under way."""
    draft = CHECK.read(visit.form)

    async def save() -> Page:
        typed = draft.input()
        wanted = CheckInput(
            mailbox=await _user(visit, "mailbox", typed.mailbox),
            outside=await _user(visit, "outside", typed.outside),
        )
        await visit.app.checks.tenant_checks.start(visit.caller, wanted, visit.once())
        return done(_PATH, visit.gettext("The check has started. It takes about a minute."))

    async def again(filled: Draft[Any], refusal: Refusal) -> Page:
        return await _shown(visit, filled, refusal)

    return await submit(visit, draft, save=save, show=again)


async def _user(visit: Visit, field: str, text: str | None) -> str | None:
    """Return the object id of the user with an address; an id is taken as it is.

    Raises `InvalidInput` if no user, or more than one, has the address.
    """
    if not text or re.fullmatch(GUID, text):
        return text or None
    users = await visit.app.sharing.directory.find(visit.caller, text, (EntryKind.USER,))
    found = [user.id for user in users if user.address.casefold() == text.casefold()]
    if len(found) != 1:
        code: Code = "address_unknown"
        raise InvalidInput.of(FieldError(field, code))
    return found[0]


async def _shown(
    visit: Visit,
    draft: Draft[CheckedMailboxes] | None = None,
    refusal: Refusal | None = None,
) -> Page:
    refusal, check = refusal or Refusal(), await _last(visit)
    under_way = check is not None and check.under_way(visit.app.clock())
    mailboxes = [m for m in (check.tested, check.outside) if m] if check is not None else []
    people = await visit.names([check.by], EntryKind.USER) if check is not None else {}
    values = {
        "form": show(visit, draft or CHECK.blank(), refusal),
        "check": check,
        "under_way": under_way,
        "addresses": await visit.addresses(mailboxes),
        "by": people.get(check.by, check.by) if check is not None else "",
        "permissions_of": PERMISSION_OF,
        "client_id": visit.app.settings.client_id,
    }
    return Page("settings/check", values, refusal.status)


async def _last(visit: Visit) -> TenantCheck | None:
    try:
        return await visit.app.checks.tenant_checks.read(visit.caller)
    except NotFound:
        return None
