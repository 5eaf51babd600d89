"""The permissions we ask a tenant for in Microsoft Graph, as an admin consents to them.

Application permissions, as the admin consents to them for the whole tenant (docs: permissions-
reference). A customer may instead give access to mailboxes in Exchange, for those in a scope only
(docs: application-rbac); then the token does not carry the mailboxes' permissions.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

type MailboxAccess = Literal["tenant", "exchange"]


@dataclass(frozen=True, slots=True)
class Permission:
    """One permission by its name in Graph; `web/reason_texts.py` says why we ask for it.

    `included_in` names wider permissions that do as well. What is not `needed` in the token may be
    given in Exchange instead.
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
    """The needed permissions that a token's roles do not cover."""
    return tuple(p for p in PERMISSIONS if p.needed and not covers(granted, p))


def covers(granted: Collection[str], permission: Permission) -> bool:
    """Whether a token's roles hold a permission, or a wider one."""
    return permission.name in granted or bool(permission.included_in & set(granted))


def mailbox_access(granted: Collection[str]) -> MailboxAccess:
    """Whether mailboxes are open by consent, all of them, or by Exchange, those in a scope."""
    return "tenant" if "Contacts.ReadWrite" in granted else "exchange"
