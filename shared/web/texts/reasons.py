"""English texts: the remedy for each reason, and the purpose of each permission.

The portal's catalogs translate them.
"""

from collections.abc import Mapping
from typing import Final

from shared.domain.reasons import Reason
from shared.domain.texts import N_

REMEDIES: Final[Mapping[Reason, str]] = {
    Reason.NO_MAILBOX: N_(
        "This user has no Exchange Online mailbox, so no license is used. Create a mailbox, or "
        "remove the user from the import's targets. Contact Sync checks again daily for a week, "
        "then weekly, and also when the user's directory entry changes or you start a sync."
    ),
    Reason.NO_SEAT: N_(
        "All booked licenses are in use, so the mailbox is not synced. Book more licenses, or its "
        "contacts are removed after the grace period."
    ),
    Reason.USER_NOT_FOUND: N_(
        "Your directory has no user with this ID. Remove it from the import's targets."
    ),
    Reason.TOO_MANY_DELETES: N_(
        "More contacts would be removed than the import's safety limits allow, so none were "
        "removed. Check the share, then approve or discard the removal."
    ),
    Reason.TOO_MANY_CHANGES: N_(
        "More contacts would be changed than the import's safety limits allow, so none were "
        "changed. Check the share, then approve or discard the changes."
    ),
    Reason.APPROVAL_PENDING: N_(
        "An earlier sync of this import needs review for the same reason. Review it and approve or "
        "discard it."
    ),
    Reason.PLAN_DISCARDED: N_(
        "The same changes were discarded in an earlier sync, so they were not applied. If they are "
        "right, approve that sync; otherwise, correct the share."
    ),
    Reason.CATEGORY_COLOR_REFUSED: N_(
        "The contacts were written, but Exchange rejected the color of their category. Usually the "
        "app lacks permission to change mailbox settings. Grant MailboxSettings.ReadWrite (in "
        "Exchange, if you limit access to selected mailboxes), or remove the color from the "
        "import."
    ),
    Reason.ACCESS_DENIED: N_(
        "Exchange denied access to this mailbox. If you limit access to selected mailboxes (RBAC "
        "for Applications or an application access policy), add this one to the scope, which takes "
        "up to two hours, or remove the user from the targets. Otherwise, check the app's consent."
    ),
    Reason.MAILBOX_FULL: N_(
        "The mailbox is full, so no contacts can be written to it. Its user can delete or archive "
        "mail, or you can raise the mailbox's quota."
    ),
    Reason.MAILBOX_PROPERTIES_FULL: N_(
        "Other apps have used up the mailbox's quota of named properties, so Exchange cannot mark "
        "contacts in it. Ask Microsoft support to raise the quota, or move the mailbox."
    ),
    Reason.CONTACTS_REJECTED: N_(
        "Exchange rejected some contacts and accepted the others. For codes that begin with 400, "
        "correct the listed people in the source directory. All others are tried again by the next "
        "sync; if they keep failing, check the service health of Exchange Online."
    ),
    Reason.GAVE_UP: N_(
        "The mailbox could not be synced after several tries. The next sync tries again. If it "
        "keeps failing, check the service health of Exchange Online."
    ),
    Reason.FOLDER_NAME_TAKEN: N_(
        "The mailbox already has a folder with this name. Choose another folder name in the import."
    ),
    Reason.CONSENT_MISSING: N_(
        "Your organization has not granted admin consent to Contact Sync, or a required "
        "permission is missing. Grant consent on the page /consent. The next sync then continues."
    ),
    Reason.PUBLISHER_CONSENT_MISSING: N_(
        "The publisher of this share is no longer connected because its consent was withdrawn. No"
        " contacts were removed. Ask the publisher to grant consent again, or delete the import."
    ),
    Reason.TENANT_NOT_FOUND: N_(
        "Microsoft Entra ID can no longer find your organization. If it was deleted, restore it "
        "within 30 days. Otherwise contact support."
    ),
    Reason.ACCESS_POLICY_BLOCKS: N_(
        "A Conditional Access policy of your organization blocks Contact Sync (AADSTS53003). "
        "Exclude the app from the policy for workload identities, or allow its network."
    ),
    Reason.ASSIGNMENT_REQUIRED: N_(
        "Your organization requires an assignment for Contact Sync (AADSTS501051). Open the "
        "enterprise application in the Entra admin center and set 'Assignment required' to No."
    ),
    Reason.GRAPH_DISABLED: N_(
        "Microsoft Graph is disabled in your organization (AADSTS500014). Renew a lapsed Microsoft "
        "365 subscription, or enable sign-in for the enterprise application 'Microsoft Graph'."
    ),
    Reason.ENTRA_REFUSED: N_(
        "Microsoft Entra ID denies Contact Sync access to your organization. To see why, open the "
        "sign-in logs for service principals in the Entra admin center."
    ),
    Reason.PUBLISHER_UNAVAILABLE: N_(
        "Microsoft 365 currently denies Contact Sync access to the publisher's organization. No "
        "contacts were removed. Ask the publisher to check the connection, or delete the import."
    ),
    Reason.SHARE_NOT_FOUND: N_(
        "No share has this ID. Check the share ID with its publisher, or delete the import."
    ),
    Reason.PUBLISHER_APPROVAL_PENDING: N_(
        "The publisher has to approve your organization before the share can be imported. Nothing "
        "is read of it until then. The first sync starts when the publisher approves; ask the "
        "publisher if it takes long."
    ),
    Reason.SHARE_WITHDRAWN: N_(
        "The publisher withdrew the share or your access to it, so its contacts are removed. "
        "Delete the import, or ask the publisher for a new share ID."
    ),
    Reason.SHARE_EMPTY: N_(
        "The share is suddenly empty, so nothing was changed. If this is intended, approve the "
        "removal of its contacts; otherwise, check the share's sources."
    ),
    Reason.NO_CONTACTS: N_(
        "The share has no contacts, so there was nothing to sync. Check its sources. Contact Sync "
        "cannot see the members of a group with hidden membership."
    ),
    Reason.NO_TARGETS: N_(
        "The import has no target mailboxes, so there was nothing to sync. Check the members of "
        "its target groups. Contact Sync cannot see the members of a group with hidden membership."
    ),
    Reason.SHARE_TOO_LARGE: N_("The share is too large. Split it into several smaller ones."),
    Reason.TARGETS_EMPTY: N_(
        "The import's target groups are suddenly empty, so nothing was changed. If this is "
        "intended, approve the removal of the contacts; otherwise, check the groups' members."
    ),
    Reason.TOO_MANY_CREATES: N_(
        "The share holds many more contacts than before, so nothing was changed. Approve the sync"
        " if this is intended."
    ),
    Reason.GROUP_NOT_FOUND: N_(
        "A group of the share or the import no longer exists, so nothing was changed. Remove the "
        "group from the share or the import."
    ),
    Reason.MEMBERS_HIDDEN: N_(
        "The members of a group are hidden from apps, so they are not synced. Contacts that were "
        "synced before stay. Use a group whose membership is visible."
    ),
    Reason.IMPORT_PAUSED: N_("The import is paused. Resume it to sync again."),
    Reason.IMPORT_DELETED: N_("The import was deleted. Its contacts are being removed."),
    Reason.MAILBOXES_FAILED: N_(
        "Some mailboxes failed. The results show the reason for each of them."
    ),
    Reason.RUN_STOPPED: N_(
        "The sync was stopped. Mailboxes that it had not reached are synced the next time."
    ),
    Reason.DISABLED: N_(
        "The account is disabled in the directory. Shared mailboxes, rooms and equipment are "
        "published if the share lists them individually."
    ),
    Reason.EXCLUDED: N_("The share excludes this person, or a group that contains the person."),
    Reason.FILTERED: N_("The share's filter excludes this person."),
    Reason.GUEST: N_(
        "The person is a guest. To publish the contact anyway, add the user to the share's sources,"
        " or filter by user type."
    ),
    Reason.HIDDEN: N_(
        "The person is hidden from address lists. To publish the contact anyway, add the user to "
        "the share's sources."
    ),
    Reason.NO_EMAIL: N_("The person has no email address in the directory."),
    Reason.NOT_FOUND: N_("The directory has no object with this ID. Remove it from the share."),
    Reason.SHORTENED: N_(
        "A contact holds at most 255 characters per field, 2 business phones, 2 home phones, 3 "
        "email addresses and 3 chat addresses. Longer texts were cut; further values and invalid "
        "email addresses were left out."
    ),
    Reason.KEPT_OUT: N_(
        "The person was removed everywhere on request. Allow the person again if the request was "
        "withdrawn."
    ),
    Reason.PHOTO_REFUSED: N_(
        "The person's photo cannot be read or is not an image. The contact is written without a "
        "new photo."
    ),
    Reason.NOT_A_TARGET: N_(
        "This mailbox is not a target of the import. Add the user, or a group that contains the "
        "user, to its targets."
    ),
    Reason.NOT_IN_SHARE: N_(
        "None of the share's sources contains this person. Add the person to the share. If the "
        "share is a partner's, ask the partner to do that."
    ),
    Reason.NOT_YET_SYNCED: N_(
        "The contact has not been written yet, or was deleted since the last sync. The import's "
        "next sync adds it."
    ),
    Reason.DELETED_BY_USER: N_(
        "The mailbox's user deleted the contact, and the import does not restore it. To bring it "
        "back, set the import to restore deleted contacts."
    ),
}
"""What an admin can do about each reason, in one to three sentences."""

PERMISSIONS: Final[Mapping[str, tuple[str, str]]] = {
    "User.Read.All": (
        N_(
            "Reads the people in your directory: names, addresses, telephone numbers and who has a "
            "mailbox."
        ),
        N_("No people can be shared, and no mailboxes can be found."),
    ),
    "GroupMember.Read.All": (
        N_("Reads the members of the groups that you use in shares and imports."),
        N_("Groups cannot be shared or used as targets."),
    ),
    "OrgContact.Read.All": (
        N_("Reads your organization's mail contacts if a share contains them."),
        N_("Organizational contacts cannot be shared."),
    ),
    "Contacts.ReadWrite": (
        N_(
            "Writes, changes and removes the shared contacts in the target mailboxes. Contacts "
            "that Contact Sync did not create are never changed."
        ),
        N_(
            "No mailbox can be synced, unless you grant access in Exchange (RBAC for Applications)."
        ),
    ),
    "MailboxSettings.ReadWrite": (
        N_(
            "Sets the color of the contacts' category in the target mailboxes. No other setting is "
            "read or changed."
        ),
        N_("Categories have no color."),
    ),
}
"""Why we ask for each permission, and what does not work without it."""


def remedy_of(reason: Reason) -> str:
    """Return what an admin can do about a reason, in English."""
    return REMEDIES[reason]
