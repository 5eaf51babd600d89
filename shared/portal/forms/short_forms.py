"""The short forms: licenses, name, security, notices, check, leaving, adoption, share ids."""

from typing import Annotated, Final

from pydantic import Field

from shared.domain.importing.imports import AdoptionInput
from shared.domain.model import Model, Text
from shared.domain.notices.causes import NoticeKind
from shared.domain.notices.settings import MAX_URL, NoticesInput, WebhookInput
from shared.domain.sharing.shares import RotationInput
from shared.domain.tenancy.security import SecurityInput
from shared.domain.tenancy.sessions import SignOutInput
from shared.domain.tenancy.tenants import BookingInput, TenantInput
from shared.domain.texts import N_
from shared.portal.forms.fields import Choice, Flag, FormField, Line, Lines, Number, Ticks
from shared.portal.forms.tables import Form

NOTICE_LABELS: Final = {
    NoticeKind.CONSENT_LOST: N_("Consent withdrawn, and granted again"),
    NoticeKind.CHANGES_HELD: N_("Changes that need review"),
    NoticeKind.SYNCS_FAILING: N_("Syncs that keep failing"),
    NoticeKind.LICENSES_SHORT: N_("Licenses missing"),
    NoticeKind.TRIAL_ENDING: N_("Trial ends in 7 days and in 1 day"),
    NoticeKind.NOT_REMOVED: N_("Partners that have not removed withdrawn contacts"),
    NoticeKind.IMPORTING_COMPANY: N_("New importing company"),
    NoticeKind.WEEKLY_SUMMARY: N_("Weekly summary"),
}
"""What each kind of notice is called."""


class LeavingInput(Model):
    """The confirmation that a tenant leaves: its id, and the code of what was shown."""

    tenant: str
    code: str


class TeamsInput(Model):
    """The address of a Teams workflow; a name of its own, as its form is beside the webhook's."""

    teams: Annotated[str, Field(max_length=MAX_URL, pattern=r"^https?://[!-~]+$")]


class CheckedMailboxes(Model):
    """The mailboxes of a check as people type them: an address or an object id."""

    mailbox: Text | None = None
    outside: Text | None = None


BOOKING: Final = Form(
    BookingInput,
    (
        FormField(
            "booked",
            "booked",
            Number(),
            N_("Number of licenses"),
            group="booking",
            attributes={"data-trigger": "show"},
        ),
    ),
)

COMPANY: Final = Form(
    TenantInput,
    (
        FormField(
            "name",
            "name",
            Line(),
            N_("Name that partners see"),
            N_("Without a name, partners see the domain."),
            group="company",
        ),
    ),
)

LEAVING: Final = Form(
    LeavingInput,
    (
        FormField(
            "tenant",
            "tenant",
            Line(),
            N_("Tenant ID"),
            group="leaving",
            required=True,
        ),
        FormField("code", "code", Line()),
    ),
)

SECURITY: Final = Form(
    SecurityInput,
    (
        FormField(
            "clients",
            "clients",
            Lines(),
            N_("Applications that may act for people"),
            N_(
                "One client ID per line. Other applications cannot use the API with a person's "
                "rights. The portal and applications with a role of their own need no entry."
            ),
            group="security",
        ),
        FormField(
            "second-admin",
            "secondAdmin",
            Flag(),
            N_("Leaving needs a second admin"),
            N_(
                "Another admin has to confirm that your organization leaves. If you turn this off, "
                "it still applies for the waiting time."
            ),
            group="security",
        ),
    ),
)

SIGN_OUT: Final = Form(
    SignOutInput,
    (
        FormField(
            "person",
            "person",
            Line(empty=None),
            N_("Object ID of the person"),
            N_("Leave this empty to sign out everyone, including you."),
            group="sign-out",
        ),
    ),
)

ADOPTION: Final = Form(
    AdoptionInput,
    (
        FormField("mailbox", "mailbox", Line(), shown_at="q"),
        FormField(
            "folder",
            "folder",
            Line(empty=None),
            N_("Folder of the other tool"),
            N_(
                "The folder name as Outlook shows it. The folder becomes the destination folder "
                "of this import."
            ),
            group="folder",
            required=True,
        ),
        FormField("confirm", "confirm", Line(empty=None)),
    ),
)

CHECK: Final = Form(
    CheckedMailboxes,
    (
        FormField(
            "mailbox",
            "mailbox",
            Line(empty=None),
            N_("Mailbox to try out"),
            N_("Email address or object ID. If empty: the first target of an import."),
            group="check",
        ),
        FormField(
            "outside",
            "outside",
            Line(empty=None),
            N_("Mailbox that must stay closed"),
            N_(
                "Only if you limit access to selected mailboxes: email address or object ID of a "
                "mailbox outside the scope."
            ),
            group="check",
        ),
    ),
)

NOTICES: Final = Form(
    NoticesInput,
    (
        FormField(
            "kinds",
            "kinds",
            Ticks(),
            N_("Send notices about"),
            choices=tuple((str(kind), label) for kind, label in NOTICE_LABELS.items()),
            group="kinds",
        ),
        FormField(
            "notice-language",
            "language",
            Choice(),
            N_("Language of notices"),
            choices=(("en", "English"), ("de", "Deutsch")),
            group="kinds",
        ),
        FormField(
            "failing-days",
            "failingDays",
            Number(),
            N_("Wait before reporting (days)"),
            N_("For syncs that keep failing, and partners that have not removed contacts."),
            group="kinds",
        ),
    ),
)

WEBHOOK: Final = Form(
    WebhookInput,
    (
        FormField(
            "url",
            "url",
            Line(),
            N_("Address of the webhook"),
            N_(
                "An https address on the public internet. It is stored encrypted and not shown "
                "again."
            ),
            group="webhook",
            required=True,
        ),
    ),
)

TEAMS: Final = Form(
    TeamsInput,
    (
        FormField(
            "teams",
            "teams",
            Line(),
            N_("Address of the Teams workflow"),
            N_(
                "In Teams, create a workflow that posts when a webhook request is received, and "
                "copy its address. It is stored encrypted and not shown again."
            ),
            group="teams",
            required=True,
        ),
    ),
)

ROTATION: Final = Form(
    RotationInput,
    (
        # The page adds the partners as choices.
        FormField(
            "keep",
            "keep",
            Ticks(),
            N_("Partners that keep access"),
            N_(
                "Their imports continue unchanged. The next syncs of all other partners remove "
                "the contacts."
            ),
            group="rotation",
        ),
    ),
)
