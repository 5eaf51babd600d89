"""One import in one mailbox of the simulator, and what happens to it."""

from datetime import timedelta

from shared.domain.contacts.fields import Contact
from shared.domain.errors import TransientError
from shared.domain.importing.imports import Destination
from shared.domain.importing.messages import SyncMailbox, Task
from shared.domain.importing.runs import Outcome, Result
from shared.domain.reasons import Reason
from tests.integration.engine.box import Box
from tests.integration.engine.engine import Engine, contact
from tests.local.client import Json
from tests.world import World

type Share = dict[str, Contact]
FOLDER = "Contact Sync"


def share_of(count: int, **more: object) -> Share:
    keys = [f"u-{number:02d}" for number in range(count)]
    return {key: contact(key, {"displayName": f"Person {key}", **more}) for key in keys}


class Place:
    """One import in the world's first mailbox."""

    def __init__(self, engine: Engine, world: World, id_: str) -> None:
        self.engine = engine
        self.world = world
        self.id = id_
        self.mailbox = world.targets[0]

    async def publish(self, share: Share) -> SyncMailbox:
        values = list(share.values())
        return await self.engine.publish(self.world.tenant, self.id, self.mailbox, values)

    async def end(self, message: SyncMailbox, tries: int = 30) -> Result:
        """Deliver a message until it has a result."""
        for attempt in range(tries):
            try:
                await self.engine.run(message.copy_with(attempt=attempt))
            except TransientError as error:
                self.engine.now += timedelta(seconds=error.retry_after)
            if (result := await self.engine.result(message)) is not None:
                return result
        raise AssertionError("the message did not end")

    async def sync(self, share: Share) -> Result:
        return await self.end(await self.publish(share))

    async def beside(self, folder: str | None) -> "Place":
        """Return another import in the same mailbox."""
        id_ = await self.engine.add_import(self.world.tenant, self.mailbox, folder)
        return Place(self.engine, self.world, id_)

    async def category(self) -> None:
        """Let the contacts have a category with a color."""
        destination = Destination(folder=FOLDER, category="Company")
        await self.engine.change_import(
            self.world.tenant, self.id, destination=destination, category_color="preset1"
        )

    async def remove(self) -> Result:
        return await self.end((await self.publish({})).copy_with(task=Task.REMOVE))

    async def look(self) -> Box:
        return await Box.look(self.world.client, self.world.tenant, self.mailbox)

    async def contact(self, key: str) -> Json:
        (found,) = (await self.look()).by_key(self.id)[key]
        return found

    async def quirks(self, **values: object) -> None:
        await self.world.client.quirks(self.world.tenant, **values)

    async def fault(self, path: str, status: int, code: str = "", times: int = 1_000) -> None:
        body = {"error": {"code": code or "ErrorInternalServerError", "message": ""}}
        effect = {"status": status, "body": body, "headers": {"Retry-After": "0"}}
        await self.world.client.fault(path, effect, times=times, tenant=self.world.tenant)

    async def requests(self, *path: str) -> int:
        """The number of requests, in batches or alone, since the counts were reset."""
        counted = (await self.world.client.requests())["tenants"][self.world.tenant]["routes"]
        return sum(
            use["http"] + use["batchItems"]
            for route, use in counted.items()
            if all(part in route for part in path)
        )


def ended(result: Result) -> tuple[Outcome, Reason | None]:
    return result.outcome, result.reason


OK = (Outcome.SUCCEEDED, None)
