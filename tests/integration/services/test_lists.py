"""Lists that are searched on the server, and the run history of 30 days."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from shared.adapters.entra.access_tokens import Caller
from shared.domain.errors import InvalidInput
from shared.domain.importing.imports import ImportInput, Targets
from shared.domain.importing.runs import ContactCounts, MailboxCounts, Run, RunStatus, RunTrigger
from shared.domain.importing.schedule import run_id
from shared.domain.sharing.shares import ShareInput, Sources
from shared.services.insight import run_history
from shared.wiring.app import App, utc_now
from tests.world import World


@pytest.fixture
def stranger() -> Caller:
    """An admin of a tenant that has nothing yet."""
    return Caller(str(uuid4()), "ada", "Ada", frozenset({"Admin"}))


def run(import_id: str, days_ago: float, created: int = 0, **more: Any) -> Run:
    when = utc_now() - timedelta(days=days_ago)
    counts: dict[str, Any] = {
        "status": RunStatus.SUCCEEDED,
        "contacts": ContactCounts(created=created),
        **more,
    }
    return Run(
        id=run_id(import_id, RunTrigger.REQUEST, when),
        import_id=import_id,
        trigger=RunTrigger.REQUEST,
        queued=when,
        **counts,
    )


async def keep(app: App, tenant: str, *runs: Run) -> None:
    await app.base.store.runs.write_many(tenant, {r.id: r for r in runs})


async def test_run_history_counts_thirty_days_of_all_imports_or_one(
    app: App, stranger: Caller
) -> None:
    lost: dict[str, Any] = {
        "status": RunStatus.PARTIAL,
        "mailboxes": MailboxCounts(total=3, failed=2),
    }
    await keep(
        app,
        stranger.tenant,
        run("one", 0, 5),
        run("one", 29, 7),
        run("two", 0, 1, **lost),
        run("one", 30, 100),
    )
    all_ = await app.insight.run_histories.read(stranger)
    assert len(all_.days) == 30
    assert all_.whole_since is None
    today, first = all_.days[-1], all_.days[0]
    assert (today.runs, today.created, today.failed) == (2, 6, 2)
    assert (first.runs, first.created) == (1, 7)
    assert sum(day.runs for day in all_.days) == 3
    one = await app.insight.run_histories.read(stranger, "two")
    assert [day.created for day in one.days if day.runs] == [1]


async def test_run_history_with_too_many_runs_counts_the_latest_and_says_since_when(
    app: App, stranger: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_history, "PAGES_READ", 1)
    await keep(app, stranger.tenant, *(run(f"i{n}", n % 12 + n / 9e4) for n in range(1_100)))
    found = await app.insight.run_histories.read(stranger)
    assert sum(day.runs for day in found.days) == 1_000
    assert found.whole_since is not None
    whole = [day for day in found.days if day.day >= found.whole_since]
    assert {day.runs for day in whole[1:-1]} <= {91, 92}
    assert len(whole) >= 10


async def test_runs_are_filtered_by_import_status_and_day(app: App, stranger: Caller) -> None:
    held = run("one", 1, status=RunStatus.HELD)
    await keep(app, stranger.tenant, run("one", 0), held, run("two", 1), run("one", 9))
    since = utc_now().date() - timedelta(days=1)
    assert len((await app.importing.runs.page(stranger, 50, None)).items) == 4
    assert len((await app.importing.runs.page(stranger, 50, None, since=since)).items) == 3
    found = await app.importing.runs.page(stranger, 50, None, "one", RunStatus.HELD, since)
    assert [stored.value for stored in found.items] == [held]


async def test_shares_are_found_by_part_of_their_name_and_paged_in_name_order(
    app: App, stranger: Caller
) -> None:
    for name in ("Zürich", "berlin", "Bern", "Hamburg"):
        wanted = ShareInput(name=name, sources=Sources(all_users=True))
        await app.sharing.shares.create(stranger, wanted, app.idempotency.once())
    listed = await app.sharing.shares.search(stranger, "", 3, None)
    assert [s.value.name for s in listed.items] == ["berlin", "Bern", "Hamburg"]
    assert listed.total == 4
    newest = await app.sharing.shares.search(stranger, "", 4, None, "-created")
    oldest = await app.sharing.shares.search(stranger, "", 4, None, "created")
    assert newest.items == oldest.items[::-1]
    with pytest.raises(InvalidInput):
        await app.sharing.shares.search(stranger, "", 3, listed.token, "created")
    rest = await app.sharing.shares.search(stranger, "", 3, listed.token)
    assert ([s.value.name for s in rest.items], rest.token) == (["Zürich"], None)
    found = await app.sharing.shares.search(stranger, " BER", 50, None)
    assert [s.value.name for s in found.items] == ["berlin", "Bern"]
    assert (await app.sharing.shares.search(stranger, "*", 50, None)).items == ()
    with pytest.raises(InvalidInput):
        await app.sharing.shares.search(stranger, "BER", 3, listed.token)


async def test_import_search_leaves_out_imports_that_are_being_removed(
    app: App, world: World, caller: Caller
) -> None:
    share = (await world.share())["id"]
    targets = Targets(users=world.targets)
    for name in ("Sales to all", "Board"):
        await app.importing.imports.create(
            caller,
            ImportInput(name=name, share_id=share, targets=targets),
            app.idempotency.once(),
        )
    await world.client.settle()
    (board,) = (await app.importing.imports.search(caller, "oar", 50, None)).items
    await app.importing.imports.remove(caller, board.value.id, None)
    left = await app.importing.imports.search(caller, "", 50, None)
    assert [s.value.name for s in left.items] == ["Sales to all"]
