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
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel

from shared.domain.reasons import Reason

MAX_IDS: Final = 5_000
MAX_GROUPS: Final = 200

# \x85 is white space here, though not to JavaScript.
_NOT_BLANK: Final = Field(json_schema_extra={"pattern": r"[^\s\x85]"})

type ObjectId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$")]
type RunId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
type Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), _NOT_BLANK
]
type ShortName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120), _NOT_BLANK
]
type Color = Annotated[str, StringConstraints(pattern=r"^preset([0-9]|1[0-9]|2[0-4])$")]


def _iso(value: object) -> object:
    """Refuse a number, as text too, which would be taken for seconds since 1970."""
    if not isinstance(value, datetime) and "T" not in str(value):
        message = "must be a time with its zone, such as 2026-11-23T00:00:00Z"
        raise ValueError(message)
    return value


type Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_iso)]
type Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)]


class Model(BaseModel):
    """Strict, immutable, camelCase outside."""

    model_config = ConfigDict(
        hide_input_in_errors=True,  # it may be anybody's data, and errors are logged
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        extra="forbid",
        frozen=True,
        strict=True,
        # At first use: building all of them would be a third of the import of function_app.
        defer_build=True,
    )


class Targets(Model):
    """Whose mailboxes an import fills: users and the members of groups, at least one of them."""

    users: Annotated[list[ObjectId], Field(max_length=MAX_IDS)] = []
    groups: Annotated[list[ObjectId], Field(max_length=MAX_GROUPS)] = []

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not (self.users or self.groups):
            message = "name at least one target: users or groups"
            raise ValueError(message)
        return self


class Destination(Model):
    """Where in a mailbox the contacts go: an own folder, or (null) the default Contacts folder.

    Each contact gets the `category`, if one is named.
    """

    folder: ShortName | None = "Contact Sync"
    category: ShortName | None = None


class GuardLimits(Model):
    """What one run may do to a mailbox without asking: of each pair the larger counts."""

    deletes: Annotated[int, Field(ge=0, le=100_000)] = 10
    delete_share: Annotated[float, Field(ge=0, le=1, strict=False)] = 0.2
    changes: Annotated[int, Field(ge=0, le=100_000)] = 100
    change_share: Annotated[float, Field(ge=0, le=1, strict=False)] = 0.5


class Conflicts(Model):
    """What counts when a mailbox's user deletes one of our contacts, or edits a field of it."""

    deleted: Literal["restore", "respect"] = "restore"
    edited: Literal["overwrite", "keep"] = "overwrite"


class Schedule(Model):
    """How often an import runs: once a day, or (premium) every so many hours."""

    every_hours: Annotated[int, Field(ge=1, le=24)] = 24


class Photos(Model):
    """People's photos in their contacts; `edge` is the longer side in pixels."""

    edge: Annotated[int, Field(ge=48, le=648)] = 240


class ImportInput(Model):
    """What a subscriber sets of an import; the share stays the same for its whole life.

    `category_color` is one of Outlook's 25 presets (docs: outlookcategory), for the destination's
    category; null leaves the user's list of categories alone.
    """

    name: Name
    share_id: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{8,64}$")]
    targets: Targets
    destination: Destination = Destination()
    category_color: Color | None = "preset7"
    guard: GuardLimits = GuardLimits()
    conflicts: Conflicts = Conflicts()
    photos: Photos | None = None
    schedule: Schedule = Schedule()
    active: bool = True


class Import(ImportInput):
    """An import: one share, its target mailboxes and where the contacts go."""

    id: str
    created: datetime
    changed: datetime
    last_run: str | None = None
    held_run: str | None = None
    removing: bool = False


class MailboxInput(Model):
    """Which of an import's mailboxes a call is about."""

    mailbox: ObjectId


class AdoptionInput(MailboxInput):
    """Where another tool's contacts are: a folder by its name, or (null) the default one.

    `confirm` is the digest of a preview whose matches shall be marked.
    """

    folder: ShortName | None = None
    confirm: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{24}$")] | None = None


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
    DISCARDED = "discarded"

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
    """One execution of an import.

    `approved` says that an admin let go on what was held; `retries` names the run whose failed
    mailboxes this one does again.
    """

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
    photos: int = 0
    graph_requests: int = 0
    throttled: int = 0
    share_contacts: int = 0
    omissions: list[Omission] = []
    omitted: dict[Reason, int] = {}
    fingerprint: str | None = None
    approved: bool = False
    retries: str | None = None


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
    """What happened to one mailbox in a run; ids and counts only.

    `photos` counts those sent. `planned` is what would happen if a held plan were approved,
    `held_run` the run that asks.
    """

    mailbox: str
    outcome: Outcome
    reason: Reason | None = None
    contacts: ContactCounts = ContactCounts()
    photos: int = 0
    planned: ContactCounts | None = None
    held_run: str | None = None
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


class Seat(Model):
    """The right to sync into one mailbox, and since when it is wanted.

    `waiting` tells since when there is no seat for it, although imports want one.
    """

    mailbox: str
    since: datetime
    imports: list[str] = []
    waiting: datetime | None = None


class LedgerEntry(Model):
    """One change: who (object id and name of the acting admin), what, when, from where.

    It is written before the change is made and `done` after it, so that no change goes without.
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
