"""Some histories of the service, and that a seed always gives the same one."""

import asyncio
import os
import sys

from tests.simulation.__main__ import run_some
from tests.simulation.histories import run_history
from tests.simulation.known import known
from tests.sources import ROOT

HISTORIES = 60
_SEEDS = (3, 19)


async def digests(hash_seed: str) -> str:
    """Return the hashes of some traces, as another process prints them."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.simulation", "--digests", "--start", "17", "--seeds", "1",
        cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": hash_seed}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


def test_histories_break_no_invariant() -> None:
    found = run_some(range(HISTORIES))

    assert found.histories == HISTORIES
    assert not {name: seeds for name, seeds in found.seeds.items() if known(name) is None}


def test_same_seed_gives_the_same_history() -> None:
    for seed in _SEEDS:
        first, second = list[str](), list[str]()

        run_history(seed, first)
        run_history(seed, second)

        assert len(first) > 100
        assert first == second


async def test_same_seed_gives_the_same_history_in_another_process() -> None:
    first = await digests("1")

    assert first == await digests("2")
    assert len(first.splitlines()) == 1
