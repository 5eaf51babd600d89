"""`make quirks`: let two companies live under each quirk alone, under all pairs, and under all.

Prints a line per row with the requests of its mailboxes, and what was wrong. `--only WORD` runs the
rows whose text contains a word.
"""

import argparse
import asyncio
import sys
import tempfile
from itertools import batched
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.local.cloud import LocalCloud
from tests.local.matrix.life import Life, live
from tests.local.matrix.rows import Row, all_at_once, alone, pairwise

_AT_A_TIME = 6
_console = Console(width=150)


async def run(rows: list[Row]) -> list[Life]:
    """Let the rows live, some at a time, each time in a cloud of their own."""
    lives: list[Life] = []
    for some in batched(rows, _AT_A_TIME, strict=False):
        with tempfile.TemporaryDirectory() as build:
            async with LocalCloud(build=Path(build)) as cloud:
                lives += await live(cloud.client, some)
        wrong = [f"{life.row.shown}: {life.wrong}" for life in lives[-len(some) :] if life.wrong]
        print(f"{len(lives)} of {len(rows)} rows", *wrong, sep="\n", file=sys.stderr, flush=True)
    return lives


def show(lives: list[Life]) -> int:
    """Print the matrix; return the exit code."""
    table = Table(title="Two companies under quirks of Graph", title_justify="left")
    table.add_column("row")
    table.add_column("quirks that differ from the defaults", overflow="fold")
    table.add_column("requests", justify="right")
    table.add_column("wrong", overflow="fold")
    for life in lives:
        table.add_row(
            life.row.name, life.row.shown, str(life.requests), "; ".join(dict.fromkeys(life.wrong))
        )
    _console.print(table)
    wrong = sum(bool(life.wrong) for life in lives)
    _console.print(f"{len(lives)} rows, {wrong} of them wrong")
    return 1 if wrong else 0


def main() -> int:
    """Read the command line, run, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.local.matrix", description=__doc__)
    parser.add_argument("--only", default="", help="a word in the row's name or quirks")
    given = parser.parse_args()
    rows = [
        row
        for row in (*alone(), *pairwise(), all_at_once())
        if given.only in f"{row.name}: {row.shown}"
    ]
    return show(asyncio.run(run(rows)))


if __name__ == "__main__":
    sys.exit(main())
