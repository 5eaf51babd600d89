"""Fixtures of the end-to-end tests."""

import pytest

from tests.end_to_end.browser import Browser
from tests.end_to_end.signed_in import browser_of
from tests.local.client import Client
from tests.world import World


@pytest.fixture
async def ada(client: Client, world: World) -> Browser:
    """The browser of a signed-in admin of the world's tenant."""
    return await browser_of(client, world)
