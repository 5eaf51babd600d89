"""The programs of the quick start do what they say, against the local cloud.

Each begins with its token, and meets too many calls (429), a state that does not allow a call (409)
and another admin's change (412). Each runs a second time with answers of a later version.
"""

import asyncio
import os
import shutil
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tests.clients import generators
from tests.clients.gateway import NOVEL, gateway
from tests.infra.compiler.tools import KIOTA, PWSH, Tool, left_out
from tests.sources import ROOT
from tests.world import World

PROGRAMS = Path(__file__).with_name("quick_start")
SHOWN = ROOT / "shared" / "web" / "openapi" / "quick_start"
"""The programs that the reference page shows."""


def command(language: str, folder: Path) -> list[str]:
    """Generate the client of a language, compile all of it, and return how to run its program."""
    source = SHOWN if language == ".sh" else PROGRAMS
    program = str(shutil.copy(source / f"share_and_import{language}", folder))
    if language == ".ps1":
        return [str(PWSH.path()), "-NoProfile", "-NonInteractive", "-File", program]
    document = generators.written(folder)
    match language:
        case ".py":
            said = generators.python_client(document, folder / "contact_sync_client")
            assert "WARNING" not in said.upper()
            generators.imported_python(folder / "contact_sync_client")
            return [sys.executable, program]
        case ".ts":
            generators.typescript_types(document, folder / "contact_sync.ts")
            generators.compiled_typescript(folder, "*.ts", emit=True)
            return ["node", str(folder / "share_and_import.js")]
        case "_kiota.py":
            generators.kiota("python", document, folder / "contact_sync")
            generators.imported_python(folder / "contact_sync")
            return [sys.executable, program]
        case "_kiota.ts":
            generators.kiota("TypeScript", document, folder / "contact_sync")
            generators.compiled_typescript(folder, "*.ts", "contact_sync/**/*.ts", emit=True)
            return ["node", str(folder / "share_and_import_kiota.js")]
        case _:
            return ["bash", program]


async def run(started: list[str], folder: Path, known: dict[str, str]) -> list[str]:
    """Run a program, and return the lines that it prints; it must succeed."""
    program = await asyncio.create_subprocess_exec(
        *started, cwd=folder, env={**os.environ, **known}, stdout=PIPE, stderr=PIPE
    )
    output, errors = await program.communicate()
    assert program.returncode == 0, errors.decode()
    return output.decode().splitlines()


def with_tool(language: str, tool: Tool) -> object:
    mark = pytest.mark.skipif(bool(left_out(tool)), reason=str(left_out(tool)))
    return pytest.param(language, marks=mark)


@pytest.mark.parametrize(
    "language",
    [
        ".py",
        ".sh",
        ".ts",
        with_tool(".ps1", PWSH),
        with_tool("_kiota.py", KIOTA),
        with_tool("_kiota.ts", KIOTA),
    ],
)
async def test_program_shares_imports_and_follows_the_run(
    world: World, tmp_path: Path, language: str
) -> None:
    started = await asyncio.to_thread(command, language, tmp_path)
    program = await world.client.program(world.tenant, "Admin")
    trusted = world.client.addresses["caFile"]
    known = {
        "TOKEN_ADDRESS": program["token"],
        "SCOPE": program["scope"],
        "CLIENT_ID": program["clientId"],
        "CLIENT_SECRET": program["clientSecret"],
        "GROUP": world.group,
        "MAILBOX": world.targets[0],
        "WAIT": "0.2",
        "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1",
        "SSL_CERT_FILE": trusted,
        "NODE_EXTRA_CA_CERTS": trusted,
        "CURL_CA_BUNDLE": trusted,
    }
    mailbox, people = world.targets[0], len(world.people)

    async with gateway(world) as between:
        known["API"] = between.address
        lines = await run(started, tmp_path, known)

        assert lines == [f"{mailbox} succeeded {people}", "succeeded", "nothing_failed", "Team"]
        assert {201, 429, 409, 412} <= set(between.statuses)

        # The keys repeat, so the program gets the same share, import and run.
        between.grown = True
        lines = await run(started, tmp_path, known)

    assert lines == [f"{mailbox} {NOVEL} {people}", NOVEL, "nothing_failed", "Team"]
