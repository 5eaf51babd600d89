"""The words of reasons and permissions, in English: what to do, and what each is for.

The portal's catalogues hold them in other languages.
"""

from collections.abc import Mapping
from typing import Final

from shared.domain.reasons import Reason
from shared.domain.texts import N_

REMEDIES: Final[Mapping[Reason, str]] = {
    Reason.NO_MAILBOX: N_(
        "This user has no Exchange Online mailbox. Assign one, or take the user out of the targets."
    ),
    Reason.NO_SEAT: N_(
        "All booked seats are in use, so the mailbox is not synced; after the grace time "
        "its contacts are removed. Book more seats under licenses."
    ),
    Reason.USER_NOT_FOUND: N_(
        "No such user is in your directory. Take the id out of the import's targets."
    ),
    Reason.TOO_MANY_DELETES: N_(
        "More contacts would be removed than the import's limits allow, so nothing was "
        "changed. Check the share; if the removal is right, approve the run, otherwise "
        "discard it."
    ),
    Reason.TOO_MANY_CHANGES: N_(
        "More contacts would be changed than the import's limits allow, so nothing was "
        "changed. Check the share; if the changes are right, approve the run, otherwise "
        "discard it."
    ),
    Reason.APPROVAL_PENDING: N_(
        "An earlier run of this import was held for the same reason and still waits for "
        "you: approve or discard that run."
    ),
    Reason.PLAN_DISCARDED: N_(
        "The same changes were discarded in an earlier run, so nothing was changed. Approve"
        " that run if they are right after all, or correct the share."
    ),
    Reason.CATEGORY_COLOR_REFUSED: N_(
        "The contacts were written, but the category has no color, because the app may not "
        "change mailbox settings. Consent to MailboxSettings.ReadWrite (where Exchange "
        "opens only some mailboxes to the app, assign that role there), or take the color "
        "out of the import."
    ),
    Reason.ACCESS_DENIED: N_(
        "Exchange refused access to this mailbox. If you open only some mailboxes to the "
        "app (RBAC for Applications, or an application access policy), put this one into "
        "the scope, which counts after up to two hours, or take the user out of the "
        "targets. Otherwise check the app's consent."
    ),
    Reason.CONTACTS_REJECTED: N_(
        "Exchange refused some contacts; the others were written. Correct the listed people"
        " in the source directory."
    ),
    Reason.GAVE_UP: N_(
        "The mailbox could not be synced after several tries. The next run tries it again; "
        "if it stays so, look at the service health of Exchange Online."
    ),
    Reason.FOLDER_NAME_TAKEN: N_(
        "The mailbox already has folders of this name. Choose another folder name in the import."
    ),
    Reason.CONSENT_MISSING: N_(
        "Contact Sync has no admin consent in your tenant, or it leaves out a permission "
        "that is needed. Grant it on the page /consent; the next run goes on."
    ),
    Reason.PUBLISHER_CONSENT_MISSING: N_(
        "The publisher of this share is disconnected: it has withdrawn Contact Sync's "
        "consent. No contact was removed. Ask the publisher to grant it again, or delete "
        "the import."
    ),
    Reason.SHARE_NOT_FOUND: N_("Check the share id with its publisher, or delete the import."),
    Reason.SHARE_WITHDRAWN: N_(
        "The publisher withdrew the share or your access to it, so its contacts are "
        "removed. Delete the import, or ask the publisher for a new share id."
    ),
    Reason.SHARE_EMPTY: N_(
        "The share suddenly holds nobody, so nothing was changed. If that is meant, approve"
        " the run and the contacts are removed; otherwise check the share's sources."
    ),
    Reason.SHARE_TOO_LARGE: N_("Split the share into several smaller ones."),
    Reason.TARGETS_EMPTY: N_(
        "The import's target groups suddenly hold nobody, so nothing was changed. If that "
        "is meant, approve the run and the contacts are removed; otherwise check the "
        "groups' members."
    ),
    Reason.GROUP_NOT_FOUND: N_(
        "A group named in the share or in the import does not exist any more, so nothing "
        "was changed. Take it out of the share or the import."
    ),
    Reason.IMPORT_PAUSED: N_("The import is paused. Set it active to go on."),
    Reason.IMPORT_DELETED: N_("The import was deleted; its contacts are being removed."),
    Reason.MAILBOXES_FAILED: N_("Look at the run's results: each failed mailbox has its reason."),
    Reason.DISABLED: N_("The account is disabled in the directory."),
    Reason.EXCLUDED: N_("The share excludes this person."),
    Reason.FILTERED: N_("The share's filter leaves this person out."),
    Reason.HIDDEN: N_(
        "The person is hidden from address lists. Name the user in the share's sources to "
        "publish the contact all the same."
    ),
    Reason.NO_EMAIL: N_("The person has no mail address in the directory."),
    Reason.NOT_FOUND: N_("The directory has nobody of this id. Take it out of the share."),
    Reason.SHORTENED: N_(
        "Exchange takes at most 2 business phones, 2 home phones and 3 mail addresses; the "
        "rest was left out."
    ),
    Reason.KEPT_OUT: N_(
        "The person was removed and is kept out everywhere, as asked for. Readmit the "
        "person if that has changed."
    ),
    Reason.PHOTO_REFUSED: N_(
        "The person's photo cannot be read, or is no picture; the contact goes without a new one."
    ),
    Reason.NOT_A_TARGET: N_(
        "The import does not aim at this mailbox. Add the user, or a group the user is in, "
        "to its targets."
    ),
    Reason.NOT_IN_SHARE: N_(
        "None of the share's sources names this person. Ask its publisher to add the person."
    ),
    Reason.NOT_YET_SYNCED: N_("The contact is due: the import's next run writes it."),
    Reason.DELETED_BY_USER: N_(
        "The mailbox's user deleted the contact, and the import respects that. Set the "
        "import's conflicts.deleted to 'restore' to bring it back."
    ),
}
"""What an admin does about a reason, in one or two sentences."""

PERMISSIONS: Final[Mapping[str, tuple[str, str]]] = {
    "User.Read.All": (
        N_(
            "Reads the people of your directory: their names, addresses and telephone numbers, "
            "and who has a mailbox."
        ),
        N_("Nobody can be shared, and no mailbox can be found."),
    ),
    "GroupMember.Read.All": (
        N_("Reads who is in the groups that you name in shares and imports."),
        N_("Groups cannot be shared or filled."),
    ),
    "OrgContact.Read.All": (
        N_("Reads the mail contacts of your organization, should a share hold them."),
        N_("Organizational contacts cannot be shared."),
    ),
    "Contacts.ReadWrite": (
        N_(
            "Writes the shared contacts into the mailboxes that you name, changes and removes "
            "them. Contacts that Contact Sync did not make are never touched."
        ),
        N_("No mailbox can be filled, unless you give access in Exchange (RBAC for Applications)."),
    ),
    "MailboxSettings.ReadWrite": (
        N_(
            "Gives the contacts' category its color in the mailboxes that you name. Nothing "
            "else of the settings is read or changed."
        ),
        N_("Categories have no color."),
    ),
}
"""Why we ask for a permission, and what does not work without it."""


def remedy_of(reason: Reason) -> str:
    """What an admin does about a reason, in English."""
    return REMEDIES[reason]
