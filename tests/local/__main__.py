"""`python -m tests.local serve [--demo]` keeps the local cloud up; `… demo` plays the demo."""

import argparse
import asyncio
import signal
import sys

from tests.local.cloud import BUILD, LocalCloud


async def serve(*, with_demo: bool) -> int:
    """Serve until SIGTERM or Ctrl-C; with the demo's data if wanted."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with LocalCloud() as cloud:
        if with_demo:
            from tests.local.demo import seed  # noqa: PLC0415 - only the demo needs Faker

            await seed(cloud.client)
        for name in ("portal", "api", "graph", "entra"):
            print(f"{name:8} {cloud.addresses[name]}")
        print(f"All addresses: {BUILD / 'local.json'}. Ctrl-C stops everything.", flush=True)
        await stopped.wait()
    return 0


async def play() -> int:
    """Play the demo."""
    from tests.local.demo import demo  # noqa: PLC0415 - only the demo needs Faker

    async with LocalCloud() as cloud:
        return await demo(cloud.client)


def main() -> int:
    """Read the command line and do as it says."""
    parser = argparse.ArgumentParser(prog="python -m tests.local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serving = commands.add_parser("serve", help="keep the local cloud up")
    serving.add_argument("--demo", action="store_true", help="with the demo's data")
    commands.add_parser("demo", help="play the demo and check it")
    given = parser.parse_args()
    if given.command == "serve":
        return asyncio.run(serve(with_demo=given.demo))
    return asyncio.run(play())


if __name__ == "__main__":
    sys.exit(main())
