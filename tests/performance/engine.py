"""The app as it runs in Azure, for one mailbox at a time: no host, no queue, everything counted."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from shared.domain.contacts.fields import Contact
from shared.domain.errors import TransientError
from shared.domain.importing.imports import GuardLimits, Import, Targets
from shared.domain.importing.messages import SyncMailbox
from shared.wiring import app as wiring
from shared.wiring.ports import open_ports
from shared.wiring.settings import Settings
from tests.local.certificates import trust
from tests.local.client import Client
from tests.local.cloud import LocalCloud
from tests.open_runs import open_run
from tests.world import World


@dataclass(slots=True)
class Cost:
    """What a piece of work cost, as the Graph simulator counted it."""

    requests: int = 0
    items: int = 0
    throttled: int = 0
    at_once: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class _Clock:
    passed: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.passed


@dataclass(slots=True)
class Engine:
    """The wired app, the cloud around it, and its clock; `worst` sums up all syncs."""

    app: wiring.App
    client: Client
    clock: _Clock
    worst: Cost = field(default_factory=Cost)

    async def box(self) -> "Box":
        """A mailbox in a tenant of its own, with an import that never ran."""
        world = await World.create(self.client, people=0, targets=1)
        now, import_id = self.app.clock(), wiring.new_id()
        import_ = Import(
            id=import_id,
            name="Bench",
            share_id=wiring.new_id(),
            targets=Targets(users=world.targets),
            guard=GuardLimits(deletes=100_000, changes=100_000),
            created=now,
            changed=now,
        )
        await self.app.base.store.imports.upsert(world.tenant, import_id, import_)
        return Box(self, world, import_id)


@dataclass(slots=True)
class Box:
    """One mailbox of one import."""

    engine: Engine
    world: World
    import_id: str

    async def message(self, contacts: Sequence[Contact]) -> SyncMailbox:
        """Publish contacts for a run of another day; the message that asks for them."""
        app, run = self.engine.app, wiring.new_id()
        self.engine.clock.passed += timedelta(days=1)
        return await open_run(
            app.base.store,
            self.world.tenant,
            self.import_id,
            run,
            self.world.targets[0],
            contacts,
            app.clock(),
        )

    async def sync(self, contacts: Sequence[Contact]) -> Cost:
        """Bring the mailbox to these contacts, as often as it takes."""
        app, message = self.engine.app, await self.message(contacts)
        cost = Cost()
        await self.engine.client.reset_requests()
        while True:
            started = time.perf_counter()
            try:
                await app.sync.mailbox_sync.run(message)
            except TransientError as error:
                # The queue shows the message again after this time; so does the simulator's
                # window of ten minutes end, which forgets when it is reset.
                self.engine.clock.passed += timedelta(seconds=error.retry_after)
                await self._count(cost, started)
                await self.engine.client.reset_requests()
            else:
                await self._count(cost, started)
                return cost

    async def _count(self, cost: Cost, started: float) -> None:
        cost.seconds += time.perf_counter() - started
        counted = (await self.engine.client.requests())["tenants"][self.world.tenant]["mailboxes"]
        use = counted[self.world.targets[0]]
        cost.requests += use["http"]
        cost.items += use["batchItems"]
        for total in (cost, self.engine.worst):
            total.throttled += use["throttled"]
            total.at_once = max(total.at_once, use["maxConcurrent"])


@asynccontextmanager
async def engine(cloud: LocalCloud) -> AsyncIterator[Engine]:
    """The app in this process, with the cloud's settings."""
    trust(cloud.environment["SSL_CERT_FILE"])
    moved = _Clock()
    settings = Settings.from_environment(cloud.environment)
    app = wiring.App(settings, open_ports(settings, moved.now, wiring.new_id))
    try:
        yield Engine(app, cloud.client, moved)
    finally:
        await app.close()


def people(count: int, changed: int = 0) -> list[Contact]:
    """Contacts as an ordinary directory gives them, the first `changed` with a new title."""
    return [
        Contact.of(
            f"u-{number:08d}-0000-4000-8000-000000000000",
            {
                "displayName": f"Given{number} Surname{number}",
                "givenName": f"Given{number}",
                "surname": f"Surname{number}",
                "companyName": "Contoso",
                "department": f"Department {number % 40}",
                "jobTitle": "Promoted" if number < changed else f"Title {number % 90}",
                "officeLocation": f"{number % 12}/{number % 300}",
                "emailAddresses": [
                    {"address": f"p{number}@contoso.example", "name": f"p{number}@contoso.example"}
                ],
                "businessPhones": [f"+49 30 5550{number:06d}"],
                "mobilePhone": f"+49 170 5550{number:06d}",
                "businessAddress": {
                    "street": "Hauptstr. 1",
                    "city": "Berlin",
                    "postalCode": "10115",
                },
            },
        )
        for number in range(count)
    ]


def new_tenant() -> str:
    """An id for a tenant."""
    return str(uuid4())
