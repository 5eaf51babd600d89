"""One simulated service: loop, storage, outside, workers, host, and the world as it ought to be."""

import asyncio
import hashlib
import itertools
import logging
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from shared.domain.contacts.fields import MARK
from tests.local.graph.mailboxes.contact_values import extended_id
from tests.local.graph.mailboxes.mailbox import Contact, Folder, Mailbox
from tests.simulation.outside import Outside, WatchedMailbox
from tests.simulation.runtime.adversary import Adversary
from tests.simulation.runtime.host import CallLost, Host, Reply
from tests.simulation.runtime.loop import UNLIMITED, SimulatedLoop
from tests.simulation.runtime.workers import START, Workers
from tests.simulation.storage.queues import WEEK, Message, QueueStore
from tests.simulation.storage.tables import Key, Table, TableStore, key_of
from tests.simulation.world import Fields, Service, World

ADMIN: Final = "00000000-0000-4000-8000-0000000000aa"
_MARK: Final = extended_id(MARK)
_PERSISTENCE: Final = 400
_HEADS: Final = "MailboxHeads"
MARKER: Final = "§"
"""Begins every name of a person, so that personal data is found wherever it is."""


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that does not hold: which, where it was seen, and what was found."""

    invariant: str
    when: str
    found: str

    def __str__(self) -> str:
        return f"{self.invariant} ({self.when}): {self.found}"


@dataclass(eq=False)
class UnreliableQueues(QueueStore):
    """Queues whose messages come twice, late, and in another order.

    `sends` puts a message; scripts replace it to do so with certain ones.
    """

    adversary: Adversary | None = None

    def __post_init__(self) -> None:
        self.sends: Callable[[str, str, float, timedelta], Message] = super().put

    @contextmanager
    def sending(self, sends: Callable[[str, str, float, timedelta], Message]) -> Iterator[None]:
        """Put messages by `sends` within a block."""
        usual, self.sends = self.sends, sends
        try:
            yield
        finally:
            self.sends = usual

    def put(self, queue: str, text: str, delay: float, lives: timedelta = WEEK) -> Message:
        if self.adversary is not None and self.adversary.strikes_now("message_twice"):
            self.sends(queue, text, delay + self.adversary.delay("message_twice"), lives)
        if self.adversary is not None and self.adversary.strikes_now("message_late"):
            delay += self.adversary.delay("message_late")
        return self.sends(queue, text, delay, lives)


class WatchedTables(TableStore):
    """Tables that note which mailboxes nobody knows of since the tables were restored."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__(now)
        self.forgotten: set[Key] = set()

    def insert(self, table: str, properties: Mapping[str, Any]) -> str:
        etag = super().insert(table, properties)
        if table == _HEADS:
            self.forgotten.discard(key_of(properties))
        return etag

    def restore(self, saved: Mapping[str, Table]) -> None:
        """Go back to a copy; mailboxes whose heads it does not have are forgotten."""
        before = self.tables.get(_HEADS, Table()).rows.keys()
        super().restore(saved)
        self.forgotten |= before - self.tables.get(_HEADS, Table()).rows.keys()


@dataclass(eq=False, slots=True)
class Simulation:
    """Everything of one history. Use it within `running`."""

    seed: str
    knobs: Mapping[str, float]
    by_sdk: bool = False
    violations: list[Violation] = field(default_factory=list)
    lines: list[str] | None = None
    loop: SimulatedLoop = field(init=False)
    adversary: Adversary = field(init=False)
    tables: WatchedTables = field(init=False)
    queues: "UnreliableQueues" = field(init=False)
    outside: Outside = field(init=False)
    workers: Workers = field(init=False)
    host: Host = field(init=False)
    world: World = field(init=False, default_factory=World)
    rng: random.Random = field(init=False)
    guests: random.Random = field(init=False)
    guards: random.Random = field(init=False)
    themes: random.Random = field(init=False)
    calm_since: float | None = None
    saved: tuple[Mapping[str, Table], Service] | None = None
    answers: dict[tuple[str, str], list[dict[str, Any]]] = field(init=False, default_factory=dict)
    scripts: list[asyncio.Future[Any]] = field(init=False, default_factory=list)
    acts: Counter[str] = field(init=False, default_factory=Counter)
    tenants_of_people: dict[str, str] = field(init=False, default_factory=dict)
    _ids: "itertools.count[int]" = field(init=False, default_factory=lambda: itertools.count(1))
    _digest: Any = None

    def __post_init__(self) -> None:
        self.loop = SimulatedLoop()
        self.adversary = Adversary(self.seed, self.knobs)
        self.rng = random.Random(f"{self.seed}:history")
        self.guests = random.Random(f"{self.seed}:guests")
        self.guards = random.Random(f"{self.seed}:guards")
        self.themes = random.Random(f"{self.seed}:themes")
        ids, delays = random.Random(f"{self.seed}:ids"), random.Random(f"{self.seed}:delays")
        self.outside = Outside(self.loop, self.adversary, delays, START, self._seen)
        self.tables = WatchedTables(self.now)
        self.queues = UnreliableQueues(self.now)
        self.queues.adversary = self.adversary
        self.workers = Workers(
            self.loop, self.adversary, self.outside, self.tables, self.queues, ids,
            by_sdk=self.by_sdk,
        )  # fmt: skip
        self.host = Host(self.loop, self.adversary, self.queues, self.workers, delays, self.now)
        if self.lines is not None:
            self.trace(self.lines)

    def trace(self, lines: list[str]) -> None:
        """Write what happens into these lines."""

        def told(text: str) -> None:
            lines.append(f"{self.now():%d %H:%M:%S.%f} {text}")

        self.lines = lines
        self.workers.network.told = self.host.told = self.outside.trace = told

    def digest(self) -> str:
        """Return a hash of all lines of the trace."""
        return hashlib.sha256("\n".join(self.lines or ()).encode()).hexdigest()

    def run(self, script: Coroutine[Any, Any, object]) -> None:
        """Run a script of the outside to its end, then close all that is left."""
        try:
            self.loop.finish(script)
        finally:
            self.loop.most_steps = UNLIMITED
            self.workers.bury_all()
            self.loop.close()

    def now(self) -> datetime:
        """Return the true time."""
        return self.outside.now()

    def new_id(self) -> str:
        """Return an id of the directory."""
        return f"{next(self._ids):08x}-0000-4000-8000-000000000000"

    def note(self, text: str) -> None:
        """Write a line of the trace."""
        self.host.tell(text)

    def violated(self, invariant: str, when: str, found: str) -> None:
        """Note that an invariant does not hold."""
        self.note(f"VIOLATED {invariant} ({when}): {found}")
        self.violations.append(Violation(invariant, when, found))

    # What admins do.

    async def api(
        self, tenant: str, method: str, path: str, body: object = None, **headers: str
    ) -> Reply:
        """Call the API as an admin who repeats a call until it is answered for good."""
        for _ in range(_PERSISTENCE):
            try:
                reply = await self.host.call(
                    (tenant, ADMIN), method, f"api/v1/{path}", body, **headers
                )
            except CallLost:
                self.note(f"call {method} {path}: lost")
                await asyncio.sleep(5)
                continue
            under_way = reply.status == 409 and reply.body["code"] == "idempotency_key_in_use"
            if reply.status < 500 and reply.status != 429 and not under_way:
                return reply
            await asyncio.sleep(10)
        raise AssertionError(f"{method} {path} is never answered")

    # What the directory holds.

    def add_people(self, tenant: str, number: int) -> list[str]:
        """Add people with a mail address to a tenant's directory, without mailboxes."""
        self.outside.consents.add(tenant)
        found: list[str] = []
        users = self.outside.graph.tenant(tenant).directory.users
        for _ in range(number):
            id_ = self.new_id()
            users[id_] = {
                "id": id_,
                "displayName": f"{MARKER}{next(self._ids)}",
                "mobilePhone": f"{MARKER}{next(self._ids)}",
                "city": "Bonn",
                "mail": f"{id_}@example.com",
                "userPrincipalName": f"{id_}@example.com",
                "accountEnabled": True,
            }
            self.world.people[id_] = _fields(users[id_])
            found.append(id_)
        return found

    def rename(self, tenant: str, person: str) -> None:
        """Change a person's name, phone and address, which may be empty then."""
        user = self.outside.graph.tenant(tenant).directory.users[person]
        user["displayName"] = f"{MARKER}{next(self._ids)}"
        user["mobilePhone"] = f"{MARKER}{next(self._ids)}"
        user["city"] = None if user["city"] else "Bonn"
        self.outside.graph.tenant(tenant).names = None
        self.world.people[person] = _fields(user)

    def set_group(self, tenant: str, group: str, members: list[str]) -> None:
        """Say who is in a group."""
        self.outside.graph.tenant(tenant).directory.groups[group] = {
            "id": group, "displayName": "Group", "members": list(members),
        }  # fmt: skip
        self.world.groups[group] = list(members)

    # What mailboxes hold.

    def mailbox(self, user: str) -> Mailbox | None:
        """Return a mailbox that exists now."""
        tenant = self.world.mailboxes[user]
        return self.outside.graph.tenant(tenant).mailboxes.get(user)

    def ours(self, mailbox: Mailbox) -> Iterator[tuple[str, str, Contact]]:
        """Return our contacts in a mailbox: import, key and contact."""
        for folder in mailbox.folders.values():
            for contact in folder.contacts.values():
                if mark := marked(contact):
                    yield (*mark, contact)

    @contextmanager
    def as_user(self, mailbox: Mailbox) -> Iterator[None]:
        """Do as the mailbox's user does, in the context of the outside."""
        if isinstance(mailbox, WatchedMailbox):
            mailbox.by_user = True
            try:
                yield
            finally:
                mailbox.by_user = False

    def forgotten(self, tenant: str, import_: str, user: str) -> bool:
        """Whether restored tables do not say that an import may have contacts in a mailbox."""
        return (f"{tenant}|{import_}", user) in self.tables.forgotten

    async def until(self, moment: datetime) -> None:
        """Let time pass until a moment."""
        await self.host.run_until(moment)

    async def wait(self, seconds: float) -> None:
        """Let some seconds pass."""
        await self.host.run_until(self.now() + timedelta(seconds=seconds))

    def calm(self) -> None:
        """End all that goes wrong."""
        self.adversary.calm = True
        self.workers.network.outage.clear()
        self.outside.outage = 0.0
        self.outside.graph.denied.clear()
        for tenant in self.outside.graph.tenants:
            self.outside.fill_mailboxes(tenant, None)
        for worker in self.workers.all:
            worker.life.fuse = -1
        self.calm_since = self.loop.time()
        self.note("calm")

    def _seen(self, what: str, mailbox: WatchedMailbox, folder: Folder, contact: Contact) -> None:
        mark = marked(contact)
        if what == "delete" and mark is None:
            self.violated("I3", "at once", f"deleted a contact of {mailbox.name}")
        elif what == "delete" and mark is not None:
            import_, key = mark
            twice = any(
                marked(other) == mark
                for place in mailbox.folders.values()
                for other in place.contacts.values()
            )
            if not twice and (import_, mailbox.name, key) not in self.world.unwanted:
                self.violated("I4", "at once", f"deleted {key} of {import_} in {mailbox.name}")
        elif what == "update" and (mailbox.name, contact.core) in self.world.own:
            self.violated("I3", "at once", f"changed a contact of {mailbox.name}")
        del folder


def marked(contact: Contact) -> tuple[str, str] | None:
    """Return the import and the key that a contact's mark names."""
    text = contact.extended.get(_MARK)
    if not text:
        return None
    import_, _, key = text.partition(":")
    return import_, key


def said(contact: Contact) -> Fields:
    """Return what a contact says of its person."""
    return str(contact.values.get("displayName")), str(contact.values.get("mobilePhone"))


def _fields(user: Mapping[str, Any]) -> Fields:
    return user["displayName"], user["mobilePhone"]


@contextmanager
def silence() -> Iterator[None]:
    """Let the app log nothing."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
