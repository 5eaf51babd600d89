"""Workers: one process of the app each, with caches of its own, that may die at any await."""

import random
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

import httpx
from azure.data.tables.aio import TableServiceClient
from azure.storage.queue.aio import QueueServiceClient

from shared.adapters.graph.wire import SdkWire, Wire, WireRequest
from shared.domain.errors import Unavailable
from shared.wiring import app as wiring
from shared.wiring.ports import Ports
from shared.wiring.settings import Settings
from tests.simulation.outside import (
    CLIENT,
    ENDPOINT,
    Credentials,
    NoLimits,
    NoWebhooks,
    Outside,
    Tokens,
    no_http,
)
from tests.simulation.runtime.adversary import Adversary
from tests.simulation.runtime.loop import WORKER, Mortal, SimulatedLoop
from tests.simulation.runtime.network import Network
from tests.simulation.storage.clients import QueueService, TableService
from tests.simulation.storage.queues import QueueStore
from tests.simulation.storage.tables import TableStore

START: Final = datetime(2026, 11, 30, tzinfo=UTC)
_MOST_STEPS: Final = 4_000
_SKEW: Final = 45.0
_NOTHING_OPEN: Final = '"open":null,"waiting":[],"ended":[]'
HOME: Final = "00000000-0000-4000-8000-00000000000f"
SETTINGS: Final = Settings.from_environment(
    {
        "LEAVING_HOURS": "0",
        "AzureWebJobsStorage": "UseDevelopmentStorage=true",
        "ENTRA_AUTHORITY": "http://127.0.0.1",
        "GRAPH_ENDPOINT": ENDPOINT,
        "PORTAL_ORIGIN": "http://127.0.0.1",
        "SESSION_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
        "HOME_TENANT_ID": HOME,
        "APP_CLIENT_ID": CLIENT,
        "APP_CREDENTIAL": "client-secret",
        "APP_CLIENT_SECRET": "secret",
    }
)


@dataclass(eq=False, slots=True)
class Worker:
    """One worker process: its life, its app, and the context in which its functions run."""

    life: Mortal
    app: wiring.App
    context: Context
    deliveries: dict[Any, None] = field(default_factory=dict)


class Workers:
    """Starts workers and remembers them, so that none of what they hold is collected."""

    def __init__(
        self,
        loop: SimulatedLoop,
        adversary: Adversary,
        outside: Outside,
        tables: TableStore,
        queues: QueueStore,
        rng: random.Random,
        *,
        by_sdk: bool = False,
    ) -> None:
        """With `by_sdk` requests to Graph take the whole way through Microsoft's SDK."""
        self._loop = loop
        self._adversary = adversary
        self._outside = outside
        self._rng = rng
        self._by_sdk = by_sdk
        self.network = Network(loop, adversary, rng)
        self._tables = TableService(tables, self.network)
        self._queues = QueueService(queues, self.network)
        self._http = no_http()
        self.all: list[Worker] = []

    def start(self, name: str, on_fuse: Callable[[Worker], None]) -> Worker:
        """Start a worker; a fuse may end it a few or a few thousand steps later."""
        life = Mortal(f"{name}#{len(self.all)}", lambda: on_fuse(worker))
        skew = 0.0
        if self._adversary.strikes_now("skew"):
            skew = self._adversary.source("skew").uniform(-_SKEW, _SKEW)
        if self._adversary.strikes_now("kill"):
            life.fuse = int(self._adversary.log_uniform("kill", 2, _MOST_STEPS))
        made = wiring.App(SETTINGS, self._ports(skew))
        context = Context()
        context.run(WORKER.set, life)
        context.run(wiring.use, made)
        worker = Worker(life, made, context)
        self.all.append(worker)
        return worker

    def no_run_open(self) -> bool:
        """Whether no import has a run that is open, waits, or is still to be ended."""
        imports = self._tables.store.tables.get("Imports")
        return imports is None or all(
            _NOTHING_OPEN in str(entity.properties["body00"])
            for (_, row), entity in imports.rows.items()
            if row.startswith("~")
        )

    def bury_all(self) -> None:
        """Close what dead and living workers left standing, at the end of a history."""
        for worker in self.all:
            worker.life.die()
            self._loop.bury(worker.life)
        self.all.clear()

    def _ports(self, skew: float) -> Ports:
        start, loop = START + timedelta(seconds=skew), self._loop
        credentials = Credentials(self._outside)
        wire: Wire = self._outside
        if self._by_sdk:
            wire = SdkWire(ENDPOINT, credentials, _Transport(self._outside))
        return Ports(
            clock=lambda: start + timedelta(seconds=loop.time()),
            new_id=lambda: f"{self._rng.getrandbits(128):032x}",
            tables=cast("TableServiceClient", self._tables),
            queues=cast("QueueServiceClient", self._queues),
            wire=wire,
            credentials=credentials,
            http=self._http,
            tokens=Tokens(),
            limiter=NoLimits(),
            webhooks=NoWebhooks(),
        )


class _Transport(httpx.AsyncBaseTransport):
    """Carries what Microsoft's SDK sends to the outside; the tenant is read from the token."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        _, tenant = request.headers["Authorization"].split()
        headers = dict(request.headers)
        sent = WireRequest(tenant, request.method, str(request.url), headers, body or None)
        try:
            answer = await self._outside.send(sent)
        except Unavailable as error:
            raise httpx.ReadTimeout("lost") from error
        return httpx.Response(answer.status, content=answer.content, headers=answer.headers)
