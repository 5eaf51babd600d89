"""What Graph's refusals mean for a mailbox, told apart by their codes.

`adapters/graph/README.md` lists each code with its source.
"""

from enum import Enum
from typing import Final

from shared.adapters.graph.transport import GraphResponse
from shared.domain.errors import NeedsAdmin
from shared.domain.reasons import Reason

_NO_MAILBOX: Final = frozenset(
    {
        "MailboxNotEnabledForRESTAPI",
        "MailboxNotSupportedForRESTAPI",
        "ErrorNonExistentMailbox",
    }
)
_NOT_DISCOVERED: Final = "ResourceNotFound"
_NO_USER: Final = frozenset({"ErrorInvalidUser", "Request_ResourceNotFound"})
_FOREIGN_IDS: Final = frozenset(
    {"ErrorInvalidMailboxItemId", "ErrorInvalidIdMalformed", "ErrorInvalidId"}
)
_PROPERTY_QUOTA: Final = "cannot get id from name"


class FolderGoneError(Exception):
    """The folder no longer exists, or its user deleted it."""


class LinkExpiredError(Exception):
    """The delta link no longer works, so the whole folder must be read again."""


class Way(Enum):
    """How a write is sent. Graph may refuse the first two, and is then sent `PLAIN`."""

    FOR_GOOD = "a permanentDelete, or else a DELETE"
    STANDARD = "bytes as standard base64, or else in the URL's alphabet"
    PLAIN = "the only way"

    def is_refused_by(self, answer: GraphResponse) -> bool:
        """Return whether a response refuses this way, so that the write is sent in the other."""
        match self:
            case Way.FOR_GOOD:
                return not_for_good(answer)
            case Way.STANDARD:
                return answer.status == 400
            case Way.PLAIN:
                return False


def missing_mailbox(answer: GraphResponse) -> NeedsAdmin | None:
    """Return an error if a response means that the mailbox is missing, full or closed to us."""
    if answer.ok:
        return None
    if answer.is_full:
        named = _PROPERTY_QUOTA in answer.message.lower()
        reason = Reason.MAILBOX_PROPERTIES_FULL if named else Reason.MAILBOX_FULL
        return NeedsAdmin(reason, f"Graph returned {answer.status} {answer.code}.")
    undiscovered = answer.status == 404 and answer.code == _NOT_DISCOVERED
    inactive = "mailbox is either inactive" in answer.message.lower()
    if answer.code in _NO_MAILBOX or undiscovered or inactive:
        return NeedsAdmin(Reason.NO_MAILBOX, f"Graph returned {answer.code}.")
    if answer.status == 404 and answer.code in _NO_USER:
        return NeedsAdmin(Reason.USER_NOT_FOUND, f"Graph returned {answer.code}.")
    if answer.status == 403:
        return NeedsAdmin(Reason.ACCESS_DENIED, f"Graph returned 403 {answer.code}.")
    return None


def is_gone(answer: GraphResponse) -> bool:
    """Return whether an item or folder does not exist in this mailbox.

    After a mailbox was replaced, ids from the old one are refused as foreign or malformed.
    """
    return answer.status == 404 or (answer.status == 400 and answer.code in _FOREIGN_IDS)


def not_for_good(answer: GraphResponse) -> bool:
    """Return whether a permanentDelete was refused, so that a plain DELETE is sent instead.

    Not all national clouds have it (docs: contact-permanentdelete).
    """
    gone = answer.status == 404 and answer.code == "ErrorItemNotFound"
    refused = 400 <= answer.status <= 501 and not (answer.is_full or gone)
    return refused and (answer.status >= 500 or not answer.is_transient)
