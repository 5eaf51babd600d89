"""Two imports share one mailbox under any sequence of events.

A Hypothesis state machine: shares change, the user edits the mailbox, Graph fails, workers crash,
state is lost. After every worker the invariants hold (`assert_nothing_damaged`). Once the faults
stop, one sync of each import completes the mailbox, and the next one has nothing to do.
ENGINE_EXAMPLES sets the number of sequences.
"""

import asyncio
import contextlib
import itertools
import os
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from shared.domain.contacts.fields import Contact
from shared.domain.errors import TransientError
from shared.domain.importing.messages import SyncMailbox
from shared.domain.importing.runs import Outcome, Result
from tests.integration.engine.box import (
    OURS,
    THE_USERS,
    Box,
    assert_holds_exactly,
    assert_nothing_damaged,
)
from tests.integration.engine.engine import UNLIMITED, Engine, QuickLoop, contact
from tests.local.client import Client, Json
from tests.local.cloud import LocalCloud
from tests.world import person

EXAMPLES = int(os.environ.get("ENGINE_EXAMPLES", "15"))
STEPS = 15
_SECONDS_PER_EXAMPLE = 5
_TRIES = 6

KEYS = [f"u-{n}" for n in range(6)]
PLACES = [
    ("Contact Sync", "Contact Sync"),
    ("Contact Sync", None),
    ("Ours", "Theirs"),
    (None, None),
]
TRANSIENT: list[Json] = [
    {"status": 429, "headers": {"Retry-After": "0"}},
    {"status": 429, "headers": {"Retry-After": "1"}},
    {"status": 500},
    {"status": 503, "headers": {"Retry-After": "0"}},
    {"status": 504},
    {"drop": "before"},
    {"drop": "after"},
    {"status": 401},
]
WHOLE = [r"^/\$batch", "/delta", "/contactFolders", ""]
ITEMS = [r"/contacts$", r"/contacts/[^/]+$", r"/contacts\?", r"/contacts/[^/]+\?"]

imports = st.sampled_from([0, 1])
picks = st.integers(0, 5)
shares = st.dictionaries(st.sampled_from(KEYS), st.integers(0, 3), min_size=1)
faults = st.tuples(st.sampled_from([*ITEMS, *WHOLE]), st.sampled_from(TRANSIENT))
budgets = st.one_of(st.just(UNLIMITED), st.integers(1, 32))


@dataclass(slots=True)
class Lab:
    """The tenant of all examples; each example has its own mailbox."""

    runner: asyncio.Runner
    client: Client
    engine: Engine
    tenant: str = field(default_factory=lambda: str(uuid4()))
    numbers: Any = field(default_factory=itertools.count)

    def do[T](self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def close(self) -> None:
        await self.client.clear_faults()
        await self.client.__aexit__()
        await self.engine.__aexit__(None, None, None)

    async def new_mailbox(self) -> str:
        user = person(next(self.numbers))
        await self.client.change_tenant(self.tenant, users=[user])
        return str(user["id"])


@dataclass(slots=True)
class Side:
    """One of the two imports: its share's current contacts and all messages sent."""

    id: str
    share: dict[str, int]
    lost: bool = False
    deleted: bool = False
    sent: list[tuple[SyncMailbox, dict[str, Contact]]] = field(default_factory=list)

    def desired(self) -> dict[str, Contact]:
        return {key: made(key, variant) for key, variant in sorted(self.share.items())}


def made(key: str, variant: int) -> Contact:
    """A contact in one of four variants, which have different fields."""
    fields = {
        "displayName": f"{key} {variant}",
        "emailAddresses": [{"address": f"{key}@example.com", "name": key}],
        "mobilePhone": f"+49 170 {variant}",
        **({"companyName": "Example"} if variant & 1 else {}),
        **({"fax": f"+49 30 {variant}"} if variant & 2 else {}),
    }
    return contact(key, fields)


class MailboxMachine(RuleBasedStateMachine):
    """One example; the test sets `lab`."""

    lab: ClassVar[Lab]

    def __init__(self) -> None:
        super().__init__()
        self.mailbox = ""
        self.same_folder = False
        self.sides: list[Side] = []
        self.broken = True

    @initialize(places=st.sampled_from(PLACES), first=shares, second=shares)
    def begin(
        self, places: tuple[str | None, str | None], first: dict[str, int], second: dict[str, int]
    ) -> None:
        lab = self.lab
        lab.do(lab.client.clear_faults())
        self.mailbox = lab.do(lab.new_mailbox())
        self.same_folder = places == (None, None)
        for folder, share in zip(places, (first, second), strict=True):
            id_ = lab.do(lab.engine.add_import(lab.tenant, self.mailbox, folder))
            self.sides.append(Side(id_, dict(share)))
        self.broken = False

    @rule(which=imports, key=st.sampled_from(KEYS), variant=st.integers(0, 3))
    def somebody_joins_or_changes(self, which: int, key: str, variant: int) -> None:
        self.sides[which].share[key] = variant

    @rule(which=imports, pick=picks)
    def somebody_leaves(self, which: int, pick: int) -> None:
        """Never the last one: a run of an empty share is held before it reaches a mailbox."""
        share = self.sides[which].share
        if len(share) > 1:
            del share[sorted(share)[pick % len(share)]]

    @rule(which=imports, requests=budgets, minutes=st.sampled_from([1, 11]))
    def a_run_reaches_the_mailbox(self, which: int, requests: int, minutes: int) -> None:
        self.publish(which)
        self.deliver(which, -1, requests, minutes)

    @rule(which=imports, pick=picks, requests=budgets)
    def an_old_message_is_delivered_twice(self, which: int, pick: int, requests: int) -> None:
        sent = self.sides[which].sent
        if sent:
            self.deliver(which, pick % len(sent), requests, 11)
            self.deliver(which, pick % len(sent), UNLIMITED, 11)

    @rule(which=imports, pick=picks, name=st.sampled_from(["displayName", "mobilePhone"]))
    def the_user_edits_a_contact_of_ours(self, which: int, pick: int, name: str) -> None:
        self.with_ours(which, pick, lambda c: self.change(c, **{name: "Mine"}))

    @rule(which=imports, pick=picks, text=st.sampled_from(["beer", "birthday in May"]))
    def the_user_takes_notes_on_a_contact_of_ours(self, which: int, pick: int, text: str) -> None:
        self.with_ours(which, pick, lambda c: self.change(c, personalNotes=text, nickName=text))

    @rule(which=imports, pick=picks)
    def the_user_deletes_a_contact_of_ours(self, which: int, pick: int) -> None:
        self.sides[which].deleted = True
        delete = self.lab.client.delete_contact
        self.with_ours(which, pick, lambda c: delete(self.lab.tenant, self.mailbox, c["id"]))

    @rule(which=imports, pick=picks)
    def a_second_copy_of_a_contact_of_ours_appears(self, which: int, pick: int) -> None:
        self.with_ours(which, pick, self.copy)

    @rule(which=imports, ours=st.booleans())
    def the_user_adds_a_contact(self, which: int, ours: bool) -> None:  # noqa: FBT001 - drawn
        """Into our folder or the default one."""
        place = self.look().place(self.sides[which].id) if ours else {"displayName": None}
        self.lab.do(self.add(displayName="Oma", personalNotes="call", folder=place["displayName"]))

    @rule(which=imports, name=st.sampled_from(["Firma", "Work"]))
    def the_user_renames_our_folder(self, which: int, name: str) -> None:
        box = self.look()
        folder = box.folder(self.sides[which].id)
        if folder is not None and name not in {f["displayName"] for f in box.folders}:
            lab = self.lab
            lab.do(lab.client.rename_folder(lab.tenant, self.mailbox, folder["id"], name))

    @rule(which=imports)
    def the_user_deletes_our_folder(self, which: int) -> None:
        folder = self.look().folder(self.sides[which].id)
        if folder is not None:
            self.lab.do(self.lab.client.delete_folder(self.lab.tenant, self.mailbox, folder["id"]))

    @rule(fault=faults, after=st.integers(0, 6), times=st.integers(1, 5))
    def graph_will_fail(self, fault: tuple[str, Json], after: int, times: int) -> None:
        path, effect = fault
        lab = self.lab
        lab.do(lab.client.fault(path, effect, after=after, times=times, tenant=lab.tenant))

    @rule()
    def delta_links_expire(self) -> None:
        self.lab.do(self.lab.client.expire_delta(self.lab.tenant))

    @rule(which=imports, rows=st.sampled_from(["", "h"]))
    def state_is_lost(self, which: int, rows: str) -> None:
        side = self.sides[which]
        self.lab.do(self.lab.engine.lose_state(self.lab.tenant, side.id, rows))
        side.lost = True

    @rule(which=imports)
    def an_import_settles_without_faults(self, which: int) -> None:
        self.lab.do(self.lab.client.clear_faults())
        self.settle(which)

    def teardown(self) -> None:
        """Without faults both imports complete, and the next sync has nothing to do."""
        if self.broken:
            return
        self.lab.do(self.lab.client.clear_faults())
        for which in (0, 1):
            self.settle(which)
        before = self.look()
        for which in (0, 1):
            result = self.settle(which)
            # If both use one folder, the first one now sees what the second one wrote.
            # Deleted contacts are looked for, since their user may take them out of Deleted Items.
            most = 2 if self.sides[which].deleted else 1
            assert result.graph_requests <= most or (self.same_folder and which == 0)
        assert self.look() == before

    def settle(self, which: int) -> Result:
        """Deliver a new run's message until it ends, and check the mailbox."""
        self.publish(which)
        lab, side = self.lab, self.sides[which]
        message, desired = side.sent[-1]
        for _ in range(_TRIES):
            self.deliver(which, -1, UNLIMITED, 11)
            result = lab.do(lab.engine.result(message))
            if result is not None:
                break
        self.broken = True
        assert result is not None
        assert (result.outcome, result.reason) == (Outcome.SUCCEEDED, None)
        assert_holds_exactly(self.look(), side.id, desired, leftovers=side.lost)
        self.broken = False
        return result

    def publish(self, which: int) -> None:
        """Start a new run of an import with its share's current contacts."""
        lab, side = self.lab, self.sides[which]
        desired = side.desired()
        contacts = list(desired.values())
        message = lab.do(lab.engine.publish(lab.tenant, side.id, self.mailbox, contacts))
        side.sent.append((message, desired))

    def deliver(self, which: int, number: int, requests: int, minutes: int) -> None:
        """Run a worker on a message; a transient error gives the message back."""
        lab, side = self.lab, self.sides[which]
        message, desired = side.sent[number]
        lab.engine.now += timedelta(minutes=minutes)
        before, self.broken = self.look(), True
        with contextlib.suppress(TransientError):
            lab.do(lab.engine.run(message, requests))
        assert_nothing_damaged(before, self.look(), side.id, desired)
        self.broken = False

    def look(self) -> Box:
        return self.lab.do(Box.look(self.lab.client, self.lab.tenant, self.mailbox))

    def with_ours(
        self, which: int, pick: int, act: Callable[[Json], Coroutine[Any, Any, object]]
    ) -> None:
        """Do something to one of an import's contacts, if it has any."""
        contacts = self.look().contacts(self.sides[which].id)
        if contacts:
            self.lab.do(act(contacts[pick % len(contacts)]))

    def change(self, ours: Json, **values: str) -> Coroutine[Any, Any, None]:
        lab = self.lab
        return lab.client.change_contact(lab.tenant, self.mailbox, ours["id"], **values)

    def add(self, **values: Any) -> Coroutine[Any, Any, Json]:
        return self.lab.client.add_contact(self.lab.tenant, self.mailbox, **values)

    def copy(self, ours: Json) -> Coroutine[Any, Any, Json]:
        """As another tool would: into the same folder, including the mark."""
        names = (*OURS, *THE_USERS, "singleValueExtendedProperties")
        values = {name: ours[name] for name in names if ours[name]}
        return self.add(**values, folder=ours["parentFolderId"])


@pytest.mark.timeout(300 + EXAMPLES * _SECONDS_PER_EXAMPLE)
def test_two_imports_keep_their_mailbox_correct_under_any_events(cloud: LocalCloud) -> None:
    with asyncio.Runner(loop_factory=QuickLoop) as runner:
        lab = runner.run(open_lab(runner, cloud))
        MailboxMachine.lab = lab
        try:
            run_state_machine_as_test(
                MailboxMachine,
                settings=settings(max_examples=EXAMPLES, stateful_step_count=STEPS),
            )
        finally:
            runner.run(lab.close())


async def open_lab(runner: asyncio.Runner, cloud: LocalCloud) -> Lab:
    client = await Client(cloud.addresses).__aenter__()
    engine = await Engine(cloud.environment).__aenter__()
    lab = Lab(runner, client, engine)
    await client.create_tenant(lab.tenant)
    return lab
