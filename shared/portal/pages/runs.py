"""Pages that list and show runs, mailbox by mailbox, and let an admin review held changes."""

from collections.abc import Sequence
from typing import Any, Final

import azure.functions as func

from shared.adapters.storage.records import Listing
from shared.domain.errors import NeedsAdmin, TransientError
from shared.domain.importing.imports import Import
from shared.domain.importing.runs import Outcome, Run, by_inclusion
from shared.domain.reasons import INCLUDED, Reason
from shared.portal import rendering
from shared.portal.forms.filters import RUNS, RunsFilter
from shared.portal.forms.submitting import listed
from shared.portal.languages import LANGUAGES
from shared.portal.page_functions import page
from shared.portal.visits import File, Page, Visit, done
from shared.services.importing.runs import ResultPage
from shared.services.insight.result_files import Words
from shared.services.sharing.directory_search import EntryKind
from shared.web.admission import READERS, WRITERS
from shared.web.operations import DEFAULT_PAGE

bp = func.Blueprint()
_CHOICES: Final = 200


@page(bp, "GET", "runs", READERS)
async def show_runs(visit: Visit) -> Page:
    """List the runs, newest first, and their changes in the last 30 days."""
    stored_imports = await visit.app.importing.imports.search(visit.caller, "", _CHOICES, None)
    imports = [stored.value for stored in stored_imports.items]

    async def find(asked: RunsFilter) -> dict[str, Any]:
        found = await visit.app.importing.runs.page(
            visit.caller, DEFAULT_PAGE, asked.next, asked.import_id, asked.status, asked.since
        )
        runs = [stored.value for stored in found.items]
        return {
            "items": runs,
            "next": found.token,
            "history": await visit.app.insight.run_histories.read(visit.caller, asked.import_id),
            "names": await _names(visit, runs, imports),
        }

    choices = {"import": [(import_.id, import_.name) for import_ in imports]}
    return await listed(visit, "runs/list", RUNS.read(visit.query), find, choices)


@page(bp, "GET", "runs/{id}", READERS)
async def show_run(visit: Visit) -> Page:
    """Show a run: its progress or outcome, and each mailbox with its reason and remedy."""
    run = (await visit.app.importing.runs.read(visit.caller, visit.id)).value
    wanted, search = _filter(visit)
    outcome = str(wanted or "")
    given = visit.query.get("reason", "")
    reason = Reason(given) if given in list(Reason) and not search else None
    causes, counted = await visit.app.importing.runs.causes(visit.caller, run)
    values: dict[str, Any] = {
        "run": run,
        "import": (await _names(visit, [run])).get(run.import_id),
        "progress": await visit.app.importing.runs.progress(visit.caller, run),
        "stalled": await visit.app.importing.runs.stalled_since(visit.caller, run),
        "outcome": outcome,
        "reason": str(reason or ""),
        # One cause that is the whole run's stands above already.
        "causes": causes if [c.reason for c in causes] != [run.reason] else [],
        "counted": counted,
        "q": search,
        "token": visit.query.get("next", ""),
    }
    found, trouble = ResultPage(Listing((), None), {}), ""
    token = visit.query.get("next") or None
    if search:
        try:
            found = await visit.app.insight.finding.results(
                visit.caller, run.id, search, wanted, DEFAULT_PAGE, token
            )
        except (TransientError, NeedsAdmin) as error:
            trouble = visit.trouble(error)
    else:
        found = await visit.app.importing.runs.results(
            visit.caller, run.id, DEFAULT_PAGE, token, wanted, reason
        )
    results = [stored.value for stored in found.listing.items]
    omitted, limited = (people[:DEFAULT_PAGE] for people in by_inclusion(run.omissions))
    shown = [*omitted, *limited]
    called = await visit.names([o.id for o in shown], EntryKind.USER) if shown else {}
    mailboxes = {r.mailbox for r in results}.union(*(cause.mailboxes for cause in causes))
    values |= {
        "results": results,
        "addresses": found.addresses,
        "people": await visit.names(sorted(mailboxes), EntryKind.USER) if mailboxes else {},
        "next": found.listing.token,
        "matching": found.total,
        "whole": found.whole,
        "trouble": trouble,
    }
    unequal = [
        ("omitted", omitted, _count(run, included=False)),
        ("limited", limited, _count(run, included=True)),
    ]
    return Page("runs/run", {**values, "unequal": unequal, "called": called})


@page(bp, "GET", "runs/{id}/results.csv", READERS)
async def download_results(visit: Visit) -> Page:
    """Download the results of the page as CSV in its language.

    The delimiter is the one that spreadsheet programs expect in that language.
    """
    delimiter = LANGUAGES[visit.language].delimiter
    outcome, text = _filter(visit)
    content = await visit.app.insight.result_files.whole(
        visit.caller, visit.id, outcome, delimiter, text=text, words=_words(visit)
    )
    return Page(file=File("contact-sync-results.csv", "text/csv", content))


@page(bp, "GET", "runs/{id}/decide", WRITERS)
async def show_decision(visit: Visit) -> Page:
    """Show what a held run would change: the whole, the contacts, the mailboxes; and decide."""
    review = await visit.app.insight.held_reviews.read(visit.caller, visit.id)
    run, found = review.run, review.results
    values = {
        "run": run,
        "review": review,
        "import": (await _names(visit, [run])).get(run.import_id),
        "results": [stored.value for stored in found.listing.items],
        "addresses": found.addresses,
        "more": review.mailboxes > len(found.listing.items),
        "trouble": visit.trouble(review.trouble) if review.trouble else "",
    }
    return Page("runs/decide", values)


@page(bp, "POST", "runs/{id}/decide", WRITERS)
async def decide_run(visit: Visit) -> Page:
    """Approve or discard the held changes of a run."""
    path = f"/runs/{visit.id}"
    if visit.form.get("do") == "approve":
        visit.require_fresh()
        await visit.app.importing.decisions.approve(visit.caller, visit.id, visit.once())
        return done(path, visit.gettext("Approved. The sync continues."))
    await visit.app.importing.decisions.discard(visit.caller, visit.id, visit.once())
    words = visit.gettext(
        "Discarded. The contacts stay unchanged, and these changes are not shown for review again."
    )
    return done(path, words)


@page(bp, "POST", "runs/{id}/stop", WRITERS)
async def stop_sync(visit: Visit) -> Page:
    """Stop a run that is queued or running."""
    await visit.app.importing.runs.stop(visit.caller, visit.id)
    return done(
        f"/runs/{visit.id}",
        visit.gettext(
            "The sync is being stopped. Mailboxes in progress finish their current step."
        ),
    )


@page(bp, "POST", "runs/{id}/restart", WRITERS)
async def restart_sync(visit: Visit) -> Page:
    """Restart a run that stands still."""
    await visit.app.importing.runs.restart(visit.caller, visit.id)
    return done(f"/runs/{visit.id}", visit.gettext("The sync is being restarted."))


@page(bp, "POST", "runs/{id}/retry", WRITERS)
async def retry_failed(visit: Visit) -> Page:
    """Retry the failed mailboxes."""
    stored, _ = await visit.app.importing.decisions.retry(visit.caller, visit.id)
    return done(
        f"/runs/{stored.value.id}", visit.gettext("The failed mailboxes are being synced again.")
    )


def _count(run: Run, *, included: bool) -> int:
    return sum(n for reason, n in run.omitted.items() if (reason in INCLUDED) is included)


def _filter(visit: Visit) -> tuple[Outcome | None, str]:
    """Return the outcome and the text that filter the results."""
    outcome = visit.query.get("outcome", "")
    return Outcome(outcome) if outcome in list(Outcome) else None, visit.search


def _words(visit: Visit) -> Words:
    headings = {
        "address": visit.gettext("Mailbox"),
        "outcome": visit.gettext("Outcome"),
        "reason": visit.gettext("Cause"),
        "remedy": visit.gettext("Solution"),
        "created": visit.gettext("Created"),
        "updated": visit.gettext("Updated"),
        "deleted": visit.gettext("Deleted"),
        "unchanged": visit.gettext("Unchanged"),
        "photos": visit.gettext("Photos"),
        "rejected": visit.gettext("Rejected by Exchange"),
        "ended": visit.gettext("Ended"),
    }
    outcomes = rendering.words("outcomes", visit.language)
    return Words(
        headings,
        {code: called for code, (_, called) in outcomes.items()},
        rendering.words("reasons", visit.language),
        visit.error_texts.remedy,
    )


async def _names(visit: Visit, runs: list[Run], known: Sequence[Import] = ()) -> dict[str, str]:
    """Return the names of the runs' imports; deleted imports have none."""
    return await visit.app.insight.import_list.names(visit.caller, runs, known)
