"""Every table of the app, and how its rows belong to tenants.

Storage is reached by these names only, so a new table has to say here whose its rows are: exporting
and erasing a tenant's data then include it.
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
    """A table: its name in storage, and how its rows are keyed."""

    keyed: Keyed

    def __new__(cls, name: str, keyed: Keyed) -> Self:
        """Make the member of this name."""
        table = str.__new__(cls, name)
        table._value_ = name
        table.keyed = keyed
        return table

    TENANTS = "Tenants", Keyed.BY_TENANT
    TENANT_CHECKS = "TenantChecks", Keyed.BY_TENANT
    SHARES = "Shares", Keyed.BY_TENANT
    SHARE_FACTS = "ShareFacts", Keyed.BY_TENANT
    IMPORTS = "Imports", Keyed.BY_TENANT
    SEATS = "Seats", Keyed.BY_TENANT
    MISSING_MAILBOXES = "MissingMailboxes", Keyed.BY_TENANT
    RUNS = "Runs", Keyed.BY_TENANT
    SUPPRESSIONS = "KeptOut", Keyed.BY_TENANT
    LEDGER = "Ledger", Keyed.BY_TENANT
    IDEMPOTENCY = "Idempotency", Keyed.BY_TENANT
    SUBSCRIBERS = "Consumers", Keyed.BELOW_TENANT
    MAILBOX_HEADS = "MailboxHeads", Keyed.BELOW_TENANT
    MAILBOX_CONTACTS = "MailboxContacts", Keyed.BELOW_TENANT
    HELD_PLANS = "HeldPlans", Keyed.BELOW_TENANT
    RESULTS = "Results", Keyed.BELOW_TENANT
    LEASES = "Leases", Keyed.BELOW_TENANT
    SNAPSHOTS = "Snapshots", Keyed.BELOW_TENANT
    SHARE_INDEX = "ShareIndex", Keyed.WITHOUT_TENANT
