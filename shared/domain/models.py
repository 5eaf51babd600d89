"""The things of Contact Sync as its API shows and its tables keep them.

Each `…Input` model is what a caller may set; the class derived from it adds what we know of it.
Unknown fields, wrong types and oversize lists are refused with the field's name. JSON names are
camelCase; times are UTC. Directory ids are opaque to us (docs: directoryobject), but may hold
nothing that a table key or a URL cannot.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic.alias_generators import to_camel

from shared.domain.contact import FIELD_NAMES, clean
from shared.domain.reasons import Reason

MAX_IDS: Final = 5_000
MAX_GROUPS: Final = 200
MAX_HAND_KEPT: Final = 500
FILTER_ATTRIBUTES: Final = (
    "city",
    "companyName",
    "country",
    "department",
    "jobTitle",
    "officeLocation",
    "state",
    "userType",
)

type ObjectId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$")]
type RunId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
type Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
type ShortName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)
]
type Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]


class Model(BaseModel):
    """Strict, immutable, camelCase outside."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        frozen=True,
        strict=True,
    )


class GroupSource(Model):
    """A group as a source: its members (nested ones too), itself as a contact, or both."""

    id: ObjectId
    as_: Annotated[Literal["members", "contact", "both"], Field(alias="as")] = "members"


class MailAddress(Model):
    """A mail address and the name shown for it."""

    address: Annotated[Text, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$", max_length=320)]
    name: Text | None = None


class PostalAddress(Model):
    """A postal address; every part may be absent."""

    street: Text | None = None
    city: Text | None = None
    state: Text | None = None
    postal_code: Text | None = None
    country_or_region: Text | None = None


type Phones = Annotated[list[Text], Field(max_length=2)]


class HandKeptContact(Model):
    """A contact that is in no directory, such as a hotline; kept in the share itself.

    `id` keeps it the same contact when its name or address changes; without it, the two are it.
    """

    id: ObjectId | None = None
    display_name: Name
    given_name: Text | None = None
    middle_name: Text | None = None
    surname: Text | None = None
    title: Text | None = None
    company_name: Text | None = None
    department: Text | None = None
    job_title: Text | None = None
    office_location: Text | None = None
    email_addresses: Annotated[list[MailAddress], Field(max_length=3)] = []
    business_phones: Phones = []
    mobile_phone: Text | None = None
    home_phones: Phones = []
    fax: Text | None = None
    business_address: PostalAddress | None = None
    home_address: PostalAddress | None = None
    other_address: PostalAddress | None = None
    manager: Text | None = None
    assistant_name: Text | None = None
    business_home_page: Text | None = None
    yomi_given_name: Text | None = None
    yomi_surname: Text | None = None
    yomi_company_name: Text | None = None

    def fields(self) -> dict[str, Any]:
        """The contact's fields under Graph's names, without empty ones."""
        return clean(self.model_dump(by_alias=True, exclude={"id"}))[0]


class Sources(Model):
    """Whom a share holds."""

    users: Annotated[list[ObjectId], Field(max_length=MAX_IDS)] = []
    groups: Annotated[list[GroupSource], Field(max_length=MAX_GROUPS)] = []
    all_users: bool = False
    org_contacts: bool = False
    contacts: Annotated[list[HandKeptContact], Field(max_length=MAX_HAND_KEPT)] = []
    exclude: Annotated[list[ObjectId], Field(max_length=MAX_IDS)] = []
    filter: dict[str, Annotated[list[Text], Field(min_length=1, max_length=100)]] = {}

    @field_validator("filter")
    @classmethod
    def _known_attributes(cls, value: dict[str, list[str]]) -> dict[str, list[str]]:
        if unknown := sorted(set(value) - set(FILTER_ATTRIBUTES)):
            message = f"cannot filter by {', '.join(unknown)}; use {', '.join(FILTER_ATTRIBUTES)}"
            raise ValueError(message)
        return value

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not (self.users or self.groups or self.all_users or self.org_contacts or self.contacts):
            message = "name at least one source: users, groups, allUsers, orgContacts or contacts"
            raise ValueError(message)
        return self


class Access(Model):
    """Who may import a share by its id."""

    rule: Literal["tenant", "anyone-with-id", "tenants"] = "anyone-with-id"
    tenants: Annotated[list[ObjectId], Field(max_length=500)] = []
    expires: Annotated[AwareDatetime | None, Field(strict=False)] = None

    @model_validator(mode="after")
    def _tenants_named(self) -> Self:
        if (self.rule == "tenants") != bool(self.tenants):
            message = "name tenants with the rule 'tenants', and only with it"
            raise ValueError(message)
        return self

    def admits(self, subscriber: str, publisher: str, now: datetime) -> bool:
        """Whether a tenant may read the share at this time; its publisher always may."""
        if subscriber == publisher:
            return True
        if self.expires is not None and now >= self.expires:
            return False
        return self.rule == "anyone-with-id" or subscriber in self.tenants


class ShareInput(Model):
    """What a publisher sets of a share."""

    name: Name
    sources: Sources
    fields: list[str] | None = None
    access: Access = Access()

    @field_validator("fields")
    @classmethod
    def _known_fields(cls, value: list[str] | None) -> list[str] | None:
        if value is not None and (unknown := sorted(set(value) - set(FIELD_NAMES))):
            message = f"no such field: {', '.join(unknown)}; choose of {', '.join(FIELD_NAMES)}"
            raise ValueError(message)
        return value


class Share(ShareInput):
    """A published set of people and groups."""

    id: str
    created: datetime
    changed: datetime


class Targets(Model):
    """Whose mailboxes an import fills: users and the members of groups."""

    users: Annotated[list[ObjectId], Field(max_length=MAX_IDS)] = []
    groups: Annotated[list[ObjectId], Field(max_length=MAX_GROUPS)] = []

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not (self.users or self.groups):
            message = "name at least one target: users or groups"
            raise ValueError(message)
        return self


class Destination(Model):
    """Where in a mailbox the contacts go: an own folder, or (null) the default Contacts folder."""

    folder: ShortName | None = "Contact Sync"
    category: ShortName | None = None


class GuardLimits(Model):
    """What one run may remove from a mailbox without asking: the larger of the two."""

    deletes: Annotated[int, Field(ge=0, le=100_000)] = 10
    delete_share: Annotated[float, Field(ge=0, le=1, strict=False)] = 0.2


class ImportInput(Model):
    """What a subscriber sets of an import; the share stays the same for its whole life."""

    name: Name
    share_id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{8,64}$")]
    targets: Targets
    destination: Destination = Destination()
    guard: GuardLimits = GuardLimits()
    active: bool = True


class Import(ImportInput):
    """An import: one share, its target mailboxes and where the contacts go."""

    id: str
    created: datetime
    changed: datetime
    last_run: str | None = None
    removing: bool = False


class RunTrigger(StrEnum):
    """What started a run."""

    CREATED = "created"
    SCHEDULE = "schedule"
    REQUEST = "request"
    RETRY = "retry"
    REMOVAL = "removal"


class RunStatus(StrEnum):
    """How far a run is, or how it ended."""

    QUEUED = "queued"
    RUNNING = "running"
    HELD = "held"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen in the run."""
        return self not in {RunStatus.QUEUED, RunStatus.RUNNING}


class MailboxCounts(Model):
    """The mailboxes of a run by outcome."""

    total: int = 0
    succeeded: int = 0
    skipped: int = 0
    failed: int = 0
    held: int = 0


class ContactCounts(Model):
    """What happened to the contacts of a mailbox, or of all mailboxes of a run."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0

    def __add__(self, other: Self) -> "ContactCounts":
        """Sum, count by count."""
        return ContactCounts(
            created=self.created + other.created,
            updated=self.updated + other.updated,
            deleted=self.deleted + other.deleted,
            unchanged=self.unchanged + other.unchanged,
        )


class Omission(Model):
    """Somebody of the share's sources who is not among its contacts, and why; never a name."""

    id: str
    reason: Reason


class Run(Model):
    """One execution of an import."""

    id: str
    import_id: str
    trigger: RunTrigger
    status: RunStatus = RunStatus.QUEUED
    queued: datetime
    started: datetime | None = None
    ended: datetime | None = None
    reason: Reason | None = None
    mailboxes: MailboxCounts = MailboxCounts()
    contacts: ContactCounts = ContactCounts()
    graph_requests: int = 0
    throttled: int = 0
    share_contacts: int = 0
    omissions: list[Omission] = []
    omitted: dict[Reason, int] = {}
    fingerprint: str | None = None


class Outcome(StrEnum):
    """How a run ended for one mailbox."""

    SUCCEEDED = "succeeded"
    SKIPPED = "skipped"
    FAILED = "failed"
    HELD = "held"


class RejectedContact(Model):
    """A contact that Graph refused: its source key and Graph's error code."""

    key: str
    code: str


class Result(Model):
    """What happened to one mailbox in a run; ids and counts only."""

    mailbox: str
    outcome: Outcome
    reason: Reason | None = None
    contacts: ContactCounts = ContactCounts()
    graph_requests: int = 0
    throttled: int = 0
    milliseconds: int = 0
    rejected: tuple[RejectedContact, ...] = ()
    ended: datetime


class LicensePlan(StrEnum):
    """What a tenant has booked; the trial is in force until it ends, whatever is booked."""

    TRIAL = "trial"
    STANDARD = "standard"
    PREMIUM = "premium"


class Tenant(Model):
    """A customer: its consent, its license and since when we know it."""

    id: str
    joined: datetime
    plan: LicensePlan = LicensePlan.STANDARD
    booked: int = 0
    trial_started: datetime | None = None


class Seat(Model):
    """The right to sync into one mailbox, and since when it is taken."""

    mailbox: str
    since: datetime
    imports: list[str] = []


class LedgerEntry(Model):
    """One change: who (object id and name of the acting admin), what, when."""

    when: datetime
    actor: str
    actor_name: str = ""
    action: str
    subject: str
    detail: dict[str, Any] = {}
