"""Reads what mailboxes are for: a person, several people (shared), a room or equipment."""

from collections.abc import Sequence
from itertools import batched
from urllib.parse import quote

from shared.adapters.graph.batch import BATCH_SIZE, BatchItem, require_all, send_batch
from shared.adapters.graph.transport import GraphSession


async def mailbox_purposes(session: GraphSession, ids: Sequence[str]) -> dict[str, str]:
    """Return `userPurpose` of users, such as `user`, `shared` or `room`; 20 per HTTP request.

    Mailboxes that the app may not open are left out. Raises `Unavailable` if any read failed
    temporarily. Docs: mailboxsettings (no list of users has it).
    """
    found: dict[str, str] = {}
    for chunk in batched(ids, BATCH_SIZE, strict=False):
        paths = [f"/users/{quote(id_, safe='')}/mailboxSettings/userPurpose" for id_ in chunk]
        answers = await send_batch(session, [BatchItem("GET", path) for path in paths])
        require_all(answers)
        for id_, answer in zip(chunk, answers, strict=True):
            if answer.ok:
                found[id_] = str(answer.body["value"])
    return found
