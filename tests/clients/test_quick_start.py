"""The programs of the quick start do what they say, against the local cloud."""

import asyncio
import os
import shutil
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from tests.clients import generators
from tests.infra.compiler.tools import PWSH, left_out
from tests.world import World

PROGRAMS = Path(__file__).with_name("quick_start")


def command(language: str, folder: Path) -> list[str]:
    """Generate the client of a language, compile its program, and return how to run it."""
    program = str(shutil.copy(PROGRAMS / f"share_and_import.{language}", folder))
    if language == "ps1":
        return [str(PWSH.path()), "-NoProfile", "-NonInteractive", "-File", program]
    document = generators.written(folder)
    match language:
        case "py":
            generators.python_client(document, folder / "contact_sync_client")
            return [sys.executable, program]
        case "ts":
            generators.typescript_types(document, folder / "contact_sync.ts")
            generators.compiled_typescript(folder, "*.ts", emit=True)
            return ["node", str(folder / "share_and_import.js")]
        case _:
            return ["bash", program]


needs_pwsh = pytest.mark.skipif(bool(left_out(PWSH)), reason=str(left_out(PWSH)))


@pytest.mark.parametrize("language", ["py", "sh", "ts", pytest.param("ps1", marks=needs_pwsh)])
async def test_program_shares_imports_and_follows_the_run(
    world: World, tmp_path: Path, language: str
) -> None:
    started = await asyncio.to_thread(command, language, tmp_path)
    known = {
        "API": world.client.addresses["api"],
        "TOKEN": world.api.token,
        "GROUP": world.group,
        "MAILBOX": world.targets[0],
        "WAIT": "0.2",
        "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1",
    }

    program = await asyncio.create_subprocess_exec(
        *started, cwd=tmp_path, env={**os.environ, **known}, stdout=PIPE, stderr=PIPE
    )
    output, errors = await program.communicate()

    assert program.returncode == 0, errors.decode()
    assert output.decode().split("\n") == [
        f"{world.targets[0]} succeeded {len(world.people)}",
        "succeeded",
        "",
    ]
