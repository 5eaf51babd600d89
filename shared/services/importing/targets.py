"""Which mailboxes an import's targets mean today."""

from dataclasses import dataclass, field

from shared.adapters.graph import directory
from shared.adapters.graph.transport import GraphSession
from shared.domain.importing.imports import Targets
from shared.domain.reasons import Reason


@dataclass(slots=True)
class TargetMailboxes:
    """The users an import aims at: those with mail, and those left out with the reason."""

    mailboxes: set[str] = field(default_factory=set)
    left_out: dict[str, Reason] = field(default_factory=dict)


async def resolve_targets(session: GraphSession, targets: Targets) -> TargetMailboxes:
    """Ask the directory for the targets' mailboxes. Raises when any part cannot be read."""
    found = TargetMailboxes()
    users = await directory.mailboxes_by_id(session, targets.users) if targets.users else {}
    by_lower = {id_.lower() for id_ in users}
    for id_ in targets.users:
        if id_.lower() not in by_lower:
            found.left_out[id_] = Reason.USER_NOT_FOUND
    members = list(users.values())
    for group in targets.groups:
        members += [user async for user in directory.group_mailboxes(session, group)]
    for user in members:
        if user.get("mail"):
            found.mailboxes.add(user["id"])
        else:
            found.left_out[user["id"]] = Reason.NO_MAILBOX
    return found
