"""Runs in a browser without scripts: what happened, why, and what an admin decides."""

import csv
import html
import io
import re

import pytest

from shared.domain.reasons import Reason
from shared.portal import rendering
from tests.end_to_end.browser import Browser
from tests.end_to_end.signed_in import HOSTILE, TYPED, browser_of, text_of
from tests.local.client import Client
from tests.world import World


async def test_run_shows_each_mailbox_with_its_reason(
    client: Client, world: World, ada: Browser
) -> None:
    await world.change(world.targets[0], mail=None)
    made = await world.import_((await world.share())["id"])

    listed = await ada.open("/runs")
    shown = await ada.open(f"/runs/{made['firstRun']}")

    assert made["firstRun"] in listed.text
    assert "Show as table" in listed.text
    assert "succeeded" in shown.title
    assert "partly" not in shown.title
    assert "No mailbox" in shown.text
    assert "data-live" not in shown.text
    assert str(world.users[world.targets[1]]["mail"]) in shown.text
    del client


async def test_retry_results_and_omissions_are_in_the_live_parts_of_a_run(
    client: Client, world: World, ada: Browser
) -> None:
    await client.fault(f"/users/{world.targets[0]}/contactFolders", {"status": 403}, times=1000)
    await world.change(world.people[0], mail=None, proxyAddresses=[])
    run = (await world.import_((await world.share())["id"], settle=False))["firstRun"]
    going = await ada.open(f"/runs/{run}")
    await client.settle()

    ended = await ada.open(f"/runs/{run}")

    assert 'data-live="3" data-with="said causes results omitted help"' in going.text
    for text in (going.text, ended.text):
        assert re.search(r'<form method="get" action="/runs/.*id="results"', text, re.DOTALL)
    assert re.search(r'id="progress".*/retry".*id="results"', ended.text, re.DOTALL)
    assert re.search(r'id="omitted">.*No email address', ended.text, re.DOTALL)
    assert ended.title != going.title
    assert "partly succeeded" in ended.title


async def test_runs_can_be_filtered(world: World, ada: Browser) -> None:
    made = await world.import_((await world.share())["id"])

    none = await ada.open("/runs?status=failed")
    some = await ada.open(f"/runs?status=succeeded&import={made['id']}&since=2026-01-01")
    wrong = await ada.open("/runs?status=odd&since=yesterday")
    early = await ada.open("/runs?since=0001-01-01")

    assert "No matching syncs" in none.text
    assert made["firstRun"] in some.text
    assert wrong.status == 400
    assert made["firstRun"] in early.text


@pytest.mark.parametrize("day", ["2026-02-30", "2026-2-3", "86400", "20260203"])
async def test_invalid_date_is_refused(ada: Browser, day: str) -> None:
    page = await ada.open(f"/runs?since={day}")

    assert page.status == 400
    assert "must be a date, such as 2026-11-23" in page.text


async def test_results_can_be_searched_by_name_and_outcome(world: World, ada: Browser) -> None:
    run = (await world.import_((await world.share())["id"]))["firstRun"]
    first, second = (world.users[t] for t in world.targets)

    by_name = await ada.open(f"/runs/{run}?q={first['mail']}")
    by_outcome = await ada.open(f"/runs/{run}?outcome=failed")

    assert str(first["mail"]) in by_name.text
    assert str(second["mail"]) not in by_name.text
    assert "No matching mailboxes" in by_outcome.text


async def test_open_run_shows_its_progress(client: Client, world: World, ada: Browser) -> None:
    share = await world.share()
    await client.fault(f"/users/{world.targets[0]}", {"status": 503}, times=1000)
    made = await world.import_(share["id"], settle=False)
    page = await ada.open(f"/runs/{made['firstRun']}")
    for _ in range(100):
        if "<progress" in page.text or "data-live" not in page.text:
            break
        page = await ada.open(f"/runs/{made['firstRun']}")
    assert "<progress" in page.text
    assert 'data-live="3"' in page.text
    assert 'http-equiv="refresh"' in page.text

    await client.clear_faults()
    await client.settle()

    assert "data-live" not in (await ada.open(f"/runs/{made['firstRun']}")).text


async def hold(world: World) -> str:
    """Return the id of a run that is held because its guard allows no deletions."""
    guard = {"deletes": 0, "deleteShare": 0}
    made = await world.import_((await world.share())["id"], guard=guard)
    await world.members(world.people[:2])
    await world.next_day()
    run = await world.last_run(made["id"])
    assert run["status"] == "held"
    return str(run["id"])


async def test_held_run_shows_its_plan_and_applies_it_when_approved(
    client: Client, world: World
) -> None:
    run = await hold(world)
    ada = await browser_of(client, world)
    path = f"/runs/{run}/decide"

    shown = await ada.open(f"/runs/{run}")
    asked = await ada.open(path)
    went = await ada.submit(asked, path, do="approve")
    await world.client.settle()

    assert "needs review" in shown.text
    assert "3 deleted" in shown.text
    assert f"/preview?mailbox={world.targets[0]}" in asked.text
    assert "If you approve, this sync removes 6 contacts from 2 mailboxes." in text_of(asked)
    assert "3 contacts to remove" in text_of(asked)
    left = {world.users[person]["displayName"] for person in world.people[2:]}
    assert all(name in asked.text for name in left)
    assert "The sync continues" in went.text
    assert len(await world.names(world.targets[0])) == 2


async def test_pages_explain_why_a_run_is_held(client: Client, world: World) -> None:
    run = await hold(world)
    ada = await browser_of(client, world)

    for path in ("/runs", f"/runs/{run}", f"/runs/{run}/decide"):
        assert "Why does a sync need a review?" in (await ada.open(path)).text, path


async def test_remedy_that_all_mailboxes_share_is_shown_once(client: Client, world: World) -> None:
    run = await hold(world)
    ada = await browser_of(client, world)

    shown = text_of(await ada.open(f"/runs/{run}"))

    assert shown.count("Too many deletions") == 1 + len(world.targets)
    assert shown.count("then approve or discard the") == 1


async def test_discarded_run_can_still_be_approved(client: Client, world: World) -> None:
    run = await hold(world)
    ada = await browser_of(client, world)
    path = f"/runs/{run}/decide"

    discarded = await ada.submit(await ada.open(path), path, do="discard")
    assert (await world.api.get(f"/runs/{run}"))["status"] == "discarded"
    assert "Undo" not in discarded.text, "what is removed is approved on its own page only"
    assert path in discarded.text
    await ada.submit(await ada.open(path), path, do="approve")
    await world.client.settle()

    assert len(await world.names(world.targets[0])) == 2


async def test_failed_mailboxes_can_be_retried(client: Client, world: World, ada: Browser) -> None:
    path = f"/users/{world.targets[0]}/"
    await client.fault(path, {"status": 403, "code": "ErrorAccessDenied"}, times=1000)
    made = await world.import_((await world.share())["id"])
    await client.clear_faults()
    page = await ada.open(f"/runs/{made['firstRun']}")
    refused = (await world.results(made["firstRun"]))[world.targets[0]]["refused"]
    one = await ada.open(f"/runs/{made['firstRun']}?outcome=failed&reason=access_denied")

    again = await ada.submit(page, f"/runs/{made['firstRun']}/retry")
    await client.settle()

    assert refused["status"] == 403
    for name in ("requestId", "clientRequestId"):
        assert refused[name]
        assert refused[name] in page.text
    causes = text_of(page).partition("Causes and solutions")[2]
    assert causes.startswith(" failed No access to the mailbox 1 mailbox")
    assert causes.count("No access to the mailbox") == 3, "the group, its link, and the row"
    assert text_of(page).count(rendering.error_texts("en").remedy(Reason.ACCESS_DENIED)) == 1
    assert "Person 5" in causes
    assert world.users[world.targets[0]]["mail"] in causes
    assert f"/find/{world.targets[1]}" not in one.text
    assert "Cause: No access to the mailbox" in text_of(one)
    assert "being synced again" in again.text
    assert "succeeded" in (await ada.open(again.path)).text


async def test_results_file_escapes_formulas(client: Client, world: World) -> None:
    await world.change(world.targets[0], mail="=cmd|x@example.com")
    made = await world.import_((await world.share())["id"])
    ada = await browser_of(client, world, language="de")

    got = await ada.open(f"/runs/{made['firstRun']}/results.csv")

    assert got.headers["content-type"].startswith("text/csv")
    assert "attachment" in got.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(got.text.removeprefix("\ufeff")), delimiter=";"))
    assert {row["outcome"] for row in rows} == {"succeeded"}
    assert any(row["Postfach"].startswith("'=") for row in rows)


@pytest.mark.parametrize(
    ("language", "delimiter", "heading", "told"),
    [("en", ",", "Outcome", "failed"), ("de", ";", "Ergebnis", "fehlgeschlagen")],
)
async def test_results_file_matches_the_page_and_its_language(
    client: Client, world: World, language: str, delimiter: str, heading: str, told: str
) -> None:
    await client.fault(f"/users/{world.targets[0]}/", {"status": 403}, times=1000)
    made = await world.import_((await world.share())["id"])
    await client.clear_faults()
    ada = await browser_of(client, world, language=language)

    async def rows_of(query: str) -> list[dict[str, str]]:
        page = await ada.open(f"/runs/{made['firstRun']}?{query}")
        (link,) = re.findall(r'href="(/runs/[^"]*/results.csv[^"]*)"', page.text)
        got = await ada.open(html.unescape(link))
        return list(
            csv.DictReader(io.StringIO(got.text.removeprefix("\ufeff")), delimiter=delimiter)
        )

    everything = await rows_of("")
    failed = await rows_of("outcome=failed")
    searched = await rows_of(f"q={world.users[world.targets[1]]['mail']}")

    assert {row["mailbox"] for row in everything} == set(world.targets)
    (row,) = failed
    assert (row["mailbox"], row["outcome"], row[heading]) == (world.targets[0], "failed", told)
    assert row["reason"] == "access_denied"
    remedy = rendering.error_texts(language).remedy(Reason.ACCESS_DENIED)
    assert remedy in row.values()
    # The words for people come first, the codes after them.
    assert list(searched[0].values())[1:4] == [
        rendering.words("outcomes", language)["succeeded"][1],
        "",
        "",
    ]
    assert [row["mailbox"] for row in searched] == [world.targets[1]]


async def test_reader_can_view_runs_but_not_decide(client: Client, world: World) -> None:
    run = await hold(world)
    rita = await browser_of(client, world, "Reader")

    shown = await rita.open(f"/runs/{run}")

    assert "decide" not in shown.text
    assert (await rita.open(f"/runs/{run}/decide")).status == 403
    assert (await rita.open(f"/runs/{run}/results.csv")).status == 200


async def test_hostile_names_are_shown_as_text(world: World, ada: Browser) -> None:
    await world.change(world.people[0], mail=None, proxyAddresses=[], displayName=HOSTILE)
    made = await world.import_((await world.share())["id"], name=TYPED)

    for path in ("/runs", f"/runs/{made['firstRun']}"):
        page = await ada.open(path)
        assert page.status == 200
        assert "<script>alert" not in page.text
        assert "&lt;script&gt;alert" in page.text


async def test_foreign_run_returns_404(partner: World, ada: Browser) -> None:
    run = (await partner.import_((await partner.share())["id"]))["firstRun"]

    for path in ("", "/decide", "/results.csv"):
        assert (await ada.open(f"/runs/{run}{path}")).status == 404
