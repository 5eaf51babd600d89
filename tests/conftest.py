"""Fixtures of all tests: one local cloud for all, and bounded property tests."""

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.leaks import leaks
from tests.local.certificates import trust
from tests.local.client import Client
from tests.local.cloud import LocalCloud
from tests.world import World, drop_imports

settings.register_profile(
    "bounded",
    deadline=None,
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "50")),
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("bounded")


@pytest.fixture(scope="session")
async def cloud(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LocalCloud]:
    """Azurite, both simulators and the functions host; each test creates its own tenants.

    In the end, all that the tests have made it log, and tell telemetry, is searched for what
    neither may tell.
    """
    build_folder: Path = tmp_path_factory.mktemp("build")
    async with LocalCloud(build=build_folder) as running:
        trust(running.environment["SSL_CERT_FILE"])
        yield running
        told = await running.client.telemetry()
        lines = [json.dumps(item) for kind in told.values() for item in kind]
        (running.logs / "telemetry.log").write_text("\n".join(lines), "utf-8")
    secret_settings = ("APP_CLIENT_SECRET", "SESSION_KEY", "IDENTITY_HEADER")
    secrets = [running.environment.get(name, "") for name in secret_settings]
    found = list(leaks(running.logs, secrets))
    assert not found, f"the logs contain what they must not: {found[:20]}"


@pytest.fixture
async def client(cloud: LocalCloud) -> AsyncIterator[Client]:
    """The control interface; faults and the clock are reset, and imports deleted afterwards."""
    before = frozenset(cloud.client.created)
    yield cloud.client
    await cloud.client.clear_faults()
    await cloud.client.clock(None)
    await drop_imports(cloud.client, cloud.client.created - before)


@pytest.fixture
async def world(client: Client) -> World:
    """A new tenant with a few people and its admin."""
    return await World.create(client)


@pytest.fixture
async def partner(client: Client) -> World:
    """A second tenant."""
    return await World.create(client)
