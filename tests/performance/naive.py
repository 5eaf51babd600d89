"""Three simpler ways to sync a mailbox, on the same simulator: what ours saves.

Published scripts, such as EvotecIT/O365Synchronizer and tardispilot/GraphContactSync, work in these
ways. Each brings a mailbox to a share, one request at a time.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import httpx

from shared.adapters.entra.credentials import GRAPH_SCOPE
from shared.domain.contacts.fields import Contact
from tests.performance.engine import Box, Cost, Engine, people

CONTACTS, CHANGED, LATENCY = 500, 5, 0.020
_FIELDS = "id,displayName,jobTitle,mobilePhone,emailAddresses"

type Way = Callable[["_Graph", Mapping[str, Contact]], Awaitable[None]]


class _Graph:
    """A script's Graph client for one mailbox; `map` remembers ids by mail address."""

    def __init__(self, client: httpx.AsyncClient, user: str) -> None:
        self._client = client
        self._root = f"/users/{user}/contacts"

    async def everything(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        url: str | None = f"{self._root}?$select={_FIELDS}&$top=100"
        while url:
            body = await self._ask("GET", url)
            found |= {_mail(contact): contact for contact in body["value"]}
            url = body.get("@odata.nextLink")
        return found

    async def one(self, mail: str) -> dict[str, Any] | None:
        wanted = f"emailAddresses/any(a:a/address eq '{mail}')"
        body = await self._ask("GET", f"{self._root}?$select={_FIELDS}&$filter={wanted}")
        return next(iter(body["value"]), None)

    async def create(self, contact: Contact) -> None:
        await self._ask("POST", self._root, contact.fields)

    async def update(self, id_: str, contact: Contact) -> None:
        await self._ask("PATCH", f"{self._root}/{id_}", contact.fields)

    async def delete(self, id_: str) -> None:
        await self._ask("DELETE", f"{self._root}/{id_}")

    async def _ask(self, method: str, url: str, body: object = None) -> Any:
        response = await self._client.request(method, url, json=body)
        response.raise_for_status()
        return response.json() if response.content else None


async def list_compare_write(graph: _Graph, share: Mapping[str, Contact]) -> None:
    there = await graph.everything()
    for mail, contact in share.items():
        if mail not in there:
            await graph.create(contact)
        elif _differs(there[mail], contact):
            await graph.update(there[mail]["id"], contact)
    for mail in there.keys() - share.keys():
        await graph.delete(there[mail]["id"])


async def delete_and_rebuild(graph: _Graph, share: Mapping[str, Contact]) -> None:
    for contact in (await graph.everything()).values():
        await graph.delete(contact["id"])
    for wanted in share.values():
        await graph.create(wanted)


async def look_up_each(graph: _Graph, share: Mapping[str, Contact]) -> None:
    for mail, contact in share.items():
        found = await graph.one(mail)
        if found is None:
            await graph.create(contact)
        elif _differs(found, contact):
            await graph.update(found["id"], contact)


WAYS: dict[str, Way] = {
    "list-compare-write-singly": list_compare_write,
    "delete-and-rebuild": delete_and_rebuild,
    "look-up-each": look_up_each,
}


async def against_ours(engine: Engine) -> dict[str, Any]:
    """A first fill, an idle day and a day with 1 % changed: each way's cost as a ratio to ours."""
    days = {"fill": people(CONTACTS), "idle": people(CONTACTS), "change": people(CONTACTS, CHANGED)}
    await engine.client.latency(LATENCY * 1000)
    try:
        box = await engine.box()
        ours = {day: await box.sync(share) for day, share in days.items()}
        theirs = {name: await _measured(engine, way, days) for name, way in WAYS.items()}
    finally:
        await engine.client.latency(0)
    found: dict[str, Any] = {
        "ours": {day: {"requests": cost.requests} for day, cost in ours.items()}
    }
    for name, costs in theirs.items():
        found[name] = {
            day: {
                "requests": cost.requests,
                "requests_ratio": round(cost.requests / ours[day].requests, 1),
                "time_ratio": round(cost.seconds / ours[day].seconds, 1),
            }
            for day, cost in costs.items()
        }
    return {"naive": found}


async def _measured(
    engine: Engine, way: Way, days: Mapping[str, Sequence[Contact]]
) -> dict[str, Cost]:
    box = await engine.box()
    token = await engine.app.base.credentials.of(box.world.tenant).get_token(GRAPH_SCOPE)
    costs: dict[str, Cost] = {}
    async with httpx.AsyncClient(
        base_url=engine.app.settings.graph_endpoint,
        headers={"Authorization": f"Bearer {token.token}"},
    ) as client:
        graph = _Graph(client, box.world.targets[0])
        for day, share in days.items():
            await engine.client.reset_requests()
            started = time.perf_counter()
            await way(graph, {_mail(contact.fields): contact for contact in share})
            seconds = time.perf_counter() - started
            costs[day] = Cost(requests=await _counted(engine, box), seconds=seconds)
    return costs


async def _counted(engine: Engine, box: Box) -> int:
    tenants = (await engine.client.requests())["tenants"]
    return int(tenants[box.world.tenant]["mailboxes"][box.world.targets[0]]["http"])


def _mail(fields: Mapping[str, Any]) -> str:
    return str(fields["emailAddresses"][0]["address"])


def _differs(there: Mapping[str, Any], contact: Contact) -> bool:
    fields = contact.fields
    return any(there[name] != fields[name] for name in ("displayName", "jobTitle", "mobilePhone"))
