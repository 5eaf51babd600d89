"""The reasons why a run failed, a mailbox was not synced, or a person was left out.

The codes are part of the API (`reason` of a result, a run or an omission) and never change their
meaning; `web/texts/reasons.py` has the text and remedy of each.
"""

from enum import StrEnum


class Reason(StrEnum):
    """A machine-readable cause."""

    # a mailbox
    NO_MAILBOX = "no_mailbox"
    NO_SEAT = "no_license"
    USER_NOT_FOUND = "user_not_found"
    TOO_MANY_DELETES = "too_many_deletes"
    TOO_MANY_CHANGES = "too_many_changes"
    APPROVAL_PENDING = "approval_pending"
    PLAN_DISCARDED = "plan_discarded"
    CATEGORY_COLOR_REFUSED = "category_color_refused"
    ACCESS_DENIED = "access_denied"
    MAILBOX_FULL = "mailbox_full"
    MAILBOX_PROPERTIES_FULL = "mailbox_properties_full"
    CONTACTS_REJECTED = "contacts_rejected"
    GAVE_UP = "gave_up"
    FOLDER_NAME_TAKEN = "folder_name_taken"
    # a run
    CONSENT_MISSING = "consent_missing"
    PUBLISHER_CONSENT_MISSING = "publisher_consent_missing"
    TENANT_NOT_FOUND = "tenant_not_found"
    ACCESS_POLICY_BLOCKS = "access_policy_blocks"
    ASSIGNMENT_REQUIRED = "assignment_required"
    GRAPH_DISABLED = "graph_disabled"
    ENTRA_REFUSED = "entra_refused"
    PUBLISHER_UNAVAILABLE = "publisher_unavailable"
    SHARE_NOT_FOUND = "share_not_found"
    SHARE_WITHDRAWN = "share_withdrawn"
    PUBLISHER_APPROVAL_PENDING = "publisher_approval_pending"
    SHARE_EMPTY = "share_empty"
    NO_CONTACTS = "no_contacts"
    NO_TARGETS = "no_targets"
    SHARE_TOO_LARGE = "share_too_large"
    TARGETS_EMPTY = "targets_empty"
    TOO_MANY_CREATES = "too_many_creates"
    GROUP_NOT_FOUND = "group_not_found"
    MEMBERS_HIDDEN = "members_hidden"
    IMPORT_PAUSED = "import_paused"
    IMPORT_DELETED = "import_deleted"
    RUN_STOPPED = "run_stopped"
    MAILBOXES_FAILED = "mailboxes_failed"
    # a person who is not among a share's contacts
    DISABLED = "disabled"
    EXCLUDED = "excluded"
    FILTERED = "filtered"
    GUEST = "guest"
    HIDDEN = "hidden"
    NO_EMAIL = "no_email"
    NOT_FOUND = "not_found"
    SHORTENED = "shortened"
    KEPT_OUT = "suppressed"
    PHOTO_REFUSED = "photo_refused"
    # a person who is not among a mailbox's contacts
    NOT_A_TARGET = "not_a_target"
    NOT_IN_SHARE = "not_in_share"
    NOT_YET_SYNCED = "not_yet_synced"
    DELETED_BY_USER = "deleted_by_user"


INCLUDED = frozenset({Reason.SHORTENED, Reason.PHOTO_REFUSED})
"""A person with such a reason is among a share's contacts, with less than the directory has."""

ENTRA_REFUSALS = frozenset(
    {
        Reason.TENANT_NOT_FOUND,
        Reason.ACCESS_POLICY_BLOCKS,
        Reason.ASSIGNMENT_REQUIRED,
        Reason.GRAPH_DISABLED,
        Reason.ENTRA_REFUSED,
    }
)
"""Why a tenant's Entra ID gives the app no token although its admins consented."""
