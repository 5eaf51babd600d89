"""Tenants, seats and ledger entries, as the API shows them and their tables keep them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from shared.domain.model import Model, ShortName
from shared.domain.reasons import Reason


class LicensePlan(StrEnum):
    """What a tenant has booked; the trial is in force until it ends, whatever is booked."""

    TRIAL = "trial"
    STANDARD = "standard"
    PREMIUM = "premium"


class TenantStatus(StrEnum):
    """How a tenant stands to us; one that left is known by the ledger's closing line only."""

    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    LEAVING = "leaving"


class Tenant(Model):
    """A customer: its consent, its license, since when we know it and where its data is.

    `domain` is a verified one (that of an admin's user name), `name` what its admins call it.
    `trial_until` is an end of the trial that the service set itself.
    """

    id: str
    joined: datetime
    name: str = ""
    domain: str = ""
    region: str = ""
    status: TenantStatus = TenantStatus.CONNECTED
    since: datetime | None = None
    permissions: list[str] = []
    plan: LicensePlan = LicensePlan.STANDARD
    booked: int = 0
    trial_started: datetime | None = None
    trial_until: datetime | None = None

    @property
    def called(self) -> str:
        """What others are shown: its name, else its domain, else its id."""
        return self.name or self.domain or self.id

    @property
    def suspended(self) -> Reason | None:
        """Why none of its imports runs, active or not; None if they run."""
        return Reason.CONSENT_MISSING if self.status is TenantStatus.DISCONNECTED else None


class Seat(Model):
    """The right to sync into one mailbox, and since when it is wanted.

    `waiting` tells since when there is no seat for it, although imports want one.
    """

    mailbox: str
    since: datetime
    imports: list[str] = []
    waiting: datetime | None = None


class LedgerAction(StrEnum):
    """What was done, by its kind and a verb; stored, filtered by, and shown: never renamed."""

    SHARE_CREATED = "share.created"
    SHARE_CHANGED = "share.changed"
    SHARE_ROTATED = "share.rotated"
    SHARE_WITHDRAWN = "share.withdrawn"
    SHARE_BLOCKED = "share.blocked"
    IMPORT_CREATED = "import.created"
    IMPORT_CHANGED = "import.changed"
    IMPORT_REMOVED = "import.removed"
    IMPORT_ADOPTED = "import.adopted"
    RUN_APPROVED = "run.approved"
    RUN_DISCARDED = "run.discarded"
    RUN_RETRIED = "run.retried"
    LICENSE_BOOKED = "license.booked"
    LICENSE_TERMS = "license.terms"
    TRIAL_STARTED = "trial.started"
    TENANT_JOINED = "tenant.joined"
    TENANT_RENAMED = "tenant.renamed"
    TENANT_DISCONNECTED = "tenant.disconnected"
    TENANT_RECONNECTED = "tenant.reconnected"
    TENANT_LEAVING = "tenant.leaving"
    TENANT_LEFT = "tenant.left"
    PERSON_SUPPRESSED = "person.kept-out"
    SUPPRESSION_LIFTED = "person.readmitted"
    MESSAGE_FOREIGN = "message.foreign"


class LedgerEntry(Model):
    """One change: who (object id and name of the acting admin), what, when, from where.

    It is written before the change is made and `done` after it, so that no change goes without.
    `action` is a `LedgerAction`, or that of a newer version, which an older one can still read.
    """

    when: datetime
    actor: str
    actor_name: str = ""
    origin: str = ""
    network: str = ""
    action: str
    subject: str
    done: bool = True
    detail: dict[str, Any] = {}


class BookingInput(Model):
    """How many seats shall be booked from now on."""

    booked: Annotated[int, Field(ge=0, le=1_000_000)]


class TenantInput(Model):
    """What an admin sets of the tenant: what partners see it called."""

    name: ShortName
