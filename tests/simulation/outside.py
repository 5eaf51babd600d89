"""Everything outside of the service: Microsoft Graph, Entra ID, and the users of mailboxes.

Graph is the simulator of the local cloud, called in this process.
"""

import asyncio
import itertools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import orjson
from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import ClientAuthenticationError

from shared.adapters.entra.access_tokens import AccessTokens, Caller
from shared.adapters.entra.credentials import AppCredentials
from shared.adapters.graph.wire import WireRequest, WireResponse
from shared.adapters.webhook_post import Posted
from shared.domain.errors import NeedsAdmin, Unavailable
from shared.domain.notices.deliveries import AttemptOutcome
from shared.domain.reasons import Reason
from shared.services.tenancy.limits import Budget, Limiter
from tests.local.entra.tokens import GRAPH_PERMISSIONS
from tests.local.graph import sources
from tests.local.graph.mailboxes.mailbox import Contact, Folder, Mailbox
from tests.local.graph.protocol import Answer, DropConnection, GraphError, Request
from tests.local.graph.quirks import QUIRKS, Value
from tests.local.graph.server import GraphServer, GraphSettings
from tests.simulation.runtime.adversary import Adversary
from tests.simulation.runtime.loop import WORKER, Buried, SimulatedLoop

ENDPOINT: Final = "http://127.0.0.1/v1.0"
ROLES: Final = frozenset(GRAPH_PERMISSIONS)
CLIENT: Final = "app"
"""The client id of the app itself, whose callers may do what their role allows."""
_TIMEOUT: Final = 60.0
FULL: Final = "fullMailbox"
"""The quirk that an act turns on for a time."""

type Change = Callable[[str, "WatchedMailbox", Folder, Contact], None]


class WatchedMailbox(Mailbox):
    """A mailbox that tells who looks on what the app does to its contacts."""

    def __init__(self, name: str, told: Change) -> None:
        super().__init__()
        self.name = name
        self.told = told
        self.by_user = False

    def add_contact(self, folder: Folder, body: dict[str, Any]) -> Contact:
        contact = super().add_contact(folder, body)
        self._tell("create", folder, contact)
        return contact

    def change_contact(self, folder: Folder, contact: Contact, body: dict[str, Any]) -> None:
        super().change_contact(folder, contact, body)
        self._tell("update", folder, contact)

    def remove_contact(self, folder: Folder, contact: Contact) -> None:
        super().remove_contact(folder, contact)
        self._tell("delete", folder, contact)

    def remove_folder(self, folder: Folder) -> None:
        contacts = list(folder.contacts.values())
        super().remove_folder(folder)
        for contact in contacts:
            self._tell("delete", folder, contact)

    def _tell(self, what: str, folder: Folder, contact: Contact) -> None:
        if not self.by_user:
            self.told(what, self, folder, contact)


class _Graph(GraphServer):
    """The simulator, whose batches are answered at one moment but may be refused in parts."""

    def __init__(self, adversary: Adversary) -> None:
        super().__init__(GraphSettings(verify=lambda _: {}, base_url=ENDPOINT))
        self._adversary = adversary
        self.denied: dict[str, str] = {}
        self.refuses_contacts = False

    async def one(self, request: Request, *, batch_item: bool) -> Answer:
        for mailbox, code in self.denied.items():
            if f"/users/{mailbox}/" in request.path:
                return GraphError(403, code, "Access is denied.").answer()
        if self.refuses_contacts and request.method == "POST" and request.path.endswith("contacts"):
            return GraphError(400, "ErrorInvalidRequest", "Refused.").answer()
        if not self._adversary.strikes_now("graph_refused"):
            return await super().one(request, batch_item=batch_item)
        source = self._adversary.source("graph_refused")
        status = source.choice((429, 429, 503, 504))
        if status == 504 and source.random() < 0.5:
            await super().one(request, batch_item=batch_item)
        wait = str(source.choice((0, 1, 3, 10, 120)))
        return GraphError(status, "Refused", "Refused.", {"Retry-After": wait}).answer()

    async def _unordered(self, parsed: list[Request | GraphError]) -> list[Answer]:
        return [await self._step(item) for item in parsed]


@dataclass(slots=True)
class Outside:
    """Graph and Entra ID of all tenants; `gone` are mailboxes that Exchange may give back."""

    loop: SimulatedLoop
    adversary: Adversary
    rng: random.Random
    start: datetime
    told: Change
    graph: _Graph = field(init=False)
    consents: set[str] = field(default_factory=set)
    gone: dict[tuple[str, str], Mailbox] = field(default_factory=dict)
    were_gone: set[str] = field(default_factory=set)
    outage: float = 0.0
    latency: tuple[float, float] = (0.01, 0.1)
    trace: Callable[[str], None] | None = None
    sent: Callable[[], None] = lambda: None
    _now: tuple[float, datetime] = field(init=False)

    def __post_init__(self) -> None:
        self._now = 0.0, self.start
        numbers, tokens = itertools.count(1), itertools.count(1)
        given = sources.Sources(
            now=self.now,
            seconds=self.loop.time,
            token=lambda: f"t{next(tokens)}",
            numbers=numbers,
        )
        self.loop.outside.run(sources.use, given)
        self.graph = _Graph(self.adversary)

    def now(self) -> datetime:
        """Return the true time; workers may have another."""
        seconds, known = self._now
        if seconds != self.loop.time():
            seconds = self.loop.time()
            known = self.start + timedelta(seconds=seconds)
            self._now = seconds, known
        return known

    def add_mailbox(self, tenant: str, user: str) -> WatchedMailbox:
        """Give a user a mailbox."""
        made = WatchedMailbox(user, self.told)
        self.graph.tenant(tenant).mailboxes[user] = made
        self._license(tenant, user)
        return made

    def _license(self, tenant: str, user: str) -> None:
        licenses = [{"skuId": "exchange", "disabledPlans": []}]
        self.graph.tenant(tenant).directory.users[user]["assignedLicenses"] = licenses

    def take_mailbox(self, tenant: str, user: str) -> None:
        """Take a mailbox away, as Exchange does when its license goes."""
        self.graph.tenant(tenant).directory.users[user].pop("assignedLicenses", None)
        self.gone[tenant, user] = self.graph.tenant(tenant).mailboxes.pop(user)
        self.were_gone.add(user)

    def draw_quirks(self, tenant: str, rng: random.Random) -> Mapping[str, Value]:
        """Draw how Graph answers in a tenant, where documents and reports disagree."""
        drawn = {
            quirk.name: rng.choice(quirk.values)
            for quirk in QUIRKS
            if quirk.name != FULL and rng.random() < 0.5
        }
        self.graph.quirks.set({"tenant": tenant, **drawn})
        return drawn

    def quirk(self, tenant: str, name: str) -> Value:
        """Return the value of a quirk in a tenant."""
        return self.graph.quirks.of(tenant)[name]

    def fill_mailboxes(self, tenant: str, how: Value | None) -> None:
        """Leave a tenant's mailboxes without space; None gives it back."""
        self.graph.quirks.set({"tenant": tenant, FULL: how})

    def return_mailbox(self, tenant: str, user: str) -> None:
        """Give a mailbox back with everything that was in it: the user has a license again."""
        self._license(tenant, user)
        self.graph.tenant(tenant).mailboxes[user] = self.gone.pop((tenant, user))

    async def send(self, request: WireRequest) -> WireResponse:
        """Carry one request of the app to Graph, as `Wire` says."""
        worker = WORKER.get()
        if worker is not None and worker.buried:
            raise Buried
        if request.tenant not in self.consents:
            raise NeedsAdmin(Reason.CONSENT_MISSING, "AADSTS700016")
        self.sent()
        future = self.loop.create_future()
        lost = "before" if self.loop.time() < self.outage else ""
        there, adversary = self.rng.uniform(*self.latency), self.adversary
        if adversary.strikes_now("graph_lost"):
            lost = adversary.source("graph_lost").choice(("before", "after"))
        if adversary.strikes_now("graph_slow"):
            there += adversary.log_uniform("graph_slow", 1.0, _TIMEOUT)
        if adversary.strikes_now("graph_late"):
            lost = "late"
            there = _TIMEOUT + adversary.source("graph_late").uniform(0.0, 240.0)
            self.loop.later(_TIMEOUT, _fail, future)
        self.loop.later(there, self._arrive, request, future, lost)
        response: WireResponse = await future
        return response

    async def close(self) -> None:
        """Close nothing: all of it lives in this process."""

    def _arrive(self, request: WireRequest, future: asyncio.Future[Any], lost: str) -> None:
        answer: Answer | None = None
        if lost != "before":
            body = orjson.loads(request.body) if request.body else None
            url = request.url.removeprefix(ENDPOINT)
            headers = {name.lower(): value for name, value in request.headers.items()}
            if body is not None:
                headers.setdefault("content-type", "application/json")
            parsed = Request.parse(request.tenant, ROLES, request.method, url, headers, body)
            try:
                answer = _at_once(self.graph.answer(parsed))
            except GraphError as error:
                answer = error.answer()
            except DropConnection:
                lost = "after"
        if self.trace is not None:
            status = answer.status if answer is not None else "lost"
            self.trace(f"graph {request.method} {request.url}: {status} {lost}")
        if future.done():
            return
        if answer is None or lost:
            _fail(future)
            return
        content = answer.body if isinstance(answer.body, bytes) else b""
        if answer.body is not None and not content:
            content = orjson.dumps(answer.body)
        names = {name.lower(): value for name, value in answer.headers.items()}
        future.set_result(WireResponse(answer.status, content, names))


def _at_once(coroutine: Any) -> Answer:
    """Return what a coroutine returns that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        answer: Answer = stop.value
        return answer
    raise AssertionError("the simulator waited")


def _fail(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_exception(Unavailable("Microsoft Graph did not answer.", 1.0))


class _Credential(AsyncTokenCredential):
    """Gives a token that names its tenant, if the tenant consented."""

    def __init__(self, outside: Outside, tenant: str) -> None:
        self._outside = outside
        self._tenant = tenant

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        del scopes, options
        if self._tenant not in self._outside.consents:
            raise ClientAuthenticationError("AADSTS700016")
        return AccessToken(self._tenant, 2**33)

    async def close(self) -> None:
        pass

    async def __aexit__(self, *args: object) -> None:
        pass


class Credentials(AppCredentials):
    """The app's credentials in the tenants that consented."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    def of(self, tenant: str) -> AsyncTokenCredential:
        return _Credential(self._outside, tenant)

    async def prove(self, tenant: str) -> frozenset[str]:
        await asyncio.sleep(0.05)
        if tenant not in self._outside.consents:
            raise NeedsAdmin(Reason.CONSENT_MISSING, "AADSTS700016")
        return ROLES

    def forget(self, tenant: str) -> None:
        pass

    async def close(self) -> None:
        pass


class Tokens(AccessTokens):
    """Reads who calls from the header itself: tenant and object id."""

    def __init__(self) -> None:
        pass

    async def caller(self, authorization: str | None) -> Caller:
        _, tenant, oid = str(authorization).split()
        # A sign-in that never gets old: the histories are not about sessions.
        now = datetime.max.replace(tzinfo=UTC)
        who = Caller(tenant, oid, "Ada", frozenset({"Admin"}), client=CLIENT)
        return replace(who, issued=now, signed_in=now)


_PLENTY: Final = 1_000_000


class NoLimits(Limiter):
    """Lets every call pass."""

    def __init__(self) -> None:
        pass

    def count_call(self, caller: Caller, group: str | None) -> None:
        pass

    def own_budget(self, caller: Caller) -> Budget:
        del caller
        return Budget(_PLENTY, _PLENTY, 0.0)

    def require_guesses_left(self, caller: Caller) -> None:
        pass

    def guessed(self, caller: Caller) -> None:
        pass

    def count_read(self, caller: Caller, share: str) -> None:
        pass


class NoWebhooks:
    """Receivers of notices, none of which answers."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Posted:
        """Return that there was no connection."""
        del url, body, headers
        return Posted(AttemptOutcome.UNREACHABLE)


def no_http() -> httpx.AsyncClient:
    """Return an HTTP client that reaches nothing."""
    return httpx.AsyncClient(transport=httpx.MockTransport(_nothing))


def _nothing(request: httpx.Request) -> httpx.Response:
    del request
    return httpx.Response(404)


def headers_of(caller: tuple[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a call by a person: tenant and object id."""
    return {"Authorization": f"Bearer {caller[0]} {caller[1]}", **more}
