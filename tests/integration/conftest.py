"""What the tests of the adapters share."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.keys import Keeper, keeper
from tests.local.cloud import LocalCloud


@pytest.fixture
async def keys(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Keeper]:
    """The vault, Entra's registration of the app, and its identity, as the app finds them."""
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.setenv(name, cloud.environment[name])
    async with keeper(cloud) as found:
        yield found
