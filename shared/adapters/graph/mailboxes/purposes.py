"""Reads what mailboxes are for: a person, several people (shared), a room or equipment."""

from collections.abc import Sequence
from itertools import batched
from typing import Final
from urllib.parse import quote

from shared.adapters.graph.batch import BATCH_SIZE, BatchItem, read_batch, require_all
from shared.adapters.graph.transport import GraphSession

UNREADABLE: Final = "unreadable"
"""Stands for the purpose of a mailbox that keeps answering 500 (msgraph-sdk-dotnet#1073)."""


async def mailbox_purposes(session: GraphSession, ids: Sequence[str]) -> dict[str, str]:
    """Return `userPurpose` of users, such as `user`, `shared` or `room`; 20 per HTTP request.

    Mailboxes that the app may not open are left out. One that keeps answering 500 is `UNREADABLE`,
    and stops none of the others; any other temporary error raises `Unavailable`. Docs:
    mailboxsettings (no list of users has it).
    """
    found: dict[str, str] = {}
    for chunk in batched(ids, BATCH_SIZE, strict=False):
        answers = await read_batch(session, [BatchItem("GET", _path(id_)) for id_ in chunk])
        require_all([answer for answer in answers if answer.status != 500])
        for id_, answer in zip(chunk, answers, strict=True):
            if answer.ok:
                found[id_] = str(answer.body["value"])
            elif answer.status == 500:
                found[id_] = UNREADABLE
    return found


def _path(id_: str) -> str:
    return f"/users/{quote(id_, safe='')}/mailboxSettings/userPurpose"
