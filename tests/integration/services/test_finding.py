"""Searches for people, mailboxes, results and seats, and a run's results as a file."""

import csv
import io
from functools import partial
from uuid import uuid4

import pytest

from shared.adapters.entra.access_tokens import Caller
from shared.domain.errors import InvalidInput, NotFound
from shared.domain.importing.runs import Outcome, Result
from shared.domain.reasons import Reason
from shared.services.insight import result_files
from shared.web.texts.errors import ENGLISH
from shared.wiring.app import App, utc_now
from tests.world import World, person


async def test_mailbox_shows_its_imports_with_last_results_and_its_seat(
    app: App, world: World, caller: Caller
) -> None:
    share = (await world.share())["id"]
    one = await world.import_(share, name="B", settle=False)
    two = await world.import_(share, name="A", targets={"users": world.targets[:1]})
    seen = await app.insight.finding.mailbox(caller, world.targets[0])
    assert seen.found is not None
    assert seen.found.name == "Person 5"
    assert [f.import_.id for f in seen.imports] == [two["id"], one["id"]]
    for filling in seen.imports:
        assert filling.contacts == 5
        assert filling.result is not None
        assert (filling.result.outcome, filling.result.contacts.created) == ("succeeded", 5)
    assert seen.seat is not None
    assert sorted(seen.seat.imports) == sorted([one["id"], two["id"]])
    other = await app.insight.finding.mailbox(caller, world.people[0])
    assert (other.seat, other.imports) == (None, ())


async def test_person_is_explained_in_one_mailbox_or_located_in_all(
    app: App, world: World, caller: Caller
) -> None:
    gone = person(70, accountEnabled=False)
    await world.client.change_tenant(world.tenant, users=[gone])
    await world.members([*world.people, gone["id"]])
    share = await world.share()
    made = await world.import_(share["id"])
    box, one = world.targets[0], world.people[0]
    there = await app.insight.finding.person(caller, one, box)
    assert there.found is not None
    assert [(e.import_.id, e.explanation and e.explanation.present) for e in there.explained] == [
        (made["id"], True)
    ]
    assert there.locations is None
    absent = await app.insight.finding.person(caller, gone["id"], box)
    assert [e.explanation and str(e.explanation.reason) for e in absent.explained] == ["disabled"]
    seen = await app.insight.finding.person(caller, f"u-{one}")
    assert seen.locations is not None
    assert [set(p.mailboxes) for p in seen.locations.places] == [set(world.targets)]
    assert seen.imports == {made["id"]: "Import"}
    assert seen.shares == {share["id"]: "People"}
    assert {f.name for f in seen.mailboxes.values()} == {"Person 5", "Person 6"}
    assert seen.found == there.found


async def test_failed_explanation_includes_its_error(
    app: App, world: World, caller: Caller
) -> None:
    await world.import_((await world.share())["id"])
    await world.client.fault("/transitiveMembers/", {"status": 403}, tenant=world.tenant)
    seen = await app.insight.finding.person(caller, world.people[0], world.targets[0])
    assert [(e.explanation, type(e.trouble).__name__) for e in seen.explained] == [
        (None, "NeedsAdmin")
    ]


async def test_results_and_seats_are_found_by_name_address_or_id(
    app: App, world: World, partner: World, caller: Caller
) -> None:
    made = await world.import_((await world.share())["id"])
    run = str((await world.last_run(made["id"]))["id"])
    first = world.targets[0]
    for text in ("Person 5", world.users[first]["mail"], first, first.upper()):
        found = await app.insight.finding.results(caller, run, text)
        assert [r.value.mailbox for r in found.listing.items] == [first]
        assert found.addresses == {first: world.users[first]["mail"]}
        seats = await app.insight.finding.seats(caller, text)
        assert [s.value.mailbox for s in seats.listing.items] == [first]
    assert len((await app.insight.finding.results(caller, run, "person")).listing.items) == 2
    failed = await app.insight.finding.results(caller, run, "person", Outcome.FAILED)
    assert failed.listing.items == ()
    await world.client.delete_user(world.tenant, first)
    assert len((await app.insight.finding.results(caller, run, first)).listing.items) == 1
    with pytest.raises(NotFound):
        await app.insight.finding.results(
            Caller(partner.tenant, "x", "X", frozenset({"Admin"})), run, "person"
        )


async def test_search_looks_through_the_list_and_not_through_the_first_ten_of_the_directory(
    app: App, world: World, caller: Caller
) -> None:
    made = await world.import_((await world.share())["id"])
    run = str((await world.last_run(made["id"]))["id"])
    others = [person(number, displayName=f"Adam Person {number}") for number in range(100, 130)]
    await world.client.change_tenant(world.tenant, users=others)
    finding = app.insight.finding
    first = await finding.results(caller, run, "Person", size=1)
    second = await finding.results(caller, run, "person ", None, 1, first.listing.token)
    shown = [r.value.mailbox for page in (first, second) for r in page.listing.items]
    assert (sorted(shown), second.listing.token) == (sorted(world.targets), None)
    assert (first.total, first.whole) == (2, True)
    seats = await finding.seats(caller, "person", 1)
    assert (len(seats.listing.items), seats.total) == (1, 2)
    with pytest.raises(InvalidInput):
        await finding.seats(caller, "adam", 1, seats.listing.token)
    await world.client.change_tenant(
        world.tenant, users=[person(n, displayName=f"Person {n}") for n in range(1_000, 2_000)]
    )
    assert not (await finding.seats(caller, "person")).whole


async def test_mailboxes_that_failed_are_grouped_by_cause_and_listed_by_it(
    app: App, world: World, caller: Caller
) -> None:
    made = await world.import_((await world.share())["id"])
    run = (await app.importing.runs.read(caller, str(made["firstRun"]))).value
    assert await app.importing.runs.causes(caller, run) == ([], True)
    unequal = [
        (Outcome.SKIPPED, Reason.NO_SEAT),
        *[(Outcome.FAILED, Reason.ACCESS_DENIED)] * 2,
        *[(Outcome.FAILED, Reason.GAVE_UP)] * 7,
    ]
    rows = [
        Result(mailbox=str(uuid4()), outcome=outcome, reason=reason, ended=utc_now())
        for outcome, reason in unequal
    ]
    partition = f"{caller.tenant}|{run.id}"
    await app.base.store.results.write_many(partition, {r.mailbox: r for r in rows})
    failed = run.copy_with(mailboxes=run.mailboxes.copy_with(failed=9, skipped=1))

    causes, whole = await app.importing.runs.causes(caller, failed)
    gave_up = (Outcome.FAILED, Reason.GAVE_UP)
    page = await app.importing.runs.results(caller, run.id, 2, None, *gave_up)
    rest = await app.importing.runs.results(caller, run.id, 50, page.listing.token, *gave_up)

    assert whole
    assert [(c.reason, c.count, len(c.mailboxes)) for c in causes] == [
        (Reason.GAVE_UP, 7, 5),
        (Reason.ACCESS_DENIED, 2, 2),
        (Reason.NO_SEAT, 1, 1),
    ]
    assert (len(page.listing.items), len(rest.listing.items)) == (2, 5)
    assert {r.value.reason for r in rest.listing.items} == {Reason.GAVE_UP}


async def test_result_file_contains_all_pages_up_to_the_row_limit(
    app: App, world: World, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await world.import_((await world.share())["id"])
    run = str((await world.last_run(made["id"]))["id"])
    more = [
        Result(mailbox=str(uuid4()), outcome=Outcome.FAILED, reason=Reason.GAVE_UP, ended=utc_now())
        for _ in range(3)
    ]
    await app.base.store.results.write_many(f"{caller.tenant}|{run}", {r.mailbox: r for r in more})
    monkeypatch.setattr(result_files, "_PAGE", 2)
    words = result_files.Words(
        {name: f"{name} in words" for name in result_files._PEOPLE},
        {str(outcome): str(outcome) for outcome in Outcome},
        {str(reason): str(reason) for reason in Reason},
        ENGLISH.remedy,
    )
    whole = partial(app.insight.result_files.whole, words=words)
    raw = await whole(caller, run)
    assert raw.startswith(b"\xef\xbb\xbfaddress in words,outcome in words,reason in words")
    assert b",mailbox,outcome,reason,graphRequests," in raw
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    assert {r["mailbox"] for r in rows} == {*world.targets, *(r.mailbox for r in more)}
    filled = next(r for r in rows if r["mailbox"] == world.targets[0])
    assert (filled["address in words"], filled["created in words"]) == (
        world.users[world.targets[0]]["mail"],
        "5",
    )
    failed = await whole(caller, run, Outcome.FAILED, ";")
    assert failed.count(b"\r\n") == 4
    assert b";gave_up;The mailbox could not" in failed
    monkeypatch.setattr(result_files, "MAX_ROWS", 2)
    assert (await whole(caller, run)).count(b"\r\n") == 3
    with pytest.raises(NotFound):
        await whole(caller, "none")
