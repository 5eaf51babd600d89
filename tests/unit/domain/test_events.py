"""Events are an interface: names and attributes are stable, and personal data is rejected."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.domain import events
from shared.domain.events import EVENTS, Event, MessagePoisoned, RunClosed, RunEvent, schemas
from shared.domain.importing.runs import ContactCounts, MailboxCounts, Run, RunStatus, RunTrigger
from shared.domain.reasons import Reason

CONTRACT = {
    "run_started": "tenant importId run trigger mailboxes shareContacts graphRequests throttled "
    "milliseconds",
    "share_resolved": "tenant importId run publisher contacts omitted graphRequests throttled "
    "milliseconds",
    "mailbox_sync_finished": "tenant importId run mailbox task outcome reason created updated "
    "deleted unchanged photos graphRequests throttled milliseconds attempt",
    "mailboxes_checked": "tenant importId run mailboxes unchanged contacts graphRequests throttled",
    "run_closed": "tenant importId run trigger status reason mailboxes succeeded skipped failed "
    "held created updated deleted unchanged graphRequests throttled seconds",
    "run_held": "tenant importId run reason mailboxes",
    "run_open": "tenant importId run done seconds",
    "run_decided": "tenant importId run decision",
    "consent_lost": "tenant reason",
    "consent_regained": "tenant",
    "tenant_joined": "tenant",
    "tenant_left": "tenant contactsRemoved",
    "seats_booked": "tenant booked before",
    "notice_sent": "tenant outcome tries",
    "message_poisoned": "tenant queue run",
    "attempt_failed": "tenant function queue run tries error",
    "message_given_back": "tenant queue importId run mailbox attempt seconds error graphRequests "
    "milliseconds",
    "runs_scheduled": "tenant runs sentAgain givenUp pastDue",
    "tenants_visited": "tenant leaving reconnected",
    "swept": "tenant snapshots runs ledgerEntries keys orphans checks",
}
"""Written by hand: the queries of the workbook and the alerts depend on it."""

NOW = datetime(2026, 11, 23, 3, tzinfo=UTC)


def test_event_names_and_attributes_match_the_contract_of_the_queries() -> None:
    assert {n: set(s) for n, s in schemas().items()} == {
        name: set(attributes.split()) for name, attributes in CONTRACT.items()
    }


def test_every_event_is_listed_and_documented() -> None:
    made = {
        kind
        for kind in vars(events).values()
        if isinstance(kind, type) and issubclass(kind, Event) and kind not in {Event, RunEvent}
    }

    assert made == set(EVENTS)
    assert all(event.__doc__ for event in EVENTS)
    assert all(field.description for event in EVENTS for field in event.model_fields.values())


_REVEALING = st.sampled_from(" @+,;'/\"\n\u00f6")


@given(st.text(max_size=8), _REVEALING, st.text(max_size=8))
def test_no_attribute_accepts_text_that_could_contain_personal_data(
    before: str, sign: str, after: str
) -> None:
    for event in EVENTS:
        for name, field in event.model_fields.items():
            with pytest.raises(ValidationError) as caught:
                event.model_validate({str(field.alias): f"{before}{sign}{after}"})
            refused = {e["loc"][0] for e in caught.value.errors() if e["type"] != "missing"}
            assert refused == {field.alias}, (event.name, name)


def test_names_addresses_phone_numbers_and_tokens_are_rejected() -> None:
    for text in ("Ada Lovelace", "ada@contoso.example", "+49 30 1234", "eyJhbGciOi.J9 x"):
        with pytest.raises(ValidationError):
            MessagePoisoned(tenant=text, queue="mailbox-syncs")


def test_attributes_are_flat_and_a_missing_reason_is_empty() -> None:
    run = Run(
        id="r",
        import_id="i",
        trigger=RunTrigger.SCHEDULE,
        status=RunStatus.SUCCEEDED,
        queued=NOW,
        ended=NOW + timedelta(seconds=90),
        mailboxes=MailboxCounts(total=3, succeeded=3),
        contacts=ContactCounts(created=5, unchanged=2),
        graph_requests=7,
    )
    told = RunClosed.of("t", run).attributes()

    assert all(type(value) in {str, int, float, bool} for value in told.values())
    assert (told["tenant"], told["importId"], told["run"]) == ("t", "i", "r")
    assert (told["trigger"], told["status"], told["reason"]) == ("schedule", "succeeded", "")
    assert (told["created"], told["seconds"]) == (5, 90.0)
    failed_run = run.copy_with(reason=Reason.GAVE_UP, status=RunStatus.FAILED, ended=None)
    failed = RunClosed.of("t", failed_run).attributes()
    assert (failed["reason"], failed["seconds"]) == ("gave_up", 0.0)
