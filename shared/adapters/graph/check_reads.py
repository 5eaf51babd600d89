"""The reads of a tenant's own check that no other part of the app sends.

Docs: user-list, group-list, orgcontact-list, user-list-contacts, outlookuser-list-mastercategories.
"""

from typing import Final, Literal

from shared.adapters.graph.directory import PROOF
from shared.adapters.graph.mailboxes.answers import missing_mailbox
from shared.adapters.graph.mailboxes.folders import root_of
from shared.adapters.graph.transport import GraphSession
from shared.domain.errors import Refused
from shared.domain.reasons import Reason

type Listed = Literal["/users", "/groups", "/contacts"]

_UNITS: Final = 2


async def read_one(session: GraphSession, path: Listed) -> None:
    """Read one object of the directory, if there is any.

    Raises `Refused`, also for a user without a principal name: the app may not read it.
    """
    fields = f"id,{PROOF}" if path == "/users" else "id"
    await session.directory.take(_UNITS)
    answer = await session.read(path, query={"$select": fields, "$top": "1"})
    if not answer.ok:
        raise Refused(answer.status, answer.code)
    if path == "/users" and any(user.get(PROOF) is None for user in answer.value):
        raise Refused(answer.status, "unreadable")


async def is_open(session: GraphSession, user: str) -> bool:
    """Return whether the app can read the contacts or the categories of a mailbox.

    Raises `NeedsAdmin` if there is no such mailbox, or if Graph refuses for another reason.
    """
    for path, query in (
        ("contacts", {"$select": "id", "$top": "1"}),
        ("outlook/masterCategories", None),
    ):
        answer = await session.read(f"{root_of(user)}/{path}", query=query)
        if answer.ok:
            return True
        error = missing_mailbox(answer)
        if error is None or error.reason is not Reason.ACCESS_DENIED:
            raise error or Refused(answer.status, answer.code)
    return False
