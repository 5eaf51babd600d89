"""A company with receivers of notices, for the tests of notices: the test runs their messages."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import orjson

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.storage.store import TENANT_ROW
from shared.adapters.webhook_post import Posted
from shared.domain.importing.messages import DeliverNotice
from shared.domain.model import Model
from shared.domain.notices.deliveries import BETWEEN, AttemptOutcome, Channel, Delivery
from shared.domain.notices.settings import Receiver
from shared.domain.tenancy.tenants import TenantStatus
from shared.services.idempotency import Execution
from shared.wiring import app as wiring

ACCEPTED = Posted(AttemptOutcome.ACCEPTED, 204)
FAILED = Posted(AttemptOutcome.REJECTED, 500)
URL = "http://localhost:9/hook"
HOOK = Channel.WEBHOOK


class Post:
    """A receiver of notices that answers what a test says."""

    def __init__(self) -> None:
        self.answer: Posted | type[BaseException] = ACCEPTED
        self.got: list[tuple[Mapping[str, str], Any]] = []

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Posted:
        assert url == URL
        self.got.append((headers, orjson.loads(body)))
        if isinstance(self.answer, Posted):
            return self.answer
        raise self.answer

    @property
    def told(self) -> list[list[str]]:
        """What each request is about: kinds and states."""
        return [
            [f"{item['kind']} {item['state']}" for item in body["data"]["items"]]
            for _, body in self.got
        ]

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for headers, _ in self.got]


class Sent:
    """Stands for the queue: the test runs the messages itself."""

    def __init__(self) -> None:
        self.messages: list[tuple[DeliverNotice, float]] = []

    async def send(self, queue: str, message: Model, delay: float = 0) -> None:
        assert queue == "notices"
        assert isinstance(message, DeliverNotice)
        self.messages.append((message, delay))


async def no_check() -> None:
    """Let an erasure go on."""


class Company:
    """A tenant with a webhook, and a clock that the test moves."""

    def __init__(self) -> None:
        self.ahead = timedelta()
        self.receiver, self.sent = Post(), Sent()
        self.tenant = str(uuid4())
        self.caller = Caller(self.tenant, "ada", "Ada", frozenset({"Admin"}), origin="portal")
        self.app: wiring.App

    async def status(self, status: TenantStatus) -> None:
        tenants = self.app.base.store.tenants
        stored = await tenants.get(self.tenant, TENANT_ROW)
        assert stored is not None
        await tenants.upsert(self.tenant, TENANT_ROW, stored.value.copy_with(status=status))

    async def later(self, passed: timedelta = BETWEEN) -> None:
        """Let time pass, then look, and deliver what is due."""
        self.ahead += passed
        await self.app.notices.watch.look(self.tenant)
        await self.deliver()

    async def deliver(self) -> None:
        """Run the messages that were sent, each twice, as a queue may."""
        messages, self.sent.messages = self.sent.messages, []
        for message, _ in messages:
            await self.app.notices.courier.deliver(message)
            await self.app.notices.courier.deliver(message)

    async def send_test(self, execution: Execution | None = None) -> Delivery:
        """Send a test to the webhook, by a call of its own or as one execution of a call."""
        once = execution or self.app.idempotency.once()
        return await self.app.notices.log.test(self.caller, HOOK, once)

    async def webhook(self) -> Receiver:
        settings = (await self.app.notices.preferences.read(self.tenant)).value
        return settings.receivers[HOOK]

    async def log(self) -> list[Delivery]:
        found = await self.app.notices.log.page(self.caller, 50, None)
        return [stored.value for stored in found.items]
