"""Schemathesis calls the API over HTTP and checks that it does what its document says.

It sends values at and beyond each operation's limits, and sequences that create, change and delete
items; with API_CALLS=all, random bodies too. It checks that no call ends in a 5xx, that statuses,
content types, headers and bodies are the documented ones, that what a schema forbids is refused,
that no call succeeds without a token, and that deleted items are gone.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, STDOUT

import pytest

from tests.sources import ROOT
from tests.world import World

RANDOM = ",fuzzing" if os.environ.get("API_CALLS") == "all" else ""


@pytest.mark.timeout(540)
@pytest.mark.parametrize("role", ["Admin", "Operator"])
async def test_api_does_what_its_openapi_document_says(world: World, role: str) -> None:
    """An operator may call the operator routes only, an admin all others."""
    operators = role == "Operator"
    api = await world.client.operator() if operators else world.api
    share = await world.share()
    import_ = await world.import_(share["id"])
    other = await world.import_(share["id"], name="Other")
    paused = await world.import_(share["id"], name="Paused", active=False)
    await world.client.add_folder(world.tenant, world.targets[0], "Old")
    environment = {
        "API": world.client.addresses["api"],
        "TOKEN": api.token,
        "TENANT": world.tenant,
        "PERSON": world.people[0],
        "SHARE": share["id"],
        "IMPORT": import_["id"],
        "OTHER_IMPORT": other["id"],
        "PAUSED_IMPORT": paused["id"],
        "RUN": import_["firstRun"],
        "MAILBOX": world.targets[0],
        "FOLDER": "Old",
        "PYTHONHASHSEED": "0",  # the same calls each time
    }

    st = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "schemathesis.cli",
        "--config-file", "tests/end_to_end/api/schemathesis.toml",
        "run", f"{world.client.host}/api/openapi.json", "--no-color",
        "--phases", f"coverage,stateful{RANDOM}",
        "--include-path-regex" if operators else "--exclude-path-regex", "^/operator/",
        cwd=ROOT, env={**os.environ, **environment}, stdout=PIPE, stderr=STDOUT,
    )  # fmt: skip
    output, _ = await st.communicate()

    assert st.returncode == 0, output.decode()
