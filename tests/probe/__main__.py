"""`make probe` asks a real tenant the questions of `tests/probe/questions.py`.

Credentials come from the environment only: PROBE_TENANT, PROBE_CLIENT_ID, PROBE_CLIENT_SECRET,
PROBE_MAILBOX (id or name of a spare user), and optionally PROBE_SECURITY_GROUP and
PROBE_M365_GROUP (ids), PROBE_OTHER_MAILBOX (a user with a contact) and PROBE_NO_MAILBOX (a user
without one). PROBE_GRAPH, PROBE_AUTHORITY and PROBE_CA_FILE lead to another cloud.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping

from azure.core.exceptions import AzureError
from azure.identity.aio import ClientSecretCredential

from tests.probe.outside import NAME, Given, Outside, ProbeError
from tests.probe.run import NotEmptyError, as_json, require_empty, run, table

_REQUIRED = ("PROBE_TENANT", "PROBE_CLIENT_ID", "PROBE_CLIENT_SECRET", "PROBE_MAILBOX")
_SCOPE = "https://graph.microsoft.com/.default"


async def probe(
    environment: Mapping[str, str], *, as_record: bool, not_empty: bool, by_hand: bool = False
) -> int:
    """Run the probe and print its table. Return 1 if something could not be deleted."""
    credential = ClientSecretCredential(
        environment["PROBE_TENANT"],
        environment["PROBE_CLIENT_ID"],
        environment["PROBE_CLIENT_SECRET"],
        authority=environment.get("PROBE_AUTHORITY", "login.microsoftonline.com"),
        disable_instance_discovery="PROBE_AUTHORITY" in environment,
        connection_verify=environment.get("PROBE_CA_FILE", True),
    )
    given = Given(
        environment.get("PROBE_GRAPH", "https://graph.microsoft.com/v1.0"),
        environment["PROBE_MAILBOX"],
        environment.get("PROBE_SECURITY_GROUP", ""),
        environment.get("PROBE_M365_GROUP", ""),
        environment.get("PROBE_OTHER_MAILBOX", ""),
        environment.get("PROBE_NO_MAILBOX", ""),
    )

    async def token() -> str:
        return (await credential.get_token(_SCOPE)).token

    async with credential, Outside(given, token, _by_hand if by_hand else None) as outside:
        if not not_empty:
            await require_empty(outside)
        answers, left = await run(outside)
    print(json.dumps(as_json(answers), indent=1) if as_record else table(answers))
    for path in left:
        print(f"could not delete {path}", file=sys.stderr)
    return 1 if left else 0


async def _by_hand(_: str, folder: str) -> None:
    """Ask for a move of the probe's contact, and wait for it."""
    text = (
        f"In Outlook, move the contact '{NAME}' from '{folder}' to Contacts and back. Then: Enter"
    )
    await asyncio.to_thread(input, text)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.probe", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the record instead of a table")
    parser.add_argument(
        "--not-empty", action="store_true", help="accept a mailbox with contacts of its user"
    )
    parser.add_argument(
        "--by-hand", action="store_true", help="ask for a move in Outlook, which Graph cannot do"
    )
    given = parser.parse_args()
    if missing := [name for name in _REQUIRED if not os.environ.get(name)]:
        parser.error(f"set {', '.join(missing)}")
    try:
        return asyncio.run(
            probe(
                os.environ,
                as_record=given.json,
                not_empty=given.not_empty,
                by_hand=given.by_hand,
            )
        )
    except (NotEmptyError, ProbeError, AzureError) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
