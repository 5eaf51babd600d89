"""English texts of a tenant's own check: what each line asks, and each reason's cause and solution.

The portal's catalogs translate them.
"""

from collections.abc import Mapping
from typing import Final

from shared.domain.tenancy.tenant_checks import CheckReason, LineCode
from shared.domain.texts import N_

QUESTIONS: Final[Mapping[LineCode, str]] = {
    LineCode.CONSENT: N_("Admin consent"),
    LineCode.USERS: N_("Read people in the directory"),
    LineCode.GROUPS: N_("Read groups and their members"),
    LineCode.ORG_CONTACTS: N_("Read organizational contacts"),
    LineCode.CONTACTS: N_("Write contacts in all mailboxes"),
    LineCode.MAILBOX_SETTINGS: N_("Change categories in all mailboxes"),
    LineCode.MAILBOX_READ: N_("Read a target mailbox"),
    LineCode.CONTACT_WRITTEN: N_("Create a test contact"),
    LineCode.CONTACT_PHOTO: N_("Set the photo of the test contact"),
    LineCode.CATEGORY: N_("Create a category"),
    LineCode.CONTACT_REMOVED: N_("Remove the test contact and the category"),
    LineCode.USER_PHOTO: N_("Read the photo of the mailbox's user"),
    LineCode.SCOPE: N_("Mailboxes outside the scope are closed"),
}
"""What each line asks."""

_TEXTS: Final[Mapping[CheckReason, tuple[str, str]]] = {
    CheckReason.CONSENT_MISSING: (
        N_("Your organization has not granted admin consent to Contact Sync, or has withdrawn it."),
        N_(
            "Grant consent on the page /consent. To limit access to selected mailboxes, grant the "
            "directory permissions with the script exchange-rbac.ps1 instead."
        ),
    ),
    CheckReason.TENANT_NOT_FOUND: (
        N_("Microsoft Entra ID can no longer find your organization."),
        N_("If it was deleted, restore it within 30 days. Otherwise contact support."),
    ),
    CheckReason.ACCESS_POLICY_BLOCKS: (
        N_("A Conditional Access policy of your organization blocks Contact Sync (AADSTS53003)."),
        N_("Exclude the app from the policy for workload identities, or allow its network."),
    ),
    CheckReason.ASSIGNMENT_REQUIRED: (
        N_("Your organization requires an assignment for Contact Sync (AADSTS501051)."),
        N_(
            "Open the enterprise application in the Entra admin center and set 'Assignment "
            "required' to No."
        ),
    ),
    CheckReason.GRAPH_DISABLED: (
        N_("Microsoft Graph is disabled in your organization (AADSTS500014)."),
        N_(
            "Renew a lapsed Microsoft 365 subscription, or enable sign-in for the enterprise "
            "application 'Microsoft Graph'."
        ),
    ),
    CheckReason.ENTRA_REFUSED: (
        N_("Microsoft Entra ID denies Contact Sync access to your organization."),
        N_("To see why, open the sign-in logs for service principals in the Entra admin center."),
    ),
    CheckReason.PERMISSION_MISSING: (
        N_("This permission was not granted."),
        N_(
            "Grant consent again on the page /consent, or run the script exchange-rbac.ps1 again "
            "if you limit access to selected mailboxes."
        ),
    ),
    CheckReason.EXCHANGE_DECIDES: (
        N_(
            "This permission was not granted for all mailboxes. Exchange decides about each "
            "mailbox (RBAC for Applications)."
        ),
        N_(
            "If you limit access to selected mailboxes, there is nothing to do here. Otherwise "
            "grant consent again on the page /consent."
        ),
    ),
    CheckReason.CONSENT_SETTLING: (
        N_(
            "Microsoft refused the request, although the permission is granted. The consent is "
            "less than two hours old and may not be active everywhere."
        ),
        N_("Check again in a few minutes, at the latest after two hours."),
    ),
    CheckReason.READ_REFUSED: (
        N_("Microsoft Graph refused the request, although the permission is granted."),
        N_(
            "Check the consent in the Entra admin center and the service health of Microsoft 365, "
            "then check again."
        ),
    ),
    CheckReason.NO_TARGET: (
        N_("No import has a target mailbox yet, so no mailbox was tried out."),
        N_("Name a mailbox, or create an import and check again."),
    ),
    CheckReason.USER_NOT_FOUND: (
        N_("Your directory has no user with this ID. This does not concern the consent."),
        N_("Check the ID, and name the mailbox of another user."),
    ),
    CheckReason.NO_MAILBOX: (
        N_(
            "This user has no Exchange Online mailbox, for example because a license is missing. "
            "This does not concern the consent."
        ),
        N_("Assign a license with Exchange Online, or name another mailbox."),
    ),
    CheckReason.ACCESS_DENIED: (
        N_("Exchange denied access to this mailbox."),
        N_(
            "If you limit access to selected mailboxes (RBAC for Applications or an application "
            "access policy), add this one to the scope; Exchange takes up to two hours. Otherwise "
            "grant consent again on the page /consent."
        ),
    ),
    CheckReason.MAILBOX_FULL: (
        N_("The mailbox is full. This does not concern the consent."),
        N_("Its user can delete or archive mail, or you can raise the quota. Or name another one."),
    ),
    CheckReason.MAILBOX_PROPERTIES_FULL: (
        N_("Other apps have used up the mailbox's quota of named properties."),
        N_("Ask Microsoft support to raise the quota, move the mailbox, or name another one."),
    ),
    CheckReason.MAILBOX_BUSY: (
        N_("A sync was working in the mailbox all the time."),
        N_("Check again when the sync has ended, or name another mailbox."),
    ),
    CheckReason.WRITE_REFUSED: (
        N_("Exchange refused the test contact."),
        N_("Check the service health of Exchange Online, then check again."),
    ),
    CheckReason.MARK_NOT_FOUND: (
        N_("The test contact was written, but Exchange did not find it at once by its mark."),
        N_(
            "Syncs work. If one is interrupted, the next sync may have to remove a duplicate. "
            "Check again later."
        ),
    ),
    CheckReason.PHOTO_REFUSED: (
        N_("Microsoft refused the photo."),
        N_("Contacts are synced without photos. Check again later."),
    ),
    CheckReason.CATEGORY_REFUSED: (
        N_("Exchange refused the category. Contacts are synced, but their category has no color."),
        N_(
            "Grant MailboxSettings.ReadWrite (in Exchange, if you limit access to selected "
            "mailboxes), or use no category color."
        ),
    ),
    CheckReason.IN_DELETED_ITEMS: (
        N_(
            "Exchange does not let Contact Sync delete contacts for good. The test contact is in "
            "the Deleted Items folder."
        ),
        N_("Nothing to do. The mailbox's user can delete it there."),
    ),
    CheckReason.NOT_REMOVED_YET: (
        N_("The test contact or the category 'Contact Sync test' is still in the mailbox."),
        N_(
            "Contact Sync tries again on its own, also every night. You can delete both in Outlook."
        ),
    ),
    CheckReason.ALL_MAILBOXES: (
        N_("The consent opens all mailboxes, so there is no scope to check."),
        N_("To limit access to selected mailboxes, run the script exchange-rbac.ps1."),
    ),
    CheckReason.NO_MAILBOX_NAMED: (
        N_("No mailbox outside the scope was named."),
        N_("Name one and check again, to see that Exchange keeps it closed."),
    ),
    CheckReason.OPEN_IN_ENTRA: (
        N_(
            "The app can open this mailbox, because the consent opens all mailboxes. A scope in "
            "Exchange does not limit that."
        ),
        N_(
            "Remove Contacts.ReadWrite and MailboxSettings.ReadWrite from the enterprise "
            "application. The script exchange-rbac.ps1 does that as its last step."
        ),
    ),
    CheckReason.OPEN_IN_EXCHANGE: (
        N_("The app can open this mailbox, so the scope in Exchange includes it."),
        N_(
            "Narrow the scope, or remove other role assignments of the app in Exchange. A change "
            "takes up to two hours. Then check again."
        ),
    ),
    CheckReason.SCOPE_UNPROVEN: (
        N_(
            "This cannot be told: the other mailbox could not be read, both are the same, or the "
            "one outside does not exist."
        ),
        N_("Name one mailbox inside the scope and one outside, both of users with a license."),
    ),
    CheckReason.NOT_REACHED: (
        N_("This was not checked, because an earlier line failed."),
        N_("Solve that one first, then check again."),
    ),
    CheckReason.MICROSOFT_UNAVAILABLE: (
        N_("Microsoft 365 did not respond, or asked Contact Sync to wait."),
        N_("Check again in a few minutes."),
    ),
    CheckReason.GAVE_UP: (
        N_("Contact Sync could not complete the check. The cause is on our side."),
        N_("Check again. If it keeps failing, contact support."),
    ),
    CheckReason.TENANT_LEAVING: (
        N_("Your organization is leaving Contact Sync."),
        N_("Nothing to do."),
    ),
}

CAUSES: Final[Mapping[CheckReason, str]] = {reason: text[0] for reason, text in _TEXTS.items()}
"""Why a line is not ok."""
SOLUTIONS: Final[Mapping[CheckReason, str]] = {reason: text[1] for reason, text in _TEXTS.items()}
"""What an admin can do about it."""
