"""A cause is reported once while it is open, and a flood of causes is one notice."""

from datetime import UTC, datetime, timedelta

from shared.domain.notices.causes import MOST, Cause, NoticeKind, Outbox, causes_of, news, summary
from shared.domain.notices.deliveries import lines_of
from shared.domain.notices.settings import NoticesInput
from shared.domain.reasons import Reason
from shared.domain.tenancy.attention import Attention, AttentionKind
from shared.services.changes import require_storable

NOW = datetime(2026, 11, 30, tzinfo=UTC)
ALL = list(NoticeKind)


def held(run: str, import_: str, count: int = 1) -> Attention:
    kind, reason = AttentionKind.RUN_HELD, Reason.TOO_MANY_DELETES
    return Attention(kind, run, reason, "Name of the import", import_, count)


def trial(ends: datetime) -> Attention:
    return Attention(AttentionKind.TRIAL_ENDING, "t", count=3, when=ends)


def lost() -> dict[str, Cause]:
    found = [Attention(AttentionKind.CONSENT_MISSING, "t", Reason.CONSENT_MISSING)]
    return causes_of("t", found, NOW)


def test_next_held_run_of_an_import_is_no_news() -> None:
    before = causes_of("t", [held("r1", "i1")], NOW)
    after = causes_of("t", [held("r1", "i1", 2), held("r2", "i1", 3)], NOW)

    assert not news({}, before, ALL).empty
    assert news(before, after, ALL).empty
    assert [cause.mailboxes for cause in after.values()] == [5]


def test_trial_is_told_seven_days_and_one_day_before_its_end() -> None:
    ends = NOW + timedelta(days=6)
    week, day = (causes_of("t", [trial(ends)], ends - timedelta(days=d)) for d in (6, 1))

    assert news(week, causes_of("t", [trial(ends)], ends - timedelta(days=2)), ALL).empty
    assert [cause.when for cause in news(week, day, ALL).opened] == [ends]


def test_trial_that_was_extended_is_told_again() -> None:
    longer = NOW + timedelta(days=30)
    told = causes_of("t", [trial(NOW + timedelta(days=6))], NOW)
    again = causes_of("t", [trial(longer)], longer - timedelta(days=6))

    assert len(news(told, again, ALL).opened) == 1


def test_end_is_told_of_a_lost_consent_only() -> None:
    told = lost() | causes_of("t", [held("r1", "i1")], NOW)

    found = news(told, {}, ALL)

    assert found.causes == {}
    assert [cause.kind for cause in found.ended] == [NoticeKind.CONSENT_LOST]


def test_kind_that_is_not_wanted_is_not_told_until_it_is() -> None:
    assert news({}, lost(), [NoticeKind.CHANGES_HELD]).empty
    assert news(lost(), {}, [NoticeKind.CHANGES_HELD]).empty
    assert not news({}, lost(), ALL).empty


def test_flood_of_causes_is_one_notice() -> None:
    flood = [held(f"r{number}", f"i{number}") for number in range(MOST + 500)]

    causes = causes_of("t", flood, NOW)
    found = news({}, causes, ALL)

    (line,) = lines_of(found)
    assert (line.causes, line.mailboxes, line.path) == (MOST, MOST, "")
    decided = list(found.causes)[:500]
    rest = news(found.causes, {k: c for k, c in causes.items() if k not in decided}, ALL)
    assert (len(rest.causes), len(rest.opened)) == (MOST, 500)


def failing(kind: AttentionKind) -> dict[str, Cause]:
    return causes_of("t", [Attention(kind, "r1", None, "Name", "i1", 4)], NOW)


def test_failing_sync_is_told_after_some_days_without_a_success_between() -> None:
    patience = timedelta(days=3)
    outbox = Outbox()
    for day in range(3):
        kind = AttentionKind.RUN_FAILED if day else AttentionKind.MAILBOXES_FAILED
        outbox = outbox.with_seen(failing(kind), NOW + timedelta(days=day))
        assert outbox.ripe(failing(kind), NOW + timedelta(days=day), patience) == {}
    found = failing(AttentionKind.RUN_STALLED)
    outbox = outbox.with_seen(found, NOW + patience)

    assert outbox.ripe(found, NOW + patience, patience) == found
    well = outbox.with_seen({}, NOW + patience).with_seen(found, NOW + patience)
    assert well.ripe(found, NOW + patience, patience) == {}


def test_fullest_outbox_fits_into_a_row() -> None:
    ids = [f"{number:032x}/subscribers/{number:036x}" for number in range(MOST + 1)]
    new = [Attention(AttentionKind.SUBSCRIBER_NEW, id_) for id_ in ids]
    failing_too = [
        Attention(AttentionKind.RUN_FAILED, f"{n:060x}", import_id=f"{n:032x}") for n in range(MOST)
    ]
    found = causes_of("t", [*new, *failing_too], NOW)
    outbox = Outbox().with_seen(found, NOW)

    full = outbox.copy_with(causes=news({}, outbox.ripe(found, NOW, timedelta(1)), ALL).causes)

    assert (len(full.causes), len(full.seen)) == (MOST, MOST)
    require_storable(full)


def test_summary_is_told_once_a_week_to_who_wants_it() -> None:
    monday = datetime(2026, 12, 28, tzinfo=UTC)
    weeks = [summary(9, day, monday + timedelta(days=day)) for day in (0, 6, 7)]
    first, last, following = ({week.key: week} for week in weeks)

    assert not news({}, first, ALL).empty
    assert news(first, last, ALL).empty
    assert lines_of(news(last, following, ALL))[0].problems == 7
    assert news({}, first, NoticesInput().kinds).empty


def test_causes_hold_no_names() -> None:
    found = causes_of("t", [held("r1", "i1")], NOW)

    assert "Name" not in str(found)
