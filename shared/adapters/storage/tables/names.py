"""Every table of the app: how its rows belong to tenants, what they hold, and for how long.

Storage is reached by these names only, so a new table has to say here whose its rows are: exporting
and erasing a tenant's data then include it. infra/data-protection.md shows the same to customers.
"""

from enum import Enum, StrEnum, auto
from typing import Self


class Keyed(Enum):
    """What the partitions of a table are."""

    BY_TENANT = auto()
    """The tenant id."""

    BELOW_TENANT = auto()
    """The tenant id, a bar, and more."""

    WITHOUT_TENANT = auto()
    """No tenant; the rows outlive their tenant, so they must hold nothing personal."""


class Table(StrEnum):
    """A table: its name in storage, how its rows are keyed, and what customers are told about them.

    `holds` is what the rows contain, `personal` what of that is personal data, `kept` how long a
    row is kept unless the tenant leaves.
    """

    keyed: Keyed
    holds: str
    personal: str
    kept: str

    def __new__(cls, name: str, keyed: Keyed, holds: str, personal: str, kept: str) -> Self:
        """Make the member of this name."""
        table = str.__new__(cls, name)
        table._value_ = name
        table.keyed = keyed
        table.holds, table.personal, table.kept = holds, personal, kept
        return table

    @property
    def on_leaving(self) -> str:
        """What happens to the tenant's rows when it leaves."""
        match self:
            case Table.LEDGER:
                return (
                    "erased, except the closing line: what was removed, from how many mailboxes, "
                    "and, for `LEDGER_DAYS`, who asked for it from where"
                )
            case Table.SHARE_INDEX:
                return (
                    "erased; while partners still have to remove contacts, a row without the "
                    "publisher stays for 180 days"
                )
        return "erased"

    TENANTS = (
        "Tenants",
        Keyed.BY_TENANT,
        "name, domain, region, consent, plan and number of licenses of the organization",
        "ids of users whose sessions were ended; who asked to leave, with shortened address",
        "until the organization leaves",
    )
    TENANT_CHECKS = (
        "TenantChecks",
        Keyed.BY_TENANT,
        "the last check of what Microsoft lets the app do, line by line",
        "ids of the mailboxes that were checked, and of who asked",
        "30 days",
    )
    SHARES = (
        "Shares",
        Keyed.BY_TENANT,
        "settings of shares, their manual contacts, and how many shares there are",
        "manual contacts; ids of people in and outside the share",
        "until the share is withdrawn",
    )
    SHARE_FACTS = (
        "ShareFacts",
        Keyed.BY_TENANT,
        "size of each share, and hashes of its photos",
        "hashes of ids",
        "until the share is withdrawn",
    )
    IMPORTS = (
        "Imports",
        Keyed.BY_TENANT,
        "settings of imports, which run each has reached, and how many there are",
        "ids of target users",
        "until the contacts of a deleted import are removed",
    )
    SEATS = (
        "Seats",
        Keyed.BY_TENANT,
        "which mailbox has a license or waits for one",
        "ids of users",
        "until no import needs the license",
    )
    MISSING_MAILBOXES = (
        "MissingMailboxes",
        Keyed.BY_TENANT,
        "target users who have no mailbox",
        "ids of users, hashes of their directory entries",
        "until the user has a mailbox, or 60 days after the user was last a target",
    )
    RUNS = (
        "Runs",
        Keyed.BY_TENANT,
        "runs: times, counts, and who of the own directory was left out and why",
        "ids of people",
        "`RUN_DAYS`",
    )
    SUPPRESSIONS = (
        "KeptOut",
        Keyed.BY_TENANT,
        "people who must not be published again",
        "ids of people",
        "until the person is allowed again",
    )
    LEDGER = (
        "Ledger",
        Keyed.BY_TENANT,
        "the audit log: who changed or read what, when and from where",
        "names and ids of those who acted, shortened addresses, ids of people looked at",
        "`LEDGER_DAYS`",
    )
    DEPARTURES = (
        "Departures",
        Keyed.BY_TENANT,
        "which organizations asked to leave, and when that begins",
        "none",
        "until the organization leaves, or stays after all",
    )
    NOTICES = (
        "Notices",
        Keyed.BY_TENANT,
        "what notices are sent about, sealed addresses of receivers, open causes, deliveries",
        "none",
        "deliveries 30 days, the others until the organization leaves",
    )
    IDEMPOTENCY = (
        "Idempotency",
        Keyed.BY_TENANT,
        "hashes of Idempotency-Keys and of the requests sent with them; the answers, encrypted",
        "manual contacts of a share, names of contacts that were adopted and of admins, encrypted",
        "24 hours, until the next night",
    )
    SUBSCRIBERS = (
        "Consumers",
        Keyed.BELOW_TENANT,
        "which organizations import a share, into how many mailboxes, and which of them are new",
        "none",
        "until the import ends",
    )
    MAILBOX_HEADS = (
        "MailboxHeads",
        Keyed.BELOW_TENANT,
        "state of each mailbox that may hold contacts of an import, and its last result",
        "ids of users and of contacts that Exchange rejected",
        "until the contacts are removed; 35 days more if the mailbox cannot be reached",
    )
    MAILBOX_CONTACTS = (
        "MailboxContacts",
        Keyed.BELOW_TENANT,
        "which contacts a mailbox holds",
        "ids of people, hashes of their contact data",
        "until the contacts are removed",
    )
    HELD_PLANS = (
        "HeldPlans",
        Keyed.BELOW_TENANT,
        "changes that wait for an admin's decision",
        "ids of people, hashes of their contact data",
        "`RUN_DAYS`",
    )
    RESULTS = (
        "Results",
        Keyed.BELOW_TENANT,
        "what a run did in each mailbox",
        "ids of users and of contacts that Exchange rejected",
        "`RUN_DAYS`",
    )
    LEASES = (
        "Leases",
        Keyed.BELOW_TENANT,
        "which mailbox is being worked on, and until when",
        "ids of users",
        "until the organization leaves",
    )
    SNAPSHOTS = (
        "Snapshots",
        Keyed.BELOW_TENANT,
        "the contacts of a share for the duration of a run",
        "contact data and photos",
        "until the run is closed; that of a held run 7 days, a lost one at most two days",
    )
    SHARE_INDEX = (
        "ShareIndex",
        Keyed.WITHOUT_TENANT,
        "which organization publishes a share",
        "none",
        "until the share is withdrawn, and 180 days more so that partners remove its contacts",
    )


def table_named(name: str) -> Table:
    """Return the table of this name; raises `KeyError` if the app has none."""
    return {str(table): table for table in Table}[name]
