"""A tenant's own check: what it asks Microsoft, line by line, and what each answer means.

Only ids and codes are stored. `web/texts/checks.py` has the words of every line and reason. Each
line names the page of Microsoft's documentation behind it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Self

from shared.domain.model import DirectoryId, Model, ObjectId
from shared.domain.reasons import Reason

KEPT_FOR: Final = timedelta(days=30)
"""How long the last check of a tenant is stored."""
PAUSE: Final = timedelta(minutes=1)
"""How long after one check the next may begin."""
STALE: Final = timedelta(minutes=15)
"""A check without progress for so long is lost: the next one need not join it."""


class CheckState(StrEnum):
    """How far a check is."""

    QUEUED = "queued"
    """The check waits for its turn."""
    RUNNING = "running"
    """Lines appear as they are answered."""
    DONE = "done"
    """Final. All lines are answered."""


class LineState(StrEnum):
    """What a line says: it works, it does not, it was not asked, or it works with a limit."""

    OK = "ok"
    """It works."""
    FAILED = "failed"
    """It does not work; see `solution`."""
    SKIPPED = "skipped"
    """It was not checked."""
    WARNING = "warning"
    """It works with a limit, or could not be proved."""


class LineCode(StrEnum):
    """What a check asks, in this order."""

    CONSENT = "consent"
    """Entra ID gives the app a token with permissions (docs: v2-oauth2-client-creds-grant-flow)."""
    USERS = "users"
    """User.Read.All is granted and reads a user (docs: user-list)."""
    GROUPS = "groups"
    """GroupMember.Read.All is granted and reads a group (docs: group-list)."""
    ORG_CONTACTS = "org_contacts"
    """OrgContact.Read.All is granted and reads the mail contacts (docs: orgcontact-list)."""
    CONTACTS = "contacts"
    """Contacts.ReadWrite is granted for all mailboxes (docs: permissions-reference)."""
    MAILBOX_SETTINGS = "mailbox_settings"
    """MailboxSettings.ReadWrite is granted for all mailboxes (docs: permissions-reference)."""
    MAILBOX_READ = "mailbox_read"
    """The contacts of a target mailbox can be read (docs: user-list-contacts)."""
    CONTACT_WRITTEN = "contact_written"
    """A test contact can be written and is found by its mark (docs: user-post-contacts,
    singlevaluelegacyextendedproperty-get)."""
    CONTACT_PHOTO = "contact_photo"
    """The test contact takes a photo (docs: profilephoto-update)."""
    CATEGORY = "category"
    """A category with a color can be added (docs: outlookuser-post-mastercategories)."""
    CONTACT_REMOVED = "contact_removed"
    """The test contact and category are removed again (docs: contact-permanentdelete)."""
    USER_PHOTO = "user_photo"
    """The photo of the mailbox's user can be read (docs: profilephoto-get)."""
    SCOPE = "scope"
    """A mailbox outside the scope is closed to the app (docs: application-rbac)."""


PERMISSION_OF: Final = {
    LineCode.USERS: "User.Read.All",
    LineCode.GROUPS: "GroupMember.Read.All",
    LineCode.ORG_CONTACTS: "OrgContact.Read.All",
    LineCode.CONTACTS: "Contacts.ReadWrite",
    LineCode.MAILBOX_SETTINGS: "MailboxSettings.ReadWrite",
}
"""The permission that a line asks for."""


class CheckReason(StrEnum):
    """Why a line is not ok. The reason decides the state of its line."""

    state: LineState

    def __new__(cls, name: str, state: LineState) -> Self:
        """Make the member of this name."""
        reason = str.__new__(cls, name)
        reason._value_ = name
        reason.state = state
        return reason

    # why Entra ID gives no token
    CONSENT_MISSING = "consent_missing", LineState.FAILED
    TENANT_NOT_FOUND = "tenant_not_found", LineState.FAILED
    ACCESS_POLICY_BLOCKS = "access_policy_blocks", LineState.FAILED
    ASSIGNMENT_REQUIRED = "assignment_required", LineState.FAILED
    GRAPH_DISABLED = "graph_disabled", LineState.FAILED
    ENTRA_REFUSED = "entra_refused", LineState.FAILED
    # permissions and the directory
    PERMISSION_MISSING = "permission_missing", LineState.FAILED
    EXCHANGE_DECIDES = "exchange_decides", LineState.SKIPPED
    CONSENT_SETTLING = "consent_settling", LineState.WARNING
    READ_REFUSED = "read_refused", LineState.FAILED
    # the mailbox
    NO_TARGET = "no_target", LineState.SKIPPED
    USER_NOT_FOUND = "user_not_found", LineState.WARNING
    NO_MAILBOX = "no_mailbox", LineState.WARNING
    ACCESS_DENIED = "access_denied", LineState.FAILED
    MAILBOX_FULL = "mailbox_full", LineState.WARNING
    MAILBOX_PROPERTIES_FULL = "mailbox_properties_full", LineState.WARNING
    MAILBOX_BUSY = "mailbox_busy", LineState.WARNING
    WRITE_REFUSED = "write_refused", LineState.FAILED
    MARK_NOT_FOUND = "mark_not_found", LineState.WARNING
    PHOTO_REFUSED = "photo_refused", LineState.WARNING
    CATEGORY_REFUSED = "category_refused", LineState.WARNING
    IN_DELETED_ITEMS = "in_deleted_items", LineState.WARNING
    NOT_REMOVED_YET = "not_removed_yet", LineState.FAILED
    # the scope
    ALL_MAILBOXES = "all_mailboxes", LineState.SKIPPED
    NO_MAILBOX_NAMED = "no_mailbox_named", LineState.SKIPPED
    OPEN_IN_ENTRA = "open_in_entra", LineState.FAILED
    OPEN_IN_EXCHANGE = "open_in_exchange", LineState.FAILED
    SCOPE_UNPROVEN = "scope_unproven", LineState.WARNING
    # the check itself
    NOT_REACHED = "not_reached", LineState.SKIPPED
    MICROSOFT_UNAVAILABLE = "microsoft_unavailable", LineState.FAILED
    GAVE_UP = "gave_up", LineState.FAILED
    TENANT_LEAVING = "tenant_leaving", LineState.SKIPPED


_BY_VALUE: Final = {reason.value: reason for reason in CheckReason}


def check_reason(reason: Reason, otherwise: CheckReason) -> CheckReason:
    """Return what a refusal means in a check: the code is the same where both have one.

    `gave_up` of a run stands for any other refusal by Graph.
    """
    if reason is Reason.GAVE_UP:
        return otherwise
    return _BY_VALUE.get(reason.value, otherwise)


class CheckInput(Model):
    """What to check: a target mailbox, and a mailbox `outside` of the scope in Exchange.

    Without `mailbox`, it is the first target of an import.
    """

    mailbox: DirectoryId | None = None
    """The object id of a user whose mailbox is read and written. Null: the first target of an
    import."""
    outside: DirectoryId | None = None
    """The object id of a user whose mailbox the app must not open. Null: it is not checked."""


class CheckLine(Model):
    """The answer to one line; without a `reason`, it is ok."""

    line: LineCode
    reason: CheckReason | None = None

    @property
    def state(self) -> LineState:
        """What the line says."""
        return LineState.OK if self.reason is None else self.reason.state


class Leftover(Model):
    """A mailbox that may hold the test contact of a check, and perhaps its test category."""

    mailbox: ObjectId
    category: bool = False


class TenantCheck(Model):
    """The last check of a tenant.

    `left` are the mailboxes that may hold something of a check, this one or an earlier one: they
    are written before the mailbox is. `tested` is the mailbox that was read and written.
    """

    id: str
    state: CheckState = CheckState.QUEUED
    asked: datetime
    by: str
    changed: datetime
    ended: datetime | None = None
    mailbox: str | None = None
    outside: str | None = None
    tested: str | None = None
    lines: list[CheckLine] = []
    left: list[Leftover] = []

    @property
    def result(self) -> LineState | None:
        """The worst state of all lines, once the check is done."""
        if self.state is not CheckState.DONE:
            return None
        found = {line.state for line in self.lines}
        worst = (LineState.FAILED, LineState.WARNING)
        return next((state for state in worst if state in found), LineState.OK)

    def under_way(self, now: datetime) -> bool:
        """Return whether the check goes on and is not lost."""
        return self.state is not CheckState.DONE and now - self.changed < STALE

    def reason_of(self, line: LineCode) -> CheckReason | None:
        """Return why a line is not ok; None also for a line without an answer."""
        return next((found.reason for found in self.lines if found.line is line), None)

    def open_lines(self, lines: Sequence[LineCode]) -> list[LineCode]:
        """Return those of the lines that have no answer yet."""
        answered = {found.line for found in self.lines}
        return [line for line in lines if line not in answered]
