"""Reads what mailboxes are for: a person, several people (shared), a room or equipment."""

import asyncio
from collections.abc import Sequence
from itertools import batched
from typing import Final
from urllib.parse import quote

from shared.adapters.graph.batch import (
    BATCH_SIZE,
    BatchItem,
    longest_wait,
    require_all,
    send_batch,
)
from shared.adapters.graph.transport import LONGEST_WAIT, GraphResponse, GraphSession

UNREADABLE: Final = "unreadable"
"""Stands for the purpose of a mailbox that keeps answering 500 (msgraph-sdk-dotnet#1073)."""
_TRIES: Final = 3


async def mailbox_purposes(session: GraphSession, ids: Sequence[str]) -> dict[str, str]:
    """Return `userPurpose` of users, such as `user`, `shared` or `room`; 20 per HTTP request.

    Mailboxes that the app may not open are left out. One that keeps answering 500 is `UNREADABLE`,
    and stops none of the others; any other temporary error raises `Unavailable`. Docs:
    mailboxsettings (no list of users has it).
    """
    found: dict[str, str] = {}
    for chunk in batched(ids, BATCH_SIZE, strict=False):
        for id_, answer in (await _answers(session, chunk)).items():
            if answer.ok:
                found[id_] = str(answer.body["value"])
            elif answer.status == 500:
                found[id_] = UNREADABLE
    return found


async def _answers(session: GraphSession, ids: Sequence[str]) -> dict[str, GraphResponse]:
    found: dict[str, GraphResponse] = {}
    waiting = list(ids)
    for left in reversed(range(_TRIES)):
        items = [BatchItem("GET", _path(id_)) for id_ in waiting]
        found |= zip(waiting, await send_batch(session, items), strict=True)
        require_all([found[id_] for id_ in waiting if found[id_].status != 500])
        waiting = [id_ for id_ in waiting if found[id_].status == 500]
        if not waiting:
            break
        if left:
            await asyncio.sleep(min(LONGEST_WAIT, longest_wait(found[id_] for id_ in waiting)))
    return found


def _path(id_: str) -> str:
    return f"/users/{quote(id_, safe='')}/mailboxSettings/userPurpose"
