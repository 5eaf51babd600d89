"""Pages of the organization: its consent, roles, audit log, export, and leaving."""

import re
from datetime import UTC, date, datetime
from typing import Any, Final

import azure.functions as func
import orjson

from shared.adapters.storage.records import Stored
from shared.domain.errors import NeedsAdmin, TransientError
from shared.domain.tenancy.permissions import PERMISSIONS, covers, mailbox_access
from shared.domain.tenancy.tenants import Tenant, TenantInput
from shared.portal import rendering
from shared.portal.forms.filters import AUDIT, AuditFilter
from shared.portal.forms.short_forms import COMPANY, LEAVING, LeavingInput
from shared.portal.forms.showing import Refusal, show
from shared.portal.forms.submitting import listed, submit
from shared.portal.forms.tables import Draft
from shared.portal.languages import LANGUAGES
from shared.portal.page_functions import page
from shared.portal.sessions import Undo
from shared.portal.visits import File, Page, Visit, done
from shared.services.insight.audit_log import AuditWords
from shared.services.tenancy.ledger import LedgerFilter
from shared.services.tenancy.tenants import ConsentMissing
from shared.web.admission import READERS, WRITERS
from shared.web.operations import DEFAULT_PAGE

bp = func.Blueprint()
_PART: Final = 5_000
_AT_ONCE: Final = 500


@page(bp, "GET", "settings", READERS)
async def show_settings(visit: Visit) -> Page:
    """Show the organization: its name, region, consent, roles, and the help."""
    return await _settings(visit)


@page(bp, "POST", "settings", WRITERS, again=True)
async def change_settings(visit: Visit) -> Page:
    """Rename the organization, check its consent, or open or close the help page."""
    if visit.do == "open-help":
        await visit.app.tenancy.help_pages.renew(visit.caller)
        words = visit.gettext("The help page has a new link. Send it to your employees.")
        return done("/settings#help-page", words)
    if visit.do == "close-help":
        await visit.app.tenancy.help_pages.close(visit.caller)
        return done("/settings#help-page", visit.gettext("The help page is closed."))
    if visit.do == "check":
        try:
            await visit.app.tenancy.tenants.verify_consent(visit.caller)
        except (ConsentMissing, NeedsAdmin, TransientError) as error:
            return await _settings(visit, trouble=visit.trouble(error))
        return done("/settings", visit.gettext("The consent is valid."))
    draft = COMPANY.read(visit.form)
    if not visit.do:
        return await _settings(visit, draft)

    async def latest() -> Stored[Tenant]:
        return await visit.app.tenancy.tenants.read(visit.caller.tenant)

    async def save() -> Page:
        wanted = draft.input().name
        before = (await latest()).value.name
        await visit.app.tenancy.tenants.rename(visit.caller, wanted, draft.etag or None)
        undo = Undo("/settings", {"do": "rename", "name": before}) if before else None
        words = visit.gettext("Partners see the new name from now on.")
        return done("/settings", words, undo=undo)

    async def again(filled: Draft[Any], refusal: Refusal) -> Page:
        return await _settings(visit, filled, refusal)

    return await submit(visit, draft, save=save, show=again, latest=latest)


@page(bp, "GET", "settings/audit", READERS)
async def show_audit(visit: Visit) -> Page:
    """Show the audit log, newest first."""

    async def find(asked: AuditFilter) -> dict[str, Any]:
        found = await visit.app.insight.audit_log.page(
            visit.caller, DEFAULT_PAGE, asked.next, _wanted(asked)
        )
        return {"items": found.entries, "names": found.names, "next": found.token}

    return await listed(visit, "settings/audit", AUDIT.read(visit.query), find)


@page(bp, "GET", "settings/audit.csv", READERS)
async def download_audit(visit: Visit) -> Page:
    """Download the entries of the audit log that the filter of the page shows, as CSV."""
    words = rendering.words
    headings = {
        "when": visit.gettext("When"),
        "who": visit.gettext("Who"),
        "action": visit.gettext("What"),
        "origin": visit.gettext("Origin"),
        "network": visit.gettext("Network"),
        "done": visit.gettext("Finished"),
    }
    content = await visit.app.insight.audit_log.file(
        visit.caller,
        _wanted(AUDIT.read(visit.query).input()),
        LANGUAGES[visit.language].delimiter,
        AuditWords(
            headings,
            words("actions", visit.language),
            words("origins", visit.language),
            visit.gettext("yes"),
            visit.gettext("no"),
        ),
    )
    return Page(file=File("contact-sync-audit-log.csv", "text/csv", content))


def _wanted(asked: AuditFilter) -> LedgerFilter:
    return LedgerFilter(
        action=asked.kind,
        actor=asked.actor,
        since=_start_of(asked.since),
        until=_start_of(asked.until),
    )


def _start_of(day: date | None) -> datetime | None:
    return None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC)


@page(bp, "GET", "settings/export", WRITERS)
async def show_export(visit: Visit) -> Page:
    """Show the parts of the export.

    The start of the next part is known once this one is read. Parts keep each file small enough for
    a worker's memory.
    """
    part, number = visit.query.get("part", ""), _part_number(visit)
    rows, token = await _part(visit, part)
    first = (number - 1) * _PART + 1
    values = {
        "part": part,
        "number": number,
        "first": first,
        "last": first + len(rows) - 1,
        "next": token,
    }
    return Page("settings/export", values)


@page(bp, "GET", "settings/export.json", WRITERS)
async def download_export(visit: Visit) -> Page:
    """Download one part of the export, row by row; `next` is the start of the following part."""
    rows, token = await _part(visit, visit.query.get("part", ""))
    content = {"tenant": visit.caller.tenant, "items": rows, "next": token}
    body = orjson.dumps(content, option=orjson.OPT_INDENT_2)
    name = f"contact-sync-part-{_part_number(visit)}.json"
    return Page(file=File(name, "application/json", body))


async def _part(visit: Visit, part: str) -> tuple[list[dict[str, Any]], str | None]:
    """Return the rows of a part, and the start of the next one."""
    token: str | None = part or None
    rows: list[dict[str, Any]] = []
    while len(rows) < _PART:
        size = min(_AT_ONCE, _PART - len(rows))
        found = await visit.app.privacy.exports.page(visit.caller, size, token)
        rows += [
            {"table": h.table, "partition": h.partition, "row": h.row, "value": h.value}
            for h in found.items
        ]
        token = found.token
        if token is None:
            break
    return rows, token


def _part_number(visit: Visit) -> int:
    """Return the number of the part; it is only for display."""
    given = visit.query.get("number", "")
    return max(1, int(given)) if re.fullmatch(r"[0-9]{1,6}", given) else 1


@page(bp, "GET", "settings/leave", WRITERS, leaving=True)
async def show_leaving(visit: Visit) -> Page:
    """Show what leaving removes, and the form that confirms it."""
    return await _leaving(visit)


@page(bp, "POST", "settings/leave", WRITERS, leaving=True, fresh=True)
async def leave(visit: Visit) -> Page:
    """Ask to leave Contact Sync, or confirm that as a second admin, with the tenant ID."""
    draft = LEAVING.read(visit.form)

    async def save() -> Page:
        code, tenant = draft.text("code"), draft.text("tenant").strip()
        await visit.app.privacy.departures.ask(visit.caller, code, tenant)
        words = visit.gettext("Your request to leave Contact Sync is recorded.")
        return done("/", words)

    async def again(filled: Draft[Any], refusal: Refusal) -> Page:
        return await _leaving(visit, filled, refusal)

    return await submit(visit, draft, save=save, show=again)


@page(bp, "POST", "settings/stay", WRITERS, leaving=True)
async def stay(visit: Visit) -> Page:
    """Take back the wish to leave."""
    await visit.app.privacy.departures.stay(visit.caller, visit.once())
    return done("/", visit.gettext("Your organization stays with Contact Sync."))


async def _settings(
    visit: Visit,
    draft: Draft[TenantInput] | None = None,
    refusal: Refusal | None = None,
    trouble: str = "",
) -> Page:
    stored = await visit.app.tenancy.tenants.read(visit.caller.tenant)
    tenant, refusal = stored.value, refusal or Refusal()
    granted = [(p, covers(tenant.permissions, p)) for p in PERMISSIONS]
    draft = draft or COMPANY.of_json({"name": tenant.name}, stored.etag)
    values = {
        "form": show(visit, draft, refusal),
        "tenant": tenant,
        "granted": granted,
        "access": mailbox_access(tenant.permissions),
        "client_id": visit.app.settings.client_id,
        "roles": sorted(visit.caller.roles),
        "trouble": trouble,
        "help_page": (
            f"{visit.app.settings.portal_origin}/help/{tenant.id}/{tenant.help_key}"
            if tenant.help_key
            else ""
        ),
    }
    return Page("settings/settings", values, 422 if trouble else refusal.status)


async def _leaving(
    visit: Visit, draft: Draft[LeavingInput] | None = None, refusal: Refusal | None = None
) -> Page:
    preview, refusal = await visit.app.privacy.leaving.preview(visit.caller), refusal or Refusal()
    # The code confirms what the page shows.
    now = (draft or LEAVING.blank()).typed(code=preview.code)
    told = visit.gettext("To confirm, enter the tenant ID of your organization: %(id)s")
    helps = {"tenant": told % {"id": visit.caller.tenant}}
    values = {
        "form": show(visit, now, refusal, helps=helps),
        "preview": preview,
        "tenant": visit.tenant,
        "hours": visit.app.settings.leaving_hours,
    }
    return Page("settings/leave", values, refusal.status)
