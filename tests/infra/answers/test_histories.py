"""Each alert rule over time: what it sends in an outage, and that it stays until that is over."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

import pytest

from shared.domain.reasons import Reason
from shared.web.texts.reasons import REMEDIES
from tests.infra.answers.telemetry import (
    at,
    closed,
    consent,
    failed,
    metric,
    poisoned,
    request,
    row,
    still_open,
    ticked,
    written,
)
from tests.infra.readers import kql
from tests.infra.readers.alert_rules import Player, rules
from tests.infra.readers.kql_engine import Row
from tests.infra.reasons_query import reasons_of_runs

OLDEST: Final = "contact_sync.queue.oldest_due"
AGE: Final = "contact_sync.queue.age"
OURS: Final = {Reason.GAVE_UP, Reason.MAILBOXES_FAILED}
PLAYED: set[str] = set()


def played(name: str, rows: Iterable[Row], since: str, until: str) -> list[str]:
    """Evaluate a rule from one time to another, and return what it sends."""
    PLAYED.add(name)
    player, rows, now, sent = Player(name), list(rows), at(since), []
    while now <= at(until):
        for word, dimensions in player.look(rows, now):
            sent.append(" ".join([written(now), word, *dimensions]).strip())
        now += player.frequency
    return sent


def every(minutes: int, since: str, until: str) -> list[str]:
    """Return the times from one to another."""
    times, now = list[str](), at(since)
    while now < at(until):
        times.append(written(now))
        now += timedelta(minutes=minutes)
    return times


def open_run(run: str, queued: str, until: str) -> list[Row]:
    """Return the ticks' events of a run that gets nothing done."""
    first = at(queued) + timedelta(minutes=30)
    return [
        still_open(when, run, 0, (at(when) - at(queued)).total_seconds())
        for when in every(15, written(first), until)
    ]


def test_dead_workers_are_told_within_two_hours_until_they_live_again() -> None:
    """The timer goes on: t1's import runs every hour, t2's once a day at 06:00."""
    rows = [ticked(when) for when in every(15, "-1 12:00", "15:00")]
    rows += [
        closed(when, f"t1/i1/r{when}".replace(" ", "").replace(":", ""))
        for when in every(60, "00:00", "03:00")
    ]
    rows += open_run("t1/i1/h", "03:00", "12:00")
    rows += open_run("t2/i2/d", "06:00", "12:00")
    rows += [closed("12:00", "t1/i1/h"), closed("12:00", "t2/i2/d")]

    assert played("no-run", rows, "03:00", "14:00") == [
        "04:45 fires runs get nothing done t1",
        "07:45 fires runs get nothing done t2",
        "12:30 ends runs get nothing done t1",
        "12:30 ends runs get nothing done t2",
    ]


def test_a_dead_app_is_told_once_for_as_long_as_it_is_dead() -> None:
    rows = [ticked(when) for when in every(15, "00:00", "03:00")]
    rows += [ticked(when) for when in every(15, "+2 05:00", "+2 06:00")]

    assert played("no-run", rows, "03:00", "+2 05:45") == [
        "05:00 fires the timer does not fire",
        "+2 05:15 ends the timer does not fire",
    ]


def test_ticks_that_arrive_late_are_no_outage() -> None:
    late = [
        ticked(when, seen=written(at(when) + timedelta(minutes=50)))
        for when in every(15, "00:00", "12:00")
    ]

    assert played("no-run", late, "06:00", "11:45") == []


def test_a_large_run_that_goes_on_is_no_outage() -> None:
    rows = [ticked(when) for when in every(15, "00:00", "12:00")]
    rows += [still_open(when, "t1/i1/r1", n) for n, when in enumerate(every(30, "03:00", "12:00"))]

    assert played("no-run", rows, "03:00", "11:45") == []


def test_messages_that_nobody_takes_are_told() -> None:
    """Workers are dead from 03:00 to 05:00; only the tick measures then."""
    rows = [metric(when, AGE, 2, queue="import-runs") for when in every(5, "02:00", "03:00")]
    rows += [
        metric(when, OLDEST, (at(when) - at("03:00")).total_seconds(), queue="import-runs")
        for when in every(15, "03:00", "05:00")
    ]
    rows += [metric(when, OLDEST, 0, queue="import-runs") for when in every(15, "05:00", "07:00")]

    assert played("queue-age", rows, "02:30", "07:00") == [
        "03:45 fires import-runs",
        "05:30 ends import-runs",
    ]


def test_each_tenant_whose_runs_fail_is_told_by_itself() -> None:
    rows = [
        closed("10:05", "t1/i1/r1", "failed", reason="gave_up"),
        closed("10:35", "t2/i2/r2", "failed", reason="gave_up"),
        closed("10:40", "t3/i3/r3", "failed", reason="consent_missing"),
    ]

    assert played("run-failed", rows, "10:00", "12:30") == [
        "10:15 fires t1 gave_up",
        "10:45 fires t2 gave_up",
        "11:30 ends t1 gave_up",
        "12:00 ends t2 gave_up",
    ]
    assert played("run-refused", rows, "10:00", "14:00") == [
        "11:00 fires t3 consent_missing",
        "14:00 ends t3 consent_missing",
    ]


def test_a_run_that_fails_every_day_is_told_every_day() -> None:
    rows = [
        closed(f"{day} 03:05", run, "failed", reason="gave_up")
        for day, run in (("+0", "r1"), ("+1", "r2"))
    ]

    assert played("run-failed", rows, "03:00", "+1 05:00") == [
        "03:15 fires t1 gave_up",
        "04:30 ends t1 gave_up",
        "+1 03:15 fires t1 gave_up",
        "+1 04:30 ends t1 gave_up",
    ]


def test_one_reason_in_many_tenants_is_told_once_as_ours() -> None:
    rows = [
        closed("10:05", f"t{n}/i{n}/r{n}", "failed", reason="consent_missing") for n in range(60)
    ]

    assert played("run-failed", rows, "10:00", "10:45") == ["10:15 fires several consent_missing"]


def test_sixty_small_customers_whose_mailboxes_fail_are_told() -> None:
    rows = [
        closed("03:05", f"t{n}/i{n}/r{n}", "partial", succeeded=1, failed=18) for n in range(60)
    ]
    rows += [closed("+1 03:05", f"t{n}/i{n}/s{n}", succeeded=19) for n in range(60)]

    assert played("mailbox-failures", rows, "03:00", "+1 04:00") == [
        "03:15 fires small imports",
        "+1 03:30 ends small imports",
    ]


def test_each_large_import_whose_mailboxes_fail_is_told_by_itself() -> None:
    rows = [
        closed("03:05", "t1/i1/r1", "partial", succeeded=80, failed=20),
        closed("04:05", "t2/i2/r2", "partial", succeeded=80, failed=20),
        closed("05:05", "t1/i1/r3", succeeded=100),
    ]

    assert played("mailbox-failures", rows, "03:00", "06:00") == [
        "03:15 fires t1 i1",
        "04:15 fires t2 i2",
        "05:30 ends t1 i1",
    ]


def test_each_tenant_whose_message_fails_is_told_by_itself() -> None:
    rows = [
        poisoned("03:01", "t1/i1/r1"),
        poisoned("03:11", "t2/i2/r2"),
        poisoned("03:14", "t3/i3/r3", seen="03:19"),
    ]

    assert played("message-poisoned", rows, "03:00", "04:15") == [
        "03:15 fires mailbox-syncs t1",
        "03:15 fires mailbox-syncs t2",
        "03:30 fires mailbox-syncs t3",
        "04:00 ends mailbox-syncs t1",
        "04:00 ends mailbox-syncs t2",
        "04:00 ends mailbox-syncs t3",
    ]


def test_lost_consent_is_told_until_it_is_back() -> None:
    rows = [
        consent("03:05", "t1", Reason.CONSENT_MISSING),
        consent("04:05", "t2", Reason.CONSENT_MISSING),
        consent("05:05", "t1"),
    ]

    assert played("consent-lost", rows, "03:00", "06:00") == [
        "03:15 fires t1",
        "04:15 fires t2",
        "05:30 ends t1",
    ]


def test_throttling_is_told_if_it_lasts() -> None:
    burst = [metric("03:05", "contact_sync.graph.throttled", 900)]
    lasting = [
        metric(when, "contact_sync.graph.throttled", 20) for when in every(5, "03:00", "05:00")
    ]

    assert played("graph-throttled", burst, "03:00", "05:00") == []
    assert played("graph-throttled", lasting, "03:00", "06:00") == ["03:45 fires", "05:30 ends"]


def test_faults_count_as_often_as_they_stand_for() -> None:
    few = [request("03:05", "list_runs", "500", items=10)]
    many = [
        request("03:05", "list_runs", "500", items=6),
        request("03:06", "sign_in", "503", items=5),
    ]

    assert played("app-faults", few, "03:00", "04:00") == []
    assert played("app-faults", many, "03:00", "04:00") == ["03:15 fires", "04:00 ends"]


def test_timers_that_fail_are_told() -> None:
    rows = [failed("04:30", "sweep_leftovers"), failed("05:00", "sync_mailbox", "mailbox-syncs")]

    assert played("timer-failed", rows, "04:00", "06:00") == [
        "04:30 fires sweep_leftovers",
        "05:45 ends sweep_leftovers",
    ]


def test_the_daily_cap_is_told_though_it_stops_all_other_logs() -> None:
    rows = [
        row(
            "_LogOperation",
            "03:10",
            Category="Ingestion",
            Detail="Data collection stopped: OverQuota",
        )
    ]

    assert played("daily-cap", rows, "03:00", "04:00") == ["03:15 fires"]


def test_every_rule_is_played() -> None:
    if not PLAYED:
        pytest.skip("runs after the histories above")

    assert {rule["name"] for rule in rules()} == PLAYED


def test_each_reason_of_a_run_is_ours_or_the_tenants() -> None:
    """A new reason of ours raises an alert, because the queries name those of tenants."""
    of_runs = reasons_of_runs()
    first = of_runs.index(Reason.CONSENT_MISSING)
    theirs = {reason.value for reason in of_runs[first:] if reason not in OURS}
    text = {name: kql.files()[f"alerts/{name}.kql"] for name in ("run-failed", "run-refused")}
    named = {
        name: {reason.value for reason in REMEDIES if f"'{reason.value}'" in text[name]}
        for name in text
    }

    assert named == {"run-failed": theirs, "run-refused": theirs}
