"""A small cloud that runs the fixture app, and what its tests need."""

import asyncio
import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

from azure.storage.queue.aio import QueueServiceClient

from tests.local.client import Client, Json
from tests.local.cloud import LocalCloud

FIXTURE = Path(__file__).parent / "fixture_app"


def small_cloud(folder: Path, **settings: str) -> LocalCloud:
    """A cloud that runs the fixture app, with storage that survives a restart."""
    return LocalCloud(
        app=FIXTURE,
        build=folder / "build",
        durable=folder / "storage",
        settings={
            "WORK_QUEUE": "work",
            "AzureFunctionsJobHost__functionTimeout": "00:01:00",
            "TRACES": str(folder),
            **settings,
        },
    )


async def get(cloud: LocalCloud, path: str, **headers: str) -> Any:
    return await cloud.client.send("GET", f"{cloud.addresses['portal']}/api{path}", headers=headers)


async def seen(cloud: LocalCloud, what: str) -> list[Any]:
    return list((await get(cloud, f"/seen/{what}")).expect(200).body)


async def send(cloud: LocalCloud, queue: str, *texts: str, encoded: bool = True) -> None:
    service = QueueServiceClient.from_connection_string(cloud.addresses["storage"])
    async with service:
        for text in texts:
            content = base64.b64encode(text.encode()).decode() if encoded else text
            await service.get_queue_client(queue).send_message(content)


async def peek(cloud: LocalCloud, queue: str) -> list[str]:
    service = QueueServiceClient.from_connection_string(cloud.addresses["storage"])
    async with service:
        found = await service.get_queue_client(queue).peek_messages(32)
    return [message.content for message in found]


async def until(holds: Callable[[Json], bool], client: Client) -> Json:
    """Wait until the counts of the queues fulfil a condition."""
    counts: Json = {}
    for _ in range(200):
        counts = await client.queues()
        if holds(counts):
            return counts
        await asyncio.sleep(0.05)
    message = f"the queues did not reach the expected counts: {counts}"
    raise AssertionError(message)
