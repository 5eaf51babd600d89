"""The simulator's server: tokens, counting, limits, faults, routing, batches.

A request is handled the same way alone or in a batch: it is counted, a fault may apply, it takes
one of the mailbox's four slots, waits for the latency, and is answered.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from aiohttp import web

from tests.local.graph import responses
from tests.local.graph.directory.delta import DirectoryDelta
from tests.local.graph.directory.objects import Directory, DirectoryApi
from tests.local.graph.limits import Faults, Meter, resource_units
from tests.local.graph.mailboxes.contacts import OutlookApi
from tests.local.graph.mailboxes.mailbox import Mailbox
from tests.local.graph.protocol import Answer, DropConnection, GraphError, Request
from tests.local.graph.quirks import Quirks
from tests.local.graph.routes import Route, routes
from tests.local.graph.sources import sources
from tests.local.graph.strict import replies, requests

GRAPH_AUDIENCES = {"https://graph.microsoft.com", "00000003-0000-0000-c000-000000000000"}
MOST_IN_BATCH = 20
AT_ONCE_IN_BATCH = 4


@dataclass(frozen=True, slots=True)
class GraphSettings:
    """Settings of the simulator.

    `verify` checks a bearer token's signature and returns its claims, or raises
    `PermissionError`. `base_url` ends in /v1.0.
    """

    verify: Callable[[str], Mapping[str, Any]]
    base_url: str


@dataclass(slots=True)
class Tenant:
    """One tenant's directory and mailboxes.

    `assignments` are the app's roles in Exchange: a permission, and the mailboxes in its scope
    (docs: application-rbac).
    """

    directory: Directory = field(default_factory=Directory)
    mailboxes: dict[str, Mailbox] = field(default_factory=dict)
    assignments: list[tuple[str, frozenset[str]]] = field(default_factory=list)
    names: dict[str, str] | None = None

    def name_of(self, address: str) -> str | None:
        """Return the name of the user or contact with a mail address; None if there is none."""
        if self.names is None:
            found = [*self.directory.contacts.values(), *self.directory.users.values()]
            self.names = {
                str(o["mail"]).casefold(): str(o.get("displayName") or "")
                for o in found
                if o.get("mail")
            }
        return self.names.get(address.casefold())

    def opened(self, user: str) -> frozenset[str]:
        """Return the permissions that Exchange gives the app in a mailbox."""
        return frozenset(permission for permission, users in self.assignments if user in users)


class GraphServer:
    """The whole simulator."""

    def __init__(self, settings: GraphSettings) -> None:
        self.settings = settings
        self.tenants: dict[str, Tenant] = {}
        self.meter = Meter()
        self.faults = Faults()
        self.quirks = Quirks()
        self.item_seconds = 0.0
        self.directory = DirectoryApi(settings.base_url)
        self.outlook = OutlookApi(settings.base_url)
        self.delta = DirectoryDelta(settings.base_url)
        self._routes = routes(self.directory, self.delta, self.outlook)
        self._routes_by_method: dict[str, list[Route]] = {}
        for route in self._routes:
            self._routes_by_method.setdefault(route.method, []).append(route)

    def tenant(self, id_: str) -> Tenant:
        return self.tenants.setdefault(id_, Tenant())

    async def serve(self, http: web.Request) -> web.StreamResponse:
        """Answer one HTTP request below /v1.0."""
        request_id = sources().guid()
        client_id = http.headers.get("client-request-id") or request_id
        try:
            answer = await self.answer(await self._request(http))
        except GraphError as error:
            answer = error.answer()
        except DropConnection:
            if http.transport is not None:
                http.transport.abort()
            raise asyncio.CancelledError from None
        response = responses.of(answer, request_id, client_id)
        if http.secure:
            responses.lead_back(response, self.settings.base_url, f"https://{http.host}/v1.0")
        responses.compress(response, http.headers.get("Accept-Encoding", ""))
        return response

    async def answer(self, request: Request) -> Answer:
        """Answer one request, which may be a batch. Raises `GraphError` and `DropConnection`."""
        if request.path.lower() == "/$batch" and request.method == "POST":
            return await self._batch(request)
        return await self.one(request, batch_item=False)

    async def _request(self, http: web.Request) -> Request:
        claims = self._claims(http.headers.get("Authorization", ""))
        tenant = str(claims["tid"])
        try:
            raw = await http.read()
        except web.HTTPRequestEntityTooLarge:
            raise GraphError(413, "RequestEntityTooLarge", "The request is too large.") from None
        headers = {k.lower(): v for k, v in http.headers.items()}
        body: Any = None
        if raw:
            is_json = "json" in headers.get("content-type", "")
            try:
                body = orjson.loads(raw) if is_json else raw
            except orjson.JSONDecodeError as error:
                raise GraphError(
                    400, "BadRequest", "Unable to read JSON request payload."
                ) from error
        url = http.rel_url.raw_path_qs.removeprefix("/v1.0")
        roles = frozenset(map(str, claims.get("roles") or ()))
        return Request.parse(tenant, roles, http.method, url, headers, body)

    def _claims(self, authorization: str) -> Mapping[str, Any]:
        scheme, _, token = authorization.partition(" ")
        refusal = GraphError(
            401,
            "InvalidAuthenticationToken",
            "Access token is empty or not valid.",
            {"WWW-Authenticate": 'Bearer realm="", authorization_uri="authorize"'},
        )
        if scheme.lower() != "bearer" or not token:
            raise refusal
        try:
            claims = self.settings.verify(token)
        except PermissionError:
            raise refusal from None
        if claims.get("aud") not in GRAPH_AUDIENCES or not claims.get("tid"):
            raise GraphError(
                401,
                "InvalidAuthenticationToken",
                "Access token validation failure. Invalid audience.",
            )
        return claims

    async def one(self, request: Request, *, batch_item: bool) -> Answer:
        """Answer one request, alone or as an item of a batch."""
        request = replace(request, quirks=self.quirks.of(request.tenant))
        route, values = self._find(request)
        user = self._user_of(request, route, values)
        counted = route.counted(values) if route else f"{request.method} ?"
        self.meter.count(request.tenant, user, counted, batch_item=batch_item)
        effect = self.faults.strike(request)
        if effect is not None:
            if "status" in effect:
                return self._forced(request, user, effect)
            if effect.get("drop") == "before":
                raise DropConnection
            await asyncio.sleep(float(effect.get("delay_ms") or 0) / 1000)
        try:
            if route is None:
                raise requests.unmatched(request, self._routes)
            rule = requests.check(route, values, request)
            answer = await self._limited(request, route, values, user)
            replies.complete(rule, values, request, answer, self.settings.base_url)
        except GraphError as error:
            if error.status == 429:
                self.meter.throttled(request.tenant, user)
            answer = error.answer()
        if effect is not None and effect.get("drop") == "after":
            raise DropConnection
        return answer

    async def _limited(
        self, request: Request, route: Route, values: dict[str, str], user: str | None
    ) -> Answer:
        tenant = self.tenant(request.tenant)
        if not route.mailbox:
            units = resource_units(route.counted(values), request)
            self.meter.charge(request.tenant, len(tenant.directory.users), units)
            if self.item_seconds:
                await asyncio.sleep(self.item_seconds)
            answer = route.handler(tenant.directory, request, *values.values())
            answer.headers["x-ms-resource-unit"] = str(units)
            return answer
        if user is None:
            raise GraphError(404, "ErrorInvalidUser", "The requested user is invalid.")
        use = self.meter.enter_mailbox(request.tenant, user)
        try:
            if self.item_seconds:
                await asyncio.sleep(self.item_seconds)
            mailbox = tenant.mailboxes.get(user)
            if mailbox is None:
                code = str(request.quirk("missingMailbox"))
                raise GraphError(404, code, _NO_MAILBOX.get(code, "There is no such mailbox."))
            given = {k: v for k, v in values.items() if k != "user"}
            if "if-match" in request.headers and "contact" in values:
                _, contact = mailbox.contact(values["contact"])
                requests.check_change_key(request, contact.change_key)
            # Grants of Entra ID and of Exchange add up (docs: application-rbac).
            roles = request.roles | tenant.opened(user)
            request = replace(request, roles=roles, name_of=tenant.name_of)
            return route.handler(mailbox, request, *(given.get(name) for name in route.takes))
        finally:
            use.at_once -= 1

    async def _batch(self, request: Request) -> Answer:
        """Run a batch (docs: json-batching): at most 20, four at once unless ordered."""
        items = request.body.get("requests") if isinstance(request.body, dict) else None
        if not isinstance(items, list) or not items or not all(map(_is_step, items)):
            raise GraphError(400, "BadRequest", "Invalid batch payload format.")
        if len(items) > MOST_IN_BATCH:
            raise GraphError(400, "BadRequest", "Number of batch request steps exceeds max of 20.")
        ids = [str(item.get("id") or "") for item in items]
        if len(set(ids)) != len(ids) or "" in ids:
            raise GraphError(400, "BadRequest", "Batch request ids must be given and unique.")
        parsed = [self._item(request, item) for item in items]
        users = {
            self._user_of(p, *self._find(p)) if isinstance(p, Request) else None for p in parsed
        }
        only = users.pop() if len(users) == 1 else None
        self.meter.count(request.tenant, only, "POST /$batch", batch_item=False)
        effect = self.faults.strike(request)
        if effect is not None:
            if "status" in effect:
                return self._forced(request, only, effect)
            if effect.get("drop") == "before":
                raise DropConnection
            await asyncio.sleep(float(effect.get("delay_ms") or 0) / 1000)
        if any(item.get("dependsOn") for item in items):
            answers = await self._ordered(items, ids, parsed)
        else:
            answers = await self._unordered(parsed)
        if effect is not None and effect.get("drop") == "after":
            raise DropConnection
        url_safe = self.quirks.of(request.tenant)["batchBytes"] == "urlSafe"
        parts = zip(ids, answers, strict=True)
        responses = [replies.batch_part(id_, answer, url_safe=url_safe) for id_, answer in parts]
        # Graph answers in any order, so this order is deliberately unexpected.
        return Answer(200, {"responses": responses[1::2] + responses[::2]})

    async def _unordered(self, parsed: list[Request | GraphError]) -> list[Answer]:
        places = asyncio.Semaphore(AT_ONCE_IN_BATCH)

        async def run(item: Request | GraphError) -> Answer:
            async with places:
                return await self._step(item)

        found = await asyncio.gather(*map(run, parsed), return_exceptions=True)
        for answer in found:
            if isinstance(answer, BaseException):
                raise answer
        return [answer for answer in found if isinstance(answer, Answer)]

    async def _ordered(
        self, items: list[Mapping[str, Any]], ids: list[str], parsed: list[Request | GraphError]
    ) -> list[Answer]:
        done: dict[str, Answer] = {}
        for item, id_, request in zip(items, ids, parsed, strict=True):
            before = [done.get(str(other)) for other in item.get("dependsOn") or ()]
            if all(answer is not None and answer.status < 400 for answer in before):
                done[id_] = await self._step(request)
            else:
                done[id_] = GraphError(
                    424, "FailedDependency", "Failed Dependency on previous request."
                ).answer()
        return list(done.values())

    async def _step(self, item: Request | GraphError) -> Answer:
        if isinstance(item, GraphError):
            return item.answer()
        return await self.one(item, batch_item=True)

    def _item(self, request: Request, item: Mapping[str, Any]) -> Request | GraphError:
        try:
            return self._parsed(request, item)
        except GraphError as error:
            return error

    def _parsed(self, request: Request, item: Mapping[str, Any]) -> Request | GraphError:
        url, method = str(item.get("url") or ""), str(item.get("method") or "")
        headers = {str(k).lower(): str(v) for k, v in (item.get("headers") or {}).items()}
        if not url or "://" in url or not method:
            return GraphError(400, "BadRequest", "A batch item needs a method and a relative url.")
        if url.lower().lstrip("/").startswith("$batch"):
            return GraphError(400, "BadRequest", "A batch cannot hold a batch.")
        body = item.get("body")
        if body is not None and "content-type" not in headers:
            return GraphError(400, "BadRequest", "A body needs a Content-Type header.")
        url = url if url.startswith("/") else f"/{url}"
        return Request.parse(request.tenant, request.roles, method, url, headers, body)

    def _find(self, request: Request) -> tuple[Route | None, dict[str, str]]:
        for route in self._routes_by_method.get(request.method, ()):
            if match := route.pattern.fullmatch(request.path):
                return route, match.groupdict()
        return None, {}

    def _user_of(
        self, request: Request, route: Route | None, values: Mapping[str, str]
    ) -> str | None:
        if route is None or not route.mailbox:
            return None
        user = self.tenant(request.tenant).directory.user(values["user"])
        return str(user["id"]) if user else None

    def _forced(self, request: Request, user: str | None, effect: Mapping[str, Any]) -> Answer:
        status = int(effect["status"])
        if status == 429:
            self.meter.throttled(request.tenant, user)
        headers = {str(k): str(v) for k, v in (effect.get("headers") or {}).items()}
        body = effect.get("body")
        if body is None and status >= 400:
            body = GraphError(status, _CODES.get(status, "UnknownError"), "Forced.").answer().body
        return Answer(status, body, headers)


_NO_MAILBOX = {
    "ResourceNotFound": "Resource could not be discovered.",
    "MailboxNotEnabledForRESTAPI": "The mailbox is either inactive, or is hosted on-premise.",
}
_CODES = {
    401: "InvalidAuthenticationToken",
    403: "ErrorAccessDenied",
    404: "ErrorItemNotFound",
    410: "SyncStateNotFound",
    429: "ApplicationThrottled",
    500: "ErrorInternalServerError",
    503: "ServiceUnavailable",
    504: "GatewayTimeout",
}


def _is_step(item: Any) -> bool:
    """Return whether an item of a batch has the form of one."""
    if not isinstance(item, dict) or not isinstance(item.get("id"), str | int):
        return False
    before, headers = item.get("dependsOn") or [], item.get("headers") or {}
    return isinstance(before, list) and isinstance(headers, dict)


def create_app(settings: GraphSettings) -> web.Application:
    """The simulator as an application: `/v1.0/…` for the app, `/_sim/…` to control it."""
    from tests.local.graph.control import add_control  # noqa: PLC0415 - it builds on this module

    server = GraphServer(settings)
    app = web.Application(client_max_size=8 * 1024 * 1024)
    add_control(app, server)
    app.router.add_route("*", "/v1.0/{path:.*}", server.serve)
    return app
