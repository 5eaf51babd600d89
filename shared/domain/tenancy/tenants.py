"""Tenants, seats and ledger entries, as the API shows them and the tables store them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from shared.domain.model import Model, ShortName
from shared.domain.reasons import Reason
from shared.domain.tenancy.departures import Departure
from shared.domain.tenancy.security import Security
from shared.domain.tenancy.sessions import EndedSessions


class LicensePlan(StrEnum):
    """The plan that a tenant has booked. During the trial, the trial applies instead."""

    TRIAL = "trial"
    """The trial: every mailbox is synced, with everything that premium has."""
    STANDARD = "standard"
    """Imports run once a day."""
    PREMIUM = "premium"
    """Imports run up to hourly, and whenever an admin starts one."""


class TenantStatus(StrEnum):
    """Whether a tenant is connected. A tenant that left has no status, only a last ledger entry."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    LEAVING = "leaving"


class Tenant(Model):
    """A customer: its consent, its license, when it joined, and where its data is stored.

    `domain` is a verified domain, read again from time to time; `name` is chosen by its admins.
    `trialUntil` is the end of the trial if an operator has set one. `checked` is when the consent
    of a disconnected tenant was last checked. `departure` is the wish to leave, until it is done.
    `sessions` says which sessions and tokens have ended. `help_key` opens the help page for its
    employees; empty if it has none.
    """

    id: str
    joined: datetime
    name: str = ""
    domain: str = ""
    region: str = ""
    status: TenantStatus = TenantStatus.CONNECTED
    since: datetime | None = None
    checked: datetime | None = None
    permissions: list[str] = []
    plan: LicensePlan = LicensePlan.STANDARD
    booked: int = 0
    trial_started: datetime | None = None
    trial_until: datetime | None = None
    sessions: EndedSessions = EndedSessions()
    security: Security = Security()
    departure: Departure | None = None
    help_key: str = ""

    @property
    def display_name(self) -> str:
        """The name shown to others: the name or, if it is missing, the domain or the id."""
        return self.name or self.domain or self.id

    @property
    def removing(self) -> bool:
        """Whether its removal has begun, so that leaving can no longer be taken back."""
        return self.status is TenantStatus.LEAVING

    @property
    def verified_name(self) -> str:
        """What identifies the tenant to partners: a domain that it proved to own, or its id."""
        return self.domain or self.id

    @property
    def called(self) -> str:
        """The tenant as others see it: its verified domain, and beside it what it calls itself."""
        return called(self.verified_name, self.name)

    @property
    def suspended(self) -> Reason | None:
        """The reason why all imports are suspended; None if they are not."""
        return Reason.CONSENT_MISSING if self.status is TenantStatus.DISCONNECTED else None


def called(verified: str, name: str) -> str:
    """Return what identifies a tenant, and in quotes what it calls itself if that differs."""
    return f"{verified} (“{name}”)" if name not in {"", verified} else verified


class Seat(Model):
    """The right to sync one mailbox, and since when an import has needed it.

    `waiting` is when the mailbox began to wait because there were not enough seats.
    """

    mailbox: str
    since: datetime
    imports: list[str] = []
    waiting: datetime | None = None


class LedgerAction(StrEnum):
    """What was done, as an object and a verb.

    Actions are stored and used in filters, so never rename one.
    """

    SHARE_CREATED = "share.created"
    SHARE_CHANGED = "share.changed"
    SHARE_ROTATED = "share.rotated"
    SHARE_WITHDRAWN = "share.withdrawn"
    SHARE_BLOCKED = "share.blocked"
    SHARE_IMPORTED = "share.imported"
    """A tenant began to import the share."""

    SHARE_APPROVED = "share.approved"
    IMPORT_CREATED = "import.created"
    IMPORT_CHANGED = "import.changed"
    IMPORT_REMOVED = "import.removed"
    IMPORT_ADOPTED = "import.adopted"
    RUN_APPROVED = "run.approved"
    RUN_DISCARDED = "run.discarded"
    RUN_STOPPED = "run.stopped"
    RUN_RESTARTED = "run.restarted"
    RUN_RETRIED = "run.retried"
    LICENSE_BOOKED = "license.booked"
    LICENSE_TERMS = "license.terms"
    TRIAL_STARTED = "trial.started"
    TENANT_JOINED = "tenant.joined"
    TENANT_RENAMED = "tenant.renamed"
    HELP_PAGE_CHANGED = "tenant.help_page_changed"
    TENANT_DOMAIN_CHANGED = "tenant.domain_changed"
    TENANT_DISCONNECTED = "tenant.disconnected"
    TENANT_RECONNECTED = "tenant.reconnected"
    TENANT_CHECKED = "tenant.checked"
    SESSIONS_ENDED = "sessions.ended"
    NOTICES_CHANGED = "notices.changed"
    NOTICES_TESTED = "notices.tested"
    SECURITY_CHANGED = "security.changed"
    TENANT_LEAVING = "tenant.leaving"
    LEAVING_CONFIRMED = "tenant.leaving_confirmed"
    TENANT_STAYED = "tenant.stayed"
    TENANT_LEFT = "tenant.left"
    PERSON_SUPPRESSED = "person.suppressed"
    SUPPRESSION_LIFTED = "person.readmitted"
    MESSAGE_FOREIGN = "message.foreign"
    SIGNED_IN = "access.signed_in"
    EXPORTED = "access.exported"
    PREVIEWED = "access.previewed"
    SEARCHED = "access.searched"
    PERSON_READ = "access.person"


class LedgerEntry(Model):
    """One change: who made it (object id and name of the admin), what it was, when, and from where.

    A read of personal data and a sign-in are entries too (`access.…`).
    It is written before the change and marked `done` after it, so that every change is recorded.
    `client` is the application that called the API (its client id). An operator's act in another
    tenant has the origin `operator` and the operator's own tenant as `actor_tenant`.
    `action` is a `LedgerAction`, stored as text so that an older version can read newer actions.
    `number` counts the entries of the tenant in the order in which they were stored.
    """

    id: str = ""
    number: int = 0
    when: datetime
    actor: str
    actor_name: str = ""
    origin: str = ""
    network: str = ""
    client: str = ""
    actor_tenant: str = ""
    action: str
    subject: str
    done: bool = True
    detail: dict[str, Any] = {}


class BookingInput(Model):
    """The number of licenses to book."""

    booked: Annotated[int, Field(ge=0, le=1_000_000)]
    """The number of licenses to book, 0 to 1,000,000."""


class TenantInput(Model):
    """The settings of the organization: the name that partners see."""

    name: ShortName
    """The name that partners see, 1 to 120 characters."""
