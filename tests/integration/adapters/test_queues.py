"""Whether the app's queues can be used is seen at start and by the readiness check."""

import base64
import logging
from collections.abc import AsyncIterator

import pytest

from shared.domain.errors import Unavailable
from shared.domain.importing.messages import QUEUES
from shared.wiring import app as wiring
from shared.wiring.ports import open_ports
from shared.wiring.settings import Settings
from tests.local.azurite import Azurite
from tests.local.cloud import LocalCloud
from tests.local.host.storage import Storage


@pytest.fixture(scope="module")
async def empty(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The connection string of a storage account without queues."""
    async with Azurite(tmp_path_factory.mktemp("empty") / "azurite.log") as azurite:
        yield azurite.connection_string


def wired(cloud: LocalCloud, connection_string: str) -> wiring.App:
    given = {**cloud.environment, "AzureWebJobsStorage": connection_string}
    settings = Settings.from_environment(given)
    return wiring.App(settings, open_ports(settings, wiring.utc_now, wiring.new_id))


async def test_missing_queue_is_logged_and_named(
    cloud: LocalCloud, empty: str, caplog: pytest.LogCaptureFixture
) -> None:
    present, missing = QUEUES[0], QUEUES[1:]
    async with Storage(empty, 1) as storage:
        await storage.create(present)
    app = wired(cloud, empty)
    with caplog.at_level(logging.ERROR):
        await app.check_queues()
    await app.close()

    assert f"The queue {present}" not in caplog.text
    for queue in missing:
        assert f"The queue {queue} is missing." in caplog.text


async def test_queue_that_refuses_access_is_named_with_the_reason(
    cloud: LocalCloud, empty: str
) -> None:
    key = base64.b64encode(b"another key").decode()
    parts = [p if not p.startswith("AccountKey") else f"AccountKey={key}" for p in empty.split(";")]
    app = wired(cloud, ";".join(parts))
    with pytest.raises(Unavailable, match=rf"{QUEUES[0]} cannot be used: 403"):
        await app.base.queues.ready()
    await app.close()
