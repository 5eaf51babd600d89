"""The portal's pages: the server's time against a bare trigger's, and what a first visit loads.

Each page is asked for by the admin of a small company and by that of a large one, whose rows are
put straight into the tables; in the same rounds, so that all meet the same machine.
"""

import re
import time
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urljoin

import aiohttp

from shared.adapters.storage.import_rows import insert_import
from shared.adapters.storage.store import OWNER_ROW, TENANT_ROW, results_of
from shared.domain.importing.imports import Import, Targets
from shared.domain.importing.runs import (
    ContactCounts,
    MailboxCounts,
    Outcome,
    Result,
    Run,
    RunStatus,
    RunTrigger,
)
from shared.domain.importing.schedule import newest_first, run_id
from shared.domain.reasons import Reason
from shared.domain.tenancy.tenants import LedgerEntry, Seat
from shared.wiring.app import App, new_id
from tests.end_to_end.browser import Browser
from tests.local.client import Client
from tests.local.cloud import LocalCloud
from tests.performance.engine import Engine, new_tenant
from tests.portal.browser.signing_in import account
from tests.portal.pages import PAGES, Look
from tests.world import World, person

SMALL, LARGE = 50, 10_000
MOST_BYTES = 150_000
_ROUNDS, _WARM = 40, 1
_ENOUGH = 4.0
"""Seconds after which a slow page has been requested often enough."""
_DAYS = 30
_LINKS = re.compile(r'<(?:link|script|img)\b[^>]*?(?:href|src)="([^"]+)"')


@dataclass(slots=True)
class Company:
    """A company whose admin is signed in, and the ids that its pages name."""

    ids: dict[str, str]
    browser: Browser
    seconds: dict[str, list[float]] = field(default_factory=dict)


async def pages(cloud: LocalCloud, engine: Engine) -> dict[str, Any]:
    """For each page the 95th percentile as a multiple of the bare trigger's, and its bytes."""
    looks = [look for look in PAGES if look.prepare is None]
    companies = {
        "small": await company(cloud.client, engine.app, SMALL),
        "large": await company(cloud.client, engine.app, LARGE),
    }
    bare: list[float] = []
    portal = cloud.addresses["portal"]
    async with aiohttp.ClientSession() as session:
        for number in range(_WARM + _ROUNDS):
            counted = number >= _WARM
            _, seconds = await ask(session, f"{cloud.addresses['portal']}/api/health", {}, 200)
            bare += [seconds] * counted
            for each in companies.values():
                for look in looks:
                    known = each.seconds.setdefault(look.name, [])
                    if sum(known) > _ENOUGH:
                        continue
                    path = urljoin(portal, look.at(each.ids))
                    _, seconds = await ask(session, path, headers(look, each), look.status)
                    known += [seconds] * counted
        weights = {look.name: await _weight(session, portal, look, companies) for look in looks}
    usual = _p95(bare)
    found: dict[str, Any] = {
        look.name: {
            **{
                size: round(_p95(each.seconds[look.name]) / usual, 2)
                for size, each in companies.items()
            },
            "bytes": weights[look.name],
        }
        for look in looks
    }
    return {"portal": found, "portal_bare_ms": round(usual * 1000, 2)}


async def ask(
    session: aiohttp.ClientSession, url: str, headers: dict[str, str], status: int
) -> tuple[str, float]:
    """The answer's text, and how many seconds it took."""
    started = time.perf_counter()
    async with session.get(url, headers=headers, allow_redirects=False) as answer:
        text = await answer.text()
    if answer.status != status:
        raise AssertionError(f"{url}: {answer.status}, not {status}")
    return text, time.perf_counter() - started


def headers(look: Look, company: Company) -> dict[str, str]:
    if not look.signed_in:
        return {}
    return {"Cookie": "; ".join(f"{n}={v}" for n, v in company.browser.cookies.items())}


def _p95(seconds: list[float]) -> float:
    return sorted(seconds)[int(len(seconds) * 0.95)]


async def _weight(
    session: aiohttp.ClientSession, portal: str, look: Look, companies: dict[str, Company]
) -> int:
    """The bytes of a page and of all it links to, uncompressed; the heavier company's."""
    most = 0
    for each in companies.values():
        url = urljoin(portal, look.at(each.ids))
        text, _ = await ask(session, url, headers(look, each), look.status)
        size = len(text.encode())
        for link in set(_LINKS.findall(text)):
            async with session.get(urljoin(url, link)) as answer:
                size += len(await answer.read())
        most = max(most, size)
    return most


async def company(client: Client, app: App, mailboxes: int) -> Company:
    """A company that shares all its people with all its mailboxes, every day of a month."""
    tenant, group = new_tenant(), new_tenant()
    users = [person(n) for n in range(mailboxes)]
    ids = [user["id"] for user in users]
    everybody = {"id": group, "displayName": "Everybody", "members": ids}
    await client.create_tenant(tenant, users=users[:5_000])
    for start in range(5_000, len(users), 5_000):
        await client.change_tenant(tenant, users=users[start : start + 5_000])
    await client.change_tenant(tenant, groups=[everybody])
    world = World(client, tenant, await client.api(tenant), ids, ids, group)
    share = (await world.share())["id"]
    import_, run = await _rows(app, world, share)
    browser = Browser(client)
    await browser.sign_in(await account(client, tenant))
    named = {"share": share, "import": import_, "run": run, "tenant": tenant}
    return Company({**named, "mailbox": ids[0], "person": ids[1]}, browser)


async def _rows(app: App, world: World, share: str) -> tuple[str, str]:
    """An import, its runs with their results, seats and the ledger; the import's and a run's id."""
    store, now, tenant, import_id = app.base.store, app.clock(), world.tenant, new_id()
    known = await store.tenants.get(tenant, TENANT_ROW)
    assert known is not None
    assert await store.share_index.get(share, OWNER_ROW) is not None
    licensed = known.value.copy_with(
        trial_started=now - timedelta(days=_DAYS), booked=len(world.targets)
    )
    await store.tenants.upsert(tenant, TENANT_ROW, licensed)
    import_ = Import(
        id=import_id,
        name="Everybody",
        share_id=share,
        targets=Targets(groups=[world.group]),
        created=now - timedelta(days=_DAYS),
        changed=now,
    )
    await insert_import(store, tenant, import_)
    seats = {m: Seat(mailbox=m, since=now, imports=[import_id]) for m in world.targets}
    await store.seats.write_many(tenant, seats)
    runs = [_run(import_id, day, app, len(world.targets)) for day in range(_DAYS)]
    await store.runs.write_many(tenant, {run.id: run for run in runs})
    for run in runs[:2]:
        results = {m: _result(m, n, app) for n, m in enumerate(world.targets)}
        await store.results.write_many(results_of(tenant, run.id), results)
    entries = {
        f"{newest_first(now - timedelta(minutes=n))}-{n:08d}": LedgerEntry(
            when=now - timedelta(minutes=n),
            actor="admin",
            actor_name="Ada Admin",
            action="import.changed",
            subject=import_id,
        )
        for n in range(len(world.targets))
    }
    await store.ledger.write_many(tenant, entries)
    return import_id, runs[0].id


def _run(import_id: str, day: int, app: App, mailboxes: int) -> Run:
    due = app.clock() - timedelta(days=day + 1)
    failed = mailboxes // 100
    return Run(
        id=run_id(import_id, RunTrigger.SCHEDULE, due),
        import_id=import_id,
        trigger=RunTrigger.SCHEDULE,
        status=RunStatus.PARTIAL,
        reason=Reason.MAILBOXES_FAILED,
        queued=due,
        started=due,
        ended=due + timedelta(minutes=20),
        mailboxes=MailboxCounts(total=mailboxes, succeeded=mailboxes - failed, failed=failed),
        contacts=ContactCounts(created=day, updated=mailboxes, unchanged=mailboxes),
        share_contacts=mailboxes,
    )


def _result(mailbox: str, number: int, app: App) -> Result:
    fails = number % 100 == 99
    return Result(
        mailbox=mailbox,
        outcome=Outcome.FAILED if fails else Outcome.SUCCEEDED,
        reason=Reason.MAILBOXES_FAILED if fails else None,
        contacts=ContactCounts(updated=1, unchanged=100),
        graph_requests=2,
        milliseconds=900,
        ended=app.clock(),
    )
