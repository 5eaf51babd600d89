"""Where contacts of ours are that left their folder, since its delta may not show their return.

A contact keeps its immutable id when its user moves it, also to Deleted Items. The delta of a
folder then shows that it left, but not that it came back (microsoft-graph-docs#21752).
"""

from collections.abc import Mapping, Sequence
from itertools import batched, chain
from typing import Final
from urllib.parse import quote

from shared.adapters.graph.batch import BATCH_SIZE, BatchItem, send_batch
from shared.adapters.graph.mailboxes.answers import is_gone
from shared.adapters.graph.mailboxes.folders import root_of
from shared.adapters.graph.transport import GraphSession

UNKNOWN: Final = ""
"""Stands for the place of a contact that Graph does not tell, for now or ever."""

type Places = dict[str, str]
"""The folder of each contact that exists, by the contact's id."""


async def places(session: GraphSession, contacts: Mapping[str, Sequence[str]]) -> dict[str, Places]:
    """Return, by user, where contacts are; those that do not exist any more are left out."""
    found: dict[str, Places] = {user: {} for user in contacts}
    wanted = chain.from_iterable(((u, id_) for id_ in ids) for u, ids in contacts.items())
    for some in batched(wanted, BATCH_SIZE, strict=False):
        items = [
            # Not below its folder: Graph may not find it there.
            BatchItem("GET", f"{root_of(user)}/contacts/{quote(id_, safe='')}", _PLACE)
            for user, id_ in some
        ]
        for (user, id_), answer in zip(some, await send_batch(session, items), strict=True):
            if not is_gone(answer):
                body = answer.body if answer.ok and isinstance(answer.body, dict) else {}
                found[user][id_] = str(body.get("parentFolderId") or UNKNOWN)
    return found


_PLACE: Final = {"$select": "id,parentFolderId"}
