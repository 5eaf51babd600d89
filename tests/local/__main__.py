"""`python -m tests.local serve [--demo]` runs the local cloud; `… demo` runs the demo.

Both stop on SIGTERM or Ctrl-C, with every process that they started.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path

from tests.local.cloud import BUILD, LocalCloud


async def serve(build: Path, *, with_demo: bool) -> int:
    """Run the local cloud until cancelled, with the demo's data if `with_demo` is true."""
    async with LocalCloud(build=build) as cloud:
        if with_demo:
            from tests.local.demo import seed  # noqa: PLC0415 - only the demo needs Faker

            await seed(cloud.client)
        for name in ("portal", "api", "graph", "entra"):
            print(f"{name:8} {cloud.addresses[name]}")
        print(f"All addresses: {build / 'local.json'}. Ctrl-C stops everything.", flush=True)
        await asyncio.Event().wait()
    return 0


async def run_demo(build: Path) -> int:
    """Run the demo and return its exit code."""
    from tests.local.demo import demo  # noqa: PLC0415 - only the demo needs Faker

    async with LocalCloud(build=build) as cloud:
        return await demo(cloud.client)


async def until_signal(work: Coroutine[None, None, int], interrupted: int) -> int:
    """Do the work. The first signal cancels it, so that it cleans up, and returns `interrupted`."""
    task = asyncio.ensure_future(work)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(
            number, lambda: None if task.cancelling() else task.cancel()
        )
    try:
        return await task
    except asyncio.CancelledError:
        return interrupted
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve", help="run the local cloud")
    serving.add_argument("--demo", action="store_true", help="with the demo's data")
    playing = commands.add_parser("demo", help="run the demo and check its results")
    for command in (serving, playing):
        command.add_argument(
            "--build", type=Path, default=BUILD, help="folder for local.json and logs"
        )
    given = parser.parse_args()
    if given.command == "serve":
        return asyncio.run(until_signal(serve(given.build, with_demo=given.demo), 0))
    return asyncio.run(until_signal(run_demo(given.build), 1))


if __name__ == "__main__":
    sys.exit(main())
