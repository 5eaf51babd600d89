"""A small company for a test: its people, its admin, and how to share and import them."""

import asyncio
from collections.abc import Container
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables.aio import TableClient

from shared.adapters.storage.tables.names import Table
from tests.local.client import Api, Client, Json

DOMAIN = "example.com"
"""The verified domain of each tenant: the names of all users end in it."""


@dataclass(slots=True)
class World:
    """One tenant: `people` are shared, `targets` are the mailboxes that import them."""

    client: Client
    tenant: str
    api: Api
    people: list[str]
    targets: list[str]
    group: str
    users: dict[str, Json] = field(default_factory=dict)
    days: int = 0

    @classmethod
    async def create(cls, client: Client, people: int = 5, targets: int = 2) -> "World":
        """Create a tenant with these numbers of people to share and of target mailboxes."""
        tenant = str(uuid4())
        users = [person(n) for n in range(people + targets)]
        ids = [user["id"] for user in users]
        group_id = str(uuid4())
        group = {"id": group_id, "displayName": "Shared", "members": ids[:people]}
        await client.create_tenant(tenant, users=users, groups=[group])
        return cls(
            client=client,
            tenant=tenant,
            api=await client.api(tenant),
            people=ids[:people],
            targets=ids[people:],
            group=group_id,
            users={user["id"]: user for user in users},
        )

    async def share(self, **more: Any) -> Json:
        """Publish the people."""
        sources = {"groups": [{"id": self.group}]}
        access = {"rule": "anyone_with_id"}
        body = {"name": "People", "sources": sources, "access": access, **more}
        return dict(await self.api.post("/shares", body, 201))

    async def import_(self, share: str, *, settle: bool = True, **more: Any) -> Json:
        """Import a share into the targets, and wait for the first run."""
        body = {"name": "Import", "shareId": share, "targets": {"users": self.targets}, **more}
        made = dict(await self.api.post("/imports", body, 201))
        if settle:
            await self.client.settle()
        return made

    async def next_day(self) -> None:
        """Move the clock by a day, fire the timer, and wait until all work is done."""
        await self.days_pass(1)
        await self.client.settle()

    async def days_pass(self, days: int) -> None:
        """Move the clock by some days and fire the timer."""
        self.days += days
        moment = datetime.now(UTC) + timedelta(days=self.days)
        await self.client.clock(moment.isoformat())
        await self.client.fire()

    async def until_closed(self, import_id: str, trigger: str) -> None:
        """Wait until the latest run of an import, started by `trigger`, has ended."""
        for _ in range(120):
            run = await self.last_run(import_id)
            if run["trigger"] == trigger and run["ended"]:
                return
            await asyncio.sleep(0.5)
        message = f"the run did not end: {run}"
        raise AssertionError(message)

    async def hours_pass(self, hours: float) -> None:
        """Move the clock to some hours after the last day, and fire the hourly timer."""
        moment = datetime.now(UTC) + timedelta(days=self.days, hours=hours)
        await self.client.clock(moment.isoformat())
        await self.client.fire("start_due_runs")
        await self.client.settle()

    async def drop_imports(self) -> None:
        """Delete the imports' rows."""
        await drop_imports(self.client, {self.tenant})

    async def last_run(self, import_id: str) -> Json:
        """The latest run of an import."""
        listed = await self.api.get(f"/imports/{import_id}/runs")
        return dict(await self.api.get(f"/runs/{listed['items'][0]['id']}"))

    async def results(self, run: str) -> dict[str, Json]:
        """The results of a run by mailbox."""
        return {r["mailbox"]: r for r in await self.api.all(f"/runs/{run}/results")}

    async def names(self, mailbox: str, folder: str = "Contact Sync") -> list[str]:
        """The names in a mailbox's folder, sorted."""
        contacts = await self.client.folder(self.tenant, mailbox, folder)
        return sorted(contact["displayName"] for contact in contacts)

    def expected(self) -> list[str]:
        """The names of the people, sorted."""
        return sorted(self.users[id_]["displayName"] for id_ in self.people)

    async def change(self, user: str, **values: Any) -> None:
        """Change a person in the directory."""
        self.users[user] = {**self.users[user], **values}
        await self.client.change_tenant(self.tenant, users=[{"id": user, **values}])

    async def members(self, people: list[str]) -> None:
        """Change who is in the group."""
        self.people = people
        group = {"id": self.group, "members": people}
        await self.client.change_tenant(self.tenant, groups=[group])


async def drop_imports(client: Client, tenants: Container[str]) -> None:
    """Delete the rows of the tenants' imports, so that the timers of later tests skip them."""
    storage = client.addresses["storage"]
    with suppress(ResourceNotFoundError):
        async with TableClient.from_connection_string(storage, Table.IMPORTS) as table:
            rows = [row async for row in table.list_entities(select=["PartitionKey", "RowKey"])]
            for row in rows:
                if row["PartitionKey"] in tenants:
                    await table.delete_entity(row)


def person(number: int, **more: Any) -> Json:
    """A user of the directory with all fields that a contact can have."""
    name = f"person{number}-{uuid4().hex[:6]}"
    return {
        "id": str(uuid4()),
        "displayName": f"Person {number}",
        "givenName": "Person",
        "surname": f"Nº {number}",
        "userPrincipalName": f"{name}@{DOMAIN}",
        "mail": f"{name}@{DOMAIN}",
        "accountEnabled": True,
        "department": "Sales" if number % 2 else "Service",
        "jobTitle": "Agent",
        "companyName": "Example",
        "businessPhones": [f"+49 30 {number:04d}"],
        "mobilePhone": f"+49 170 {number:04d}",
        "faxNumber": f"+49 30 9{number:04d}",
        "imAddresses": [f"{name}@example.com"],
        "city": "Köln",
        **more,
    }
