"""Why a mailbox, a contact or a run did not end well, and what an admin can do about it.

The codes are part of the API (`reason` of a result, a run or an omission) and never change their
meaning; the remedy beside each is what the API and the portal show.
"""

from enum import StrEnum


class Reason(StrEnum):
    """A machine-readable cause; `remedy` says in words what to do next."""

    # a mailbox
    NO_MAILBOX = "no_mailbox"
    NO_SEAT = "no_seat"
    USER_NOT_FOUND = "user_not_found"
    TOO_MANY_DELETES = "too_many_deletes"
    TOO_MANY_CHANGES = "too_many_changes"
    APPROVAL_PENDING = "approval_pending"
    PLAN_DISCARDED = "plan_discarded"
    CATEGORY_COLOR_REFUSED = "category_color_refused"
    ACCESS_DENIED = "access_denied"
    CONTACTS_REJECTED = "contacts_rejected"
    GAVE_UP = "gave_up"
    FOLDER_NAME_TAKEN = "folder_name_taken"
    # a run
    CONSENT_MISSING = "consent_missing"
    PUBLISHER_CONSENT_MISSING = "publisher_consent_missing"
    SHARE_NOT_FOUND = "share_not_found"
    SHARE_WITHDRAWN = "share_withdrawn"
    SHARE_EMPTY = "share_empty"
    SHARE_TOO_LARGE = "share_too_large"
    TARGETS_EMPTY = "targets_empty"
    GROUP_NOT_FOUND = "group_not_found"
    IMPORT_PAUSED = "import_paused"
    IMPORT_DELETED = "import_deleted"
    MAILBOXES_FAILED = "mailboxes_failed"
    # a person who is not among a share's contacts
    DISABLED = "disabled"
    EXCLUDED = "excluded"
    FILTERED = "filtered"
    HIDDEN = "hidden"
    NO_EMAIL = "no_email"
    NOT_FOUND = "not_found"
    SHORTENED = "shortened"
    KEPT_OUT = "kept_out"
    PHOTO_REFUSED = "photo_refused"
    # a person who is not among a mailbox's contacts
    NOT_A_TARGET = "not_a_target"
    NOT_IN_SHARE = "not_in_share"
    NOT_YET_SYNCED = "not_yet_synced"
    DELETED_BY_USER = "deleted_by_user"

    @property
    def remedy(self) -> str:
        """What an admin does about it, in one or two sentences."""
        return _REMEDIES[self]


_REMEDIES: dict[Reason, str] = {
    Reason.NO_MAILBOX: (
        "This user has no Exchange Online mailbox. Assign one, or take the user out of the targets."
    ),
    Reason.NO_SEAT: (
        "All booked seats are in use, so the mailbox is not synced; after the grace time its "
        "contacts are removed. Book more seats under licenses."
    ),
    Reason.USER_NOT_FOUND: (
        "No such user is in your directory. Take the id out of the import's targets."
    ),
    Reason.TOO_MANY_DELETES: (
        "More contacts would be removed than the import's limits allow, so nothing was changed. "
        "Check the share; if the removal is right, approve the run, otherwise discard it."
    ),
    Reason.TOO_MANY_CHANGES: (
        "More contacts would be changed than the import's limits allow, so nothing was changed. "
        "Check the share; if the changes are right, approve the run, otherwise discard it."
    ),
    Reason.APPROVAL_PENDING: (
        "An earlier run of this import was held for the same reason and still waits for you: "
        "approve or discard that run."
    ),
    Reason.PLAN_DISCARDED: (
        "The same changes were discarded in an earlier run, so nothing was changed. Approve that "
        "run if they are right after all, or correct the share."
    ),
    Reason.CATEGORY_COLOR_REFUSED: (
        "The contacts were written, but the category has no color, because the app may not change "
        "mailbox settings. Consent to MailboxSettings.ReadWrite (where Exchange opens only some "
        "mailboxes to the app, assign that role there), or take the color out of the import."
    ),
    Reason.ACCESS_DENIED: (
        "Exchange refused access to this mailbox. If you open only some mailboxes to the app (RBAC "
        "for Applications, or an application access policy), put this one into the scope, which "
        "counts after up to two hours, or take the user out of the targets. Otherwise check the "
        "app's consent."
    ),
    Reason.CONTACTS_REJECTED: (
        "Exchange refused some contacts; the others were written. Correct the listed people in "
        "the source directory."
    ),
    Reason.GAVE_UP: (
        "The mailbox could not be synced after several tries. The next run tries it again; if it "
        "stays so, look at the service health of Exchange Online."
    ),
    Reason.FOLDER_NAME_TAKEN: (
        "The mailbox already has folders of this name. Choose another folder name in the import."
    ),
    Reason.CONSENT_MISSING: (
        "Contact Sync has no admin consent in your tenant, or it leaves out a permission that is "
        "needed. Grant it on the page /consent; the next run goes on."
    ),
    Reason.PUBLISHER_CONSENT_MISSING: (
        "The publisher of this share is disconnected: it has withdrawn Contact Sync's consent. No "
        "contact was removed. Ask the publisher to grant it again, or delete the import."
    ),
    Reason.SHARE_NOT_FOUND: "Check the share id with its publisher, or delete the import.",
    Reason.SHARE_WITHDRAWN: (
        "The publisher withdrew the share or your access to it, so its contacts are removed. "
        "Delete the import, or ask the publisher for a new share id."
    ),
    Reason.SHARE_EMPTY: (
        "The share suddenly holds nobody, so nothing was changed. If that is meant, approve the "
        "run and the contacts are removed; otherwise check the share's sources."
    ),
    Reason.SHARE_TOO_LARGE: "Split the share into several smaller ones.",
    Reason.TARGETS_EMPTY: (
        "The import's target groups suddenly hold nobody, so nothing was changed. If that is "
        "meant, approve the run and the contacts are removed; otherwise check the groups' members."
    ),
    Reason.GROUP_NOT_FOUND: (
        "A group named in the share or in the import does not exist any more, so nothing was "
        "changed. Take it out of the share or the import."
    ),
    Reason.IMPORT_PAUSED: "The import is paused. Set it active to go on.",
    Reason.IMPORT_DELETED: "The import was deleted; its contacts are being removed.",
    Reason.MAILBOXES_FAILED: "Look at the run's results: each failed mailbox has its reason.",
    Reason.DISABLED: "The account is disabled in the directory.",
    Reason.EXCLUDED: "The share excludes this person.",
    Reason.FILTERED: "The share's filter leaves this person out.",
    Reason.HIDDEN: (
        "The person is hidden from address lists. Name the user in the share's sources to "
        "publish the contact all the same."
    ),
    Reason.NO_EMAIL: "The person has no mail address in the directory.",
    Reason.NOT_FOUND: "The directory has nobody of this id. Take it out of the share.",
    Reason.SHORTENED: (
        "Exchange takes at most 2 business phones, 2 home phones and 3 mail addresses; the rest "
        "was left out."
    ),
    Reason.KEPT_OUT: (
        "The person was removed and is kept out everywhere, as asked for. Readmit the person if "
        "that has changed."
    ),
    Reason.PHOTO_REFUSED: (
        "The person's photo cannot be read, or is no picture; the contact goes without a new one."
    ),
    Reason.NOT_A_TARGET: (
        "The import does not aim at this mailbox. Add the user, or a group the user is in, to its "
        "targets."
    ),
    Reason.NOT_IN_SHARE: (
        "None of the share's sources names this person. Ask its publisher to add the person."
    ),
    Reason.NOT_YET_SYNCED: "The contact is due: the import's next run writes it.",
    Reason.DELETED_BY_USER: (
        "The mailbox's user deleted the contact, and the import respects that. Set the import's "
        "conflicts.deleted to 'restore' to bring it back."
    ),
}
