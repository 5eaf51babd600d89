"""The invariants of the design, one function each, checked when everything has settled.

`before` is after the adversary has ended and all queues are empty; `after` is some calm days later.
Most faults heal themselves within those days, so that what a run says is checked before them.
"""

import json
import zlib
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Final

from tests.simulation.runtime.workers import START
from tests.simulation.simulation import MARKER, Simulation, said
from tests.simulation.world import Import

type Check = Callable[[Simulation, str], Awaitable[None]]

_SKEW: Final = timedelta(minutes=3)
_GONE: Final = {401, 403, 404}
"""Answers to who left, or was never there."""
_KEPT: Final = {"Ledger", "Runs", "Results", "HeldPlans", "Idempotency", "ShareIndex"}
"""Tables that may name an import after its end: what happened is kept for a time."""
_TROUBLE: Final = (
    "worker crashed",
    "Unavailable",
    "Throttled",
    "Busy",
    "LeaseHeld",
    "Paced",
    "ServiceResponseError",
    "CancelledError",
)
"""Failures of a function that storage, Graph or a killed worker explain."""


async def no_second_contact(sim: Simulation, when: str) -> None:
    """I2: a mailbox ends with one contact per import and key.

    A request that takes effect after its timeout may add a second one until the next run.
    """
    if when == "before" and "graph_late" in sim.knobs:
        return
    for user in sim.world.mailboxes:
        if mailbox := sim.mailbox(user):
            counts = Counter((i, key) for i, key, _ in sim.ours(mailbox) if key)
            for (import_, key), count in counts.items():
                if count > 1:
                    sim.violated("I2", when, f"{count} of {key} of {import_} in {user}")


async def what_is_not_ours_stays(sim: Simulation, when: str) -> None:
    """I3: contacts of the users, and what they wrote into ours, survive."""
    for (user, core), said_ in sim.world.own.items():
        if mailbox := sim.mailbox(user):
            folder = mailbox.where.get(core)
            if folder is None or folder.contacts[core].values["displayName"] != said_[0]:
                sim.violated("I3", when, f"the user's contact {said_} in {user}")
    for (user, core), note in sim.world.notes.items():
        if mailbox := sim.mailbox(user):
            folder = mailbox.where.get(core)
            if folder and folder.contacts[core].values.get("personalNotes") != note:
                sim.violated("I3", when, f"a user's note in {user}")


async def nothing_lost(sim: Simulation, when: str) -> None:
    """I5: queues are empty, and no function fails without a cause."""
    if waiting := sim.host.waiting:
        sim.violated("I5 queues", when, f"{waiting}")
    calm = sim.calm_since or 0.0
    # What the adversary did just before it ended may end a little later.
    for failure in sim.host.failures:
        explained = failure.error.startswith(_TROUBLE) and failure.at < calm + 1_300
        if not explained:
            sim.violated("I5 failure", when, f"{failure.function}: {failure.error[:200]}")
    sim.host.failures.clear()


async def personal_data_ends(sim: Simulation, when: str) -> None:
    """I10: names are only in snapshots of open and held runs, and nothing of who left."""
    held = await _statuses(sim, {"held", "queued", "running"})
    for name, table in sim.tables.tables.items():
        for (partition, row), entity in table.rows.items():
            if name == "Snapshots":
                if when == "before" and row == "begun":
                    continue  # it holds nothing, and the sweep finds by it what a kill left
                if not any(run in partition for run in held):
                    sim.violated(f"I10 snapshot {when}", when, f"{partition} {row}")
            elif any(MARKER in _text(value) for value in entity.properties.values()):
                sim.violated("I10 names", when, f"{name} {partition} {row}")


async def runs_are_counted(sim: Simulation, when: str) -> None:
    """I14: what a run counts is what its results say; a retry finds what failed by them."""
    for tenant in _tenants(sim):
        for run in await _runs(sim, tenant):
            if run["status"] in {"queued", "running"}:
                continue
            counts = run["mailboxes"]
            parts = sum(counts[n] for n in ("succeeded", "skipped", "failed", "held"))
            if parts != counts["total"]:
                sim.violated("I14", when, f"{run['id']}: {counts}")
            if counts["failed"]:
                results = await _items(sim, tenant, f"runs/{run['id']}/results")
                failed = [r["mailbox"] for r in results if r["outcome"] == "failed"]
                if len(failed) != counts["failed"]:
                    sim.violated("I14 failed", when, f"{run['id']}: {counts}, {failed}")


async def runs_end(sim: Simulation, when: str) -> None:
    """I15: no run stays open."""
    if when == "before" and sim.host.waiting:
        return
    for tenant in _tenants(sim):
        for run in await _runs(sim, tenant, "queued", "running"):
            queued = datetime.fromisoformat(run["queued"])
            if when == "before" and sim.now() - queued < timedelta(days=1):
                continue  # the tick drives it on
            sim.violated(f"I15 {when}", when, f"{run['id']} is {run['status']} ({run['trigger']})")


async def runs_say_the_truth(sim: Simulation, when: str) -> None:
    """I16: a mailbox holds what the last run says that it holds, whatever came late."""
    if when == "before" and "graph_late" in sim.knobs:
        return
    for import_ in sim.world.living():
        since = sim.world.since(import_) + (_SKEW if "skew" in sim.knobs else timedelta())
        known = await _items(sim, import_.tenant, "imports")
        if import_.id not in {found["id"] for found in known}:
            sim.violated("I16 import", when, f"{import_.id} is gone")
            continue
        told: dict[str, tuple[str, str]] = {}
        for run in await _runs(sim, import_.tenant):
            if run["importId"] != import_.id:
                continue
            if run["status"] in {"queued", "running"}:
                break
            started = run["started"] and datetime.fromisoformat(run["started"])
            if not started or started < since or run["approved"] or run["retries"]:
                continue
            if run["trigger"] == "revocation":
                continue  # of a paused import, or one with held changes, it only takes people away
            for result in await _items(sim, import_.tenant, f"runs/{run['id']}/results"):
                if run["trigger"] != "revocation":
                    told.setdefault(result["mailbox"], (result["outcome"], run["id"]))
                elif result["outcome"] == "succeeded":
                    _require_revoked(sim, f"I16 {when}", import_, result["mailbox"], run["id"])
        for mailbox, (outcome, run_id) in told.items():
            if outcome == "succeeded":
                _compare(sim, f"I16 {when}", import_, mailbox, run_id)


async def everything_arrives(sim: Simulation, when: str) -> None:
    """I5, I18: after calm days each active import is as it ought to be."""
    if when != "after":
        return
    for import_ in sim.world.living():
        if import_.active:
            for mailbox in sim.world.mailboxes:
                _compare(sim, "I18", import_, mailbox, "calm days")


async def removal_is_complete(sim: Simulation, when: str) -> None:
    """I17: after a removal nothing of it is left, whoever holds the contacts.

    A tenant may leave although a mailbox is gone that Exchange could give back, if the closing line
    lists it.
    """
    if when != "after":
        return
    known = {i.id: i for i in sim.world.service.imports}
    for user in sim.world.mailboxes:
        if mailbox := sim.mailbox(user):
            for import_id, key, _ in sim.ours(mailbox):
                import_ = known.get(import_id)
                paused = import_ is not None and not import_.active
                if import_ is None or key not in sim.world.desired(import_, user):
                    why = _why(sim, import_, key)
                    tenant = sim.world.mailboxes[user]
                    if why == "not wanted" and paused:
                        continue
                    gone = user in sim.outside.were_gone
                    if why == "left" and gone and user in _listed(sim, tenant):
                        continue
                    if sim.forgotten(tenant, import_id, user):
                        why = "forgotten"
                    sim.violated(f"I17 {why}", when, f"{key} of {import_id} in {user}")
    for import_id, tenant in sim.world.ended.items():
        for name, table in sim.tables.tables.items():
            if name in _KEPT:
                continue
            for partition, row in table.rows:
                if import_id in partition or import_id in row:
                    sim.violated("I17 rows", when, f"{name} {partition} {row} of {tenant}")


async def who_left_is_gone(sim: Simulation, when: str) -> None:
    """I17: of a tenant that left, one line of the ledger stays."""
    if when != "after":
        return
    for tenant in sorted(sim.world.service.left):
        for name, table in sim.tables.tables.items():
            for partition, row in table.rows:
                if partition.startswith(tenant) and name != "Ledger":
                    sim.violated("I17 left rows", when, f"{name} {partition} {row}")


async def licenses_are_counted(sim: Simulation, when: str) -> None:
    """I14: a license is counted once per mailbox, and only for mailboxes that imports aim at."""
    table = sim.tables.tables.get("Seats")
    seats: dict[str, dict[str, Any]] = {}
    counts: dict[str, int] = {}
    for (tenant, row), entity in (table.rows if table is not None else {}).items():
        body = json.loads(str(entity.properties["body00"]))
        if row == "~seats":
            counts[tenant] = int(body["wanted"])
        elif not row.startswith("~"):
            seats.setdefault(tenant, {})[row] = body
    for tenant in seats.keys() | counts.keys():
        if counts.get(tenant, 0) != len(seats.get(tenant, {})):
            sim.violated("I14 licenses", when, f"{counts.get(tenant)} of {seats.get(tenant)}")
    if when != "after":
        return
    living = {import_.id: import_ for import_ in sim.world.living()}
    for tenant, rows in seats.items():
        for user, seat in rows.items():
            for id_ in seat["imports"]:
                import_ = living.get(id_)
                aims = import_ is not None and (user in import_.targets or not import_.active)
                if not aims:
                    sim.violated("I14 license", when, f"{user} of {id_} in {tenant}")
            if sim.mailbox(user) is None:
                sim.violated("I14 license", when, f"{user} of {tenant} has no mailbox")


async def approvals_hold(sim: Simulation, when: str) -> None:
    """I19: a run that was approved does not wait for an approval again by itself.

    I4: rewrites of our own making hold nothing.
    """
    for tenant in _tenants(sim):
        for run in await _runs(sim, tenant, "held"):
            if run["reason"] == "too_many_changes" and not sim.acts["rename_person"]:
                sim.violated("I4 rewrites", when, f"{run['id']} is held, and nobody was renamed")
            if run["approved"] and when == "before":
                sim.violated("I19", when, f"{run['id']} was approved, and is held")


CHECKS: Final[tuple[Check, ...]] = (
    no_second_contact,
    what_is_not_ours_stays,
    nothing_lost,
    personal_data_ends,
    runs_are_counted,
    runs_end,
    runs_say_the_truth,
    everything_arrives,
    removal_is_complete,
    who_left_is_gone,
    licenses_are_counted,
    approvals_hold,
)


async def check(sim: Simulation, when: str) -> None:
    """Check all invariants."""
    sim.answers.clear()
    for one in CHECKS:
        await one(sim, when)


def _compare(sim: Simulation, invariant: str, import_: Import, user: str, run: str) -> None:
    mailbox = sim.mailbox(user)
    if mailbox is None or sim.world.unseen.get((import_.id, user), START) > sim.now():
        return
    wanted = sim.world.desired(import_, user)
    has = {key: said(c) for i, key, c in sim.ours(mailbox) if i == import_.id and key}
    if has != wanted:
        missing, surplus = sorted(wanted.keys() - has.keys()), sorted(has.keys() - wanted.keys())
        other = sorted(k for k in wanted.keys() & has.keys() if wanted[k] != has[k])
        kind = "missing" if missing else "surplus" if surplus else "differs"
        if not wanted and sim.forgotten(import_.tenant, import_.id, user):
            kind = "forgotten"
        found = f"missing {missing}, surplus {surplus}, other {other}"
        sim.violated(f"{invariant} {kind}", run, f"{import_.id} in {user}: {found}")


def _require_revoked(sim: Simulation, invariant: str, import_: Import, user: str, run: str) -> None:
    """A revocation takes back what was revoked, and says nothing of any other contact."""
    mailbox = sim.mailbox(user)
    if mailbox is None:
        return
    wanted = sim.world.desired(import_, user)
    for id_, key, _ in sim.ours(mailbox):
        if id_ == import_.id and key and key not in wanted:
            why = _why(sim, import_, key)
            if why != "not wanted":
                sim.violated(f"{invariant} {why}", run, f"{key} of {id_} in {user}")


def _why(sim: Simulation, import_: Import | None, key: str) -> str:
    service = sim.world.service
    if import_ is not None and import_.tenant in service.left:
        return "left"
    if import_ is None or import_.removed:
        return "deleted"
    if import_.share.withdrawn or import_.share.tenant in service.left:
        return "withdrawn"
    if import_.tenant in import_.share.blocked:
        return "blocked"
    person = key.removeprefix("u-")
    if any(person in people for people in service.suppressed.values()):
        return "suppressed"
    return "not wanted"


def _listed(sim: Simulation, tenant: str) -> set[str]:
    """Return the mailboxes that the closing lines of a tenant name as not reached."""
    found: set[str] = set()
    rows = sim.tables.tables["Ledger"].rows
    for (partition, _), entity in rows.items():
        if partition == tenant:
            line = json.loads(str(entity.properties["body00"]))
            found.update((line.get("detail") or {}).get("remainingMailboxes", ()))
    return found


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        try:
            return zlib.decompress(value).decode(errors="replace")
        except zlib.error:
            return value.decode(errors="replace")
    return str(value)


def _tenants(sim: Simulation) -> list[str]:
    tenants = {i.tenant for i in sim.world.service.imports}
    return sorted(tenants - sim.world.service.left)


async def _statuses(sim: Simulation, wanted: set[str]) -> set[str]:
    return {str(run["id"]) for tenant in _tenants(sim) for run in await _runs(sim, tenant, *wanted)}


async def _runs(sim: Simulation, tenant: str, *statuses: str) -> list[dict[str, Any]]:
    """Return a tenant's runs, newest first, all or those with some statuses."""
    runs = await _items(sim, tenant, "runs")
    return [run for run in runs if not statuses or run["status"] in statuses]


async def _items(sim: Simulation, tenant: str, path: str) -> list[dict[str, Any]]:
    """Return all items of a list of the API, which is asked once in a check."""
    if (tenant, path) not in sim.answers:
        found, query = list[dict[str, Any]](), "?top=100"
        while query:
            reply = await sim.api(tenant, "GET", path + query)
            if reply.status != 200:
                assert reply.status in _GONE, f"{path}: {reply.status} {reply.body}"
                break
            found += reply.body["items"]
            query = f"?top=100&next={reply.body['next']}" if reply.body["next"] else ""
        sim.answers[tenant, path] = found
    return sim.answers[tenant, path]
