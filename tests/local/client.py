"""A client of the local cloud: our API, and the control interface of the simulators."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp
import orjson

type Json = dict[str, Any]

_LONGEST_WAIT = 20.0


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer: status, JSON body (or None) and headers."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    def expect(self, *statuses: int) -> "Reply":
        """Return the reply if it has one of these statuses. Raises `AssertionError` otherwise."""
        if self.status not in (statuses or (200, 201, 202, 204)):
            message = f"Unexpected reply {self.status}: {self.body}"
            raise AssertionError(message)
        return self


class Client:
    """One HTTP session for all servers of a local cloud. `addresses` are those of local.json."""

    def __init__(self, addresses: Mapping[str, str], home_tenant: str = "") -> None:
        self.home_tenant = home_tenant
        self.addresses = dict(addresses)
        self.host = addresses["api"].removesuffix("/api/v1")
        self.graph = addresses["graph"].removesuffix("/v1.0")
        self.entra = addresses["entra"]
        self.created: set[str] = set()
        """The tenants whose directories were created here."""
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(
        self,
        method: str,
        url: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Reply:
        """Send one request."""
        if self._session is None:
            message = "The client is not open. Use it with 'async with'."
            raise RuntimeError(message)
        given = dict(headers or {})
        if body is not None:
            raw = orjson.dumps(body)
            given.setdefault("Content-Type", "application/json")
        async with self._session.request(method, url, data=raw, headers=given) as response:
            content = await response.read()
            is_json = "json" in response.headers.get("Content-Type", "")
            return Reply(
                response.status,
                orjson.loads(content) if content and is_json else content or None,
                dict(response.headers),
            )

    async def token(
        self,
        tenant: str,
        oid: str = "00000000-0000-0000-0000-00000000ad01",
        name: str = "Ada Admin",
        roles: tuple[str, ...] = ("Admin",),
        **more: Any,
    ) -> str:
        """Return an access token like that of a sign-in. `claims=` and `key=` make it invalid."""
        body = {"tenant": tenant, "oid": oid, "name": name, "roles": list(roles), **more}
        reply = (await self.send("POST", f"{self.entra}/_sim/token", body)).expect(200)
        return str(reply.body["access_token"])

    async def api(self, tenant: str, **more: Any) -> "Api":
        """Return our API, signed in as an admin of a tenant."""
        return Api(self, await self.token(tenant, **more))

    async def program(self, tenant: str, *roles: str) -> Json:
        """Register an application in a tenant with these app roles, and return how it signs in.

        `clientId` and `clientSecret` are its credentials; `token` is where it gets a token for
        `scope`.
        """
        body = {"tenant": tenant, "roles": roles}
        return dict((await self.send("POST", f"{self.entra}/_sim/programs", body)).expect(200).body)

    async def operator(self) -> "Api":
        """Return our API, signed in as an operator of the service's home tenant."""
        return await self.api(
            self.home_tenant, oid="sales-1", name="Otto Operator", roles=("Operator",)
        )

    async def consent(
        self,
        tenant: str,
        *,
        granted: bool = True,
        roles: Sequence[str] | None = None,
        slow: bool = False,
    ) -> None:
        """Grant or withdraw the app's consent. With `roles`, grant only these permissions.

        With `slow`, the consent that an admin gives has no effect until the next call.
        """
        body: Json = {"tenant": tenant, "granted": granted, "slow": slow}
        if roles is not None:
            body["roles"] = list(roles)
        (await self.send("POST", f"{self.entra}/_sim/consent", body)).expect(200)

    async def assign(self, tenant: str, **scopes: Sequence[str]) -> None:
        """Let Exchange give the app access to these mailboxes: `contacts=[ids]`, `settings=[ids]`.

        Replaces earlier assignments (docs: application-rbac).
        """
        roles = {"contacts": "Contacts", "settings": "MailboxSettings"}
        assignments = [
            {"role": f"Application {roles[name]}.ReadWrite", "mailboxes": list(mailboxes)}
            for name, mailboxes in scopes.items()
        ]
        body = {"tenant": tenant, "assignments": assignments}
        (await self.send("POST", f"{self.graph}/_sim/rbac", body)).expect(200)

    async def know(self, tenant: str, name: str, *users: Json) -> None:
        """Let users sign in: `oid`, `name`, `username`, app `roles`, directory roles in `wids`."""
        body = {"tenant": tenant, "name": name, "users": users}
        (await self.send("POST", f"{self.entra}/_sim/tenants", body)).expect(200)

    async def forget(self, tenant: str, oid: str) -> None:
        """Delete a user's account at Entra ID: nobody can sign in with it."""
        (await self.send("DELETE", f"{self.entra}/_sim/tenants/{tenant}/users/{oid}")).expect(204)

    async def create_tenant(self, tenant: str, **directory: Any) -> None:
        """Create a tenant's directory and grant the app's consent."""
        body = {"tenant": tenant, **directory}
        (await self.send("POST", f"{self.graph}/_sim/tenants", body)).expect(200)
        self.created.add(tenant)
        await self.consent(tenant)

    async def change_tenant(self, tenant: str, **directory: Any) -> None:
        body = {"tenant": tenant, **directory}
        (await self.send("PATCH", f"{self.graph}/_sim/tenants", body)).expect(200)

    async def delete_user(self, tenant: str, user: str) -> None:
        url = f"{self.graph}/_sim/tenants/{tenant}/users/{user}"
        (await self.send("DELETE", url)).expect(200)

    async def fault(
        self, path: str, effect: Json, *, after: int = 0, times: int = 1, **match: Any
    ) -> None:
        """Make Graph fail where the method and path (a regular expression) match."""
        body = {
            "match": {"path": path, **match},
            "after": after,
            "times": times,
            "effect": effect,
        }
        (await self.send("POST", f"{self.graph}/_sim/faults", body)).expect(200)

    async def random_faults(
        self, chance: float, seed: int, effects: Sequence[Json], path: str = "", **match: Any
    ) -> None:
        """Make this share of matching Graph requests fail at random, until faults are cleared."""
        body = {
            "match": {"path": path, **match},
            "chance": chance,
            "seed": seed,
            "effects": list(effects),
        }
        (await self.send("POST", f"{self.graph}/_sim/faults", body)).expect(200)

    async def clear_faults(self) -> None:
        (await self.send("DELETE", f"{self.graph}/_sim/faults")).expect(200)

    async def quirks(self, tenant: str | None = None, **values: Any) -> Json:
        """Choose how Graph answers in one tenant or in all (`quirks.py`); None: the default."""
        body = values if tenant is None else {"tenant": tenant, **values}
        return dict((await self.send("POST", f"{self.graph}/_sim/quirks", body)).expect(200).body)

    async def reset_quirks(self) -> None:
        (await self.send("DELETE", f"{self.graph}/_sim/quirks")).expect(200)

    async def requests(self) -> Json:
        return dict((await self.send("GET", f"{self.graph}/_sim/requests")).expect(200).body)

    async def reset_requests(self) -> None:
        (await self.send("DELETE", f"{self.graph}/_sim/requests")).expect(200)

    async def latency(self, milliseconds: float) -> None:
        body = {"item_ms": milliseconds}
        (await self.send("POST", f"{self.graph}/_sim/latency", body)).expect(200)

    async def expire_delta(self, tenant: str) -> None:
        url = f"{self.graph}/_sim/expire-delta"
        (await self.send("POST", url, {"tenant": tenant})).expect(200)

    async def mailbox(self, tenant: str, user: str) -> Json:
        return dict((await self.send("GET", self._box(tenant, user))).expect(200).body)

    async def folder(self, tenant: str, user: str, name: str = "Contact Sync") -> list[Json]:
        """Return the contacts of the folder with this name, or none if it does not exist."""
        for folder in (await self.mailbox(tenant, user))["folders"]:
            if folder["displayName"] == name:
                return list(folder["contacts"])
        return []

    async def add_contact(self, tenant: str, user: str, **contact: Any) -> Json:
        url = f"{self._box(tenant, user)}/contacts"
        return dict((await self.send("POST", url, contact)).expect(200).body)

    async def change_contact(self, tenant: str, user: str, contact: str, **values: Any) -> None:
        url = f"{self._box(tenant, user)}/contacts/{contact}"
        (await self.send("PATCH", url, values)).expect(200)

    async def delete_contact(self, tenant: str, user: str, contact: str) -> None:
        url = f"{self._box(tenant, user)}/contacts/{contact}"
        (await self.send("DELETE", url)).expect(200)

    async def move_contact(
        self, tenant: str, user: str, contact: str, folder: str | None = None
    ) -> None:
        """Move a contact to the folder with this name or id, by default to the default one."""
        url = f"{self._box(tenant, user)}/contacts/{contact}/move"
        (await self.send("POST", url, {"folder": folder})).expect(200)

    async def move_folder(self, tenant: str, user: str, folder: str, above: str | None) -> None:
        """Move a folder below another one; None: beside the default folder."""
        url = f"{self._box(tenant, user)}/folders/{folder}/move"
        (await self.send("POST", url, {"folder": above})).expect(200)

    async def add_folder(self, tenant: str, user: str, name: str) -> None:
        url = f"{self._box(tenant, user)}/folders"
        (await self.send("POST", url, {"displayName": name})).expect(200)

    async def rename_folder(self, tenant: str, user: str, folder: str, name: str) -> None:
        url = f"{self._box(tenant, user)}/folders/{folder}"
        (await self.send("PATCH", url, {"displayName": name})).expect(200)

    async def delete_folder(self, tenant: str, user: str, folder: str) -> None:
        (await self.send("DELETE", f"{self._box(tenant, user)}/folders/{folder}")).expect(200)

    async def fire(self, timer: str = "start_due_runs") -> None:
        """Fire a timer now."""
        reply = (await self.send("POST", f"{self.host}/_sim/timer/{timer}")).expect(200)
        if not reply.body["ok"]:
            message = f"Timer {timer} failed."
            raise AssertionError(message)

    async def clock(self, now: str | None) -> None:
        (await self.send("POST", f"{self.host}/_sim/clock", {"now": now})).expect(200)

    async def workers(self) -> dict[str, int]:
        """Return the process id of each worker; the one that runs all functions is called ""."""
        return dict((await self.send("GET", f"{self.host}/_sim/workers")).expect(200).body)

    async def telemetry(self) -> Json:
        """Return the spans, logs and metrics that the functions host keeps."""
        return dict((await self.send("GET", f"{self.host}/_sim/telemetry")).expect(200).body)

    async def reset_telemetry(self) -> None:
        (await self.send("DELETE", f"{self.host}/_sim/telemetry")).expect(204)

    async def queues(self) -> Json:
        return dict((await self.send("GET", f"{self.host}/_sim/queues")).expect(200).body)

    async def settle(self, timeout: float = 60.0) -> None:  # noqa: ASYNC109 - it bounds a loop
        """Wait until no queue that a function serves holds a message."""
        until = time.monotonic() + timeout
        while True:
            # In parts, so that no request takes longer than the client's own timeout.
            left = max(0.0, until - time.monotonic())
            url = f"{self.host}/_sim/idle/{min(left, _LONGEST_WAIT):.3f}"
            reply = (await self.send("GET", url)).expect(200)
            if reply.body["idle"]:
                return
            if left <= _LONGEST_WAIT:
                message = f"The queues did not become empty: {reply.body['queues']}"
                raise AssertionError(message)

    def _box(self, tenant: str, user: str) -> str:
        return f"{self.graph}/_sim/mailboxes/{tenant}/{user}"


@dataclass(frozen=True, slots=True)
class Api:
    """Our API, called with a token. Paths start after /api/v1."""

    client: Client
    token: str

    async def send(self, method: str, path: str, body: object = None, **headers: str) -> Reply:
        """Send one request; `if_match` and other headers as keywords."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        url = f"{self.client.addresses['api']}{path}"
        return await self.client.send(
            method, url, body, {"Authorization": f"Bearer {self.token}", **given}
        )

    async def get(self, path: str, *statuses: int) -> Any:
        return (await self.send("GET", path)).expect(*statuses or (200,)).body

    async def post(self, path: str, body: object, *statuses: int) -> Any:
        return (await self.send("POST", path, body)).expect(*statuses).body

    async def patch(self, path: str, body: object, *statuses: int) -> Any:
        return (await self.send("PATCH", path, body)).expect(*statuses).body

    async def put(self, path: str, body: object, *statuses: int) -> Any:
        return (await self.send("PUT", path, body)).expect(*statuses).body

    async def delete(self, path: str, *statuses: int) -> Any:
        return (await self.send("DELETE", path)).expect(*statuses).body

    async def all(self, path: str) -> list[Json]:
        """Return all items of a list, read page by page."""
        items: list[Json] = []
        token = None
        joiner = "&" if "?" in path else "?"
        while True:
            page = await self.get(path if token is None else f"{path}{joiner}next={token}")
            items += page["items"]
            token = page["next"]
            if token is None:
                return items
