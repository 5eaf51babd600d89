"""Four simpler ways to sync a mailbox, on the same simulator: what ours saves.

Published scripts, such as EvotecIT/O365Synchronizer and tardispilot/GraphContactSync, work in the
first three ways, one request at a time. The fourth batches, as an open-source tool does: a first
fill is as cheap as ours, but it lists the folder in Graph's pages of 10 and writes all contacts
every day, since it takes how Graph shows them for a change.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import batched
from typing import Any

import httpx

from shared.adapters.entra.credentials import GRAPH_SCOPE
from shared.domain.contacts.fields import Contact
from tests.performance.engine import Box, Cost, Engine, people

CONTACTS, CHANGED, LATENCY = 500, 5, 0.020
_FIELDS = "id,displayName,jobTitle,mobilePhone,emailAddresses"

type Share = Mapping[str, Contact]
type Way = Callable[["_Graph", Share], Awaitable[None]]


class _Graph:
    """A script's Graph client for one mailbox; `map` remembers ids by mail address."""

    def __init__(self, client: httpx.AsyncClient, user: str) -> None:
        self._client = client
        self._user = f"/users/{user}"
        self._root = f"{self._user}/contacts"

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

    async def folder(self, name: str) -> str:
        """Return the id of the folder with this name, which is created if it is not there."""
        url = f"{self._user}/contactFolders"
        found = await self._ask("GET", f"{url}?$filter=displayName eq '{name}'")
        for folder in found["value"]:
            return str(folder["id"])
        return str((await self._ask("POST", url, {"displayName": name}))["id"])

    async def listed(self, folder: str) -> dict[str, str]:
        """Return the ids of a folder's contacts by mail address, read in Graph's own pages."""
        found: dict[str, str] = {}
        url: str | None = f"{self._user}/contactFolders/{folder}/contacts"
        while url:
            body = await self._ask("GET", url)
            found |= {_mail(contact): contact["id"] for contact in body["value"]}
            url = body.get("@odata.nextLink")
        return found

    async def write_all(self, folder: str, ids: Mapping[str, str], share: Share) -> None:
        """Write every contact, 20 in a batch."""
        root = f"{self._user}/contactFolders/{folder}/contacts"
        items = [
            {
                "method": "PATCH" if mail in ids else "POST",
                "url": f"{root}/{ids[mail]}" if mail in ids else root,
                "headers": {"Content-Type": "application/json"},
                "body": contact.fields,
            }
            for mail, contact in share.items()
        ]
        for some in batched(items, 20, strict=False):
            steps = [{"id": str(number), **item} for number, item in enumerate(some)]
            body = await self._ask("POST", "/$batch", {"requests": steps})
            if any(part["status"] >= 400 for part in body["responses"]):
                raise AssertionError(body)

    async def delete(self, id_: str) -> None:
        await self._ask("DELETE", f"{self._root}/{id_}")

    async def _ask(self, method: str, url: str, body: object = None) -> Any:
        response = await self._client.request(method, url, json=body)
        response.raise_for_status()
        return response.json() if response.content else None


async def list_compare_write(graph: _Graph, share: Share) -> None:
    there = await graph.everything()
    for mail, contact in share.items():
        if mail not in there:
            await graph.create(contact)
        elif _differs(there[mail], contact):
            await graph.update(there[mail]["id"], contact)
    for mail in there.keys() - share.keys():
        await graph.delete(there[mail]["id"])


async def delete_and_rebuild(graph: _Graph, share: Share) -> None:
    for contact in (await graph.everything()).values():
        await graph.delete(contact["id"])
    for wanted in share.values():
        await graph.create(wanted)


async def look_up_each(graph: _Graph, share: Share) -> None:
    for mail, contact in share.items():
        found = await graph.one(mail)
        if found is None:
            await graph.create(contact)
        elif _differs(found, contact):
            await graph.update(found["id"], contact)


async def batch_everything(graph: _Graph, share: Share) -> None:
    folder = await graph.folder("Contacts of the company")
    await graph.write_all(folder, await graph.listed(folder), share)


WAYS: dict[str, Way] = {
    "list-compare-write-singly": list_compare_write,
    "delete-and-rebuild": delete_and_rebuild,
    "look-up-each": look_up_each,
    "batch-everything": batch_everything,
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
