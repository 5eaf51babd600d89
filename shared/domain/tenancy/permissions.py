"""The Microsoft Graph permissions that an admin grants us by consent.

They are application permissions for the whole tenant (docs: permissions-reference). A customer may
instead grant access to selected mailboxes in Exchange (docs: application-rbac); the token then
does not contain the permissions for mailboxes.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

type MailboxAccess = Literal["tenant", "exchange"]


@dataclass(frozen=True, slots=True)
class Permission:
    """A permission by its name in Graph; `web/texts/reasons.py` says why we ask for it.

    `included_in` lists wider permissions that include it. A permission that is not `needed` in the
    token may be granted in Exchange instead.
    """

    name: str
    needed: bool = True
    included_in: frozenset[str] = frozenset()


_DIRECTORY: Final = frozenset({"Directory.Read.All", "Directory.ReadWrite.All"})

PERMISSIONS: Final = (
    Permission(
        "User.Read.All",
        included_in=_DIRECTORY | {"User.ReadWrite.All"},
    ),
    Permission(
        "GroupMember.Read.All",
        included_in=_DIRECTORY | {"Group.Read.All", "Group.ReadWrite.All"},
    ),
    Permission(
        "OrgContact.Read.All",
        included_in=_DIRECTORY,
    ),
    Permission(
        "Contacts.ReadWrite",
        needed=False,
    ),
    Permission(
        "MailboxSettings.ReadWrite",
        needed=False,
    ),
)


def missing(granted: Collection[str]) -> tuple[Permission, ...]:
    """Return the needed permissions that a token's roles do not cover."""
    return tuple(p for p in PERMISSIONS if p.needed and not covers(granted, p))


def covers(granted: Collection[str], permission: Permission) -> bool:
    """Return whether a token's roles contain a permission or a wider one."""
    return permission.name in granted or bool(permission.included_in & set(granted))


def mailbox_access(granted: Collection[str]) -> MailboxAccess:
    """Return where access to mailboxes was granted: by consent for all, or in Exchange for some."""
    return "tenant" if "Contacts.ReadWrite" in granted else "exchange"
