"""Targets without a mailbox: when a run asks again, and what it remembers."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.domain.importing.runs import RunTrigger
from shared.domain.reasons import Reason
from shared.domain.tenancy.missing_mailboxes import (
    MissingMailbox,
    is_due,
    sort_targets,
    started_by_person,
    still_missing,
)

NOW = datetime(2026, 11, 30, 3, tzinfo=UTC)


def missing(since: int = 0, asked: int = 0, entry: str = "e") -> MissingMailbox:
    """A user known to have no mailbox since some days, asked about some days ago."""
    days = timedelta(days=1)
    return MissingMailbox(
        mailbox="m",
        since=NOW - since * days,
        asked=NOW - asked * days,
        reason=Reason.NO_MAILBOX,
        entry=entry,
    )


@pytest.mark.parametrize(
    ("since", "asked", "due"),
    [(0, 0, False), (1, 1, True), (6, 1, True), (7, 1, False), (20, 6, False), (20, 7, True)],
)
def test_target_is_checked_daily_for_a_week_and_then_weekly(
    since: int, asked: int, *, due: bool
) -> None:
    assert is_due(missing(since, asked), "e", NOW, by_person=False) is due


def test_daily_run_that_starts_early_also_asks() -> None:
    early = NOW - timedelta(minutes=1)

    assert is_due(missing(2, 1), "e", early, by_person=False)
    assert is_due(missing(20, 7), "e", early, by_person=False)


def test_target_is_asked_again_when_its_directory_entry_changes() -> None:
    assert is_due(missing(), "other", NOW, by_person=False, by_time=False)


def test_target_is_not_asked_again_when_its_directory_entry_was_unknown() -> None:
    assert not is_due(missing(entry=""), "e", NOW, by_person=False)


def test_run_that_a_person_starts_asks_about_every_target() -> None:
    assert is_due(missing(), "e", NOW, by_person=True)


def test_run_between_two_daily_ones_asks_only_about_changed_entries() -> None:
    assert not is_due(missing(2, 1), "e", NOW, by_person=False, by_time=False)


@pytest.mark.parametrize("trigger", RunTrigger)
def test_people_start_runs_by_creating_asking_and_retrying(trigger: RunTrigger) -> None:
    by_person = {RunTrigger.CREATED, RunTrigger.REQUEST, RunTrigger.RETRY}

    assert started_by_person(trigger) is (trigger in by_person)


def test_targets_are_sorted_by_what_is_known_of_them() -> None:
    known = {
        "waits": missing(20, 1),
        "due": missing(3, 1),
        "new": missing(0, 0, entry=""),
        "elsewhere": missing(90, 50),
        "stale": missing(90, 60),
    }
    entries = dict.fromkeys(("here", "waits", "due", "new"), "e")

    found = sort_targets(entries, known, NOW, by_person=False)

    assert found.existing == {"here"}
    assert found.missing == {"waits", "due", "new"}
    assert found.asked_again == {"due": "e"}
    assert found.new_entries == {"new": missing(0, 0, entry="e")}
    assert found.stale == {"stale"}


def test_next_answer_keeps_the_time_since_when_a_mailbox_is_missing() -> None:
    first = still_missing(None, "m", Reason.NO_MAILBOX, NOW)
    later = NOW + timedelta(days=1)

    again = still_missing(first, "m", Reason.USER_NOT_FOUND, later, "e")

    assert (again.since, again.asked) == (NOW, later)
    assert (again.reason, again.entry) == (Reason.USER_NOT_FOUND, "e")


def test_older_answer_changes_nothing() -> None:
    known = missing()

    older = still_missing(known, "m", Reason.USER_NOT_FOUND, NOW - timedelta(minutes=1))

    assert older == known
