"""All records of the app, one attribute per table, and how their rows are keyed."""

from typing import Final

from shared.adapters.storage.mailboxes.held_plans import HeldPlans
from shared.adapters.storage.models import (
    ChunkResult,
    IdempotencyClaim,
    LedgerHead,
    Newcomer,
    ObjectCount,
    SeatClaims,
    SeatCount,
    ShareFacts,
    ShareId,
    ShareLocation,
    SharePhotos,
    SubscribedImport,
    Suppression,
)
from shared.adapters.storage.numbers import Numbers
from shared.adapters.storage.records import Records
from shared.adapters.storage.tables.client import Tables
from shared.adapters.storage.tables.conditions import Condition
from shared.adapters.storage.tables.names import Table
from shared.domain.importing.import_life import ImportRuns, is_open
from shared.domain.importing.imports import Import
from shared.domain.importing.messages import RunMessage
from shared.domain.importing.runs import Outcome, Result, Run
from shared.domain.notices.causes import Outbox
from shared.domain.notices.deliveries import Delivery
from shared.domain.notices.settings import NoticeSettings
from shared.domain.sharing.shares import Share
from shared.domain.tenancy.departures import DepartureMark
from shared.domain.tenancy.missing_mailboxes import MissingMailbox
from shared.domain.tenancy.tenant_checks import TenantCheck
from shared.domain.tenancy.tenants import LedgerEntry, Seat, Tenant

MAX_SHARES: Final = 500
MAX_IMPORTS: Final = 500
NOT_REMOVING: Final = (Condition("removing", "eq", value=False),)
"""The imports that are not being removed."""
COUNT_OF_OBJECTS: Final = "~~"
"""The row keys of the numbers of shares and imports begin with this; all others sort below it."""
RUNS_OF_IMPORT: Final = "~"
"""Row keys of the runs of an import begin with this; ids of imports sort below it."""
SEAT_COUNT: Final = "~"
CLAIMS_OF_IMPORT: Final = "~import|"
"""Row keys of what is noted beside the seats begin with these; ids of mailboxes sort below them."""

LEDGER_FEED: Final = "~"
"""Row keys of numbered ledger entries begin with this; those by time sort below it."""
LEDGER_HEAD: Final = "~~"

ID_OF_SHARE: Final = "~"
"""Row keys of the ids that a tenant's shares have, or had, begin with this."""
NOTICE_SETTINGS: Final = "settings"
OUTBOX: Final = "outbox"
DELIVERIES: Final = "~"
"""Row keys of deliveries of notices begin with this; settings and outbox sort below it."""
PHOTOS_OF_SHARE: Final = "~"
"""Row keys of what is known of a share's photos begin with this; ids of shares sort below it."""


class Store:
    """All records of the app, one attribute per table."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.tenants = Records[Tenant](
            tables,
            Table.TENANTS,
            Tenant,
            {
                "plan": lambda t: str(t.plan),
                "booked": lambda t: t.booked,
                "status": lambda t: str(t.status),
            },
        )
        self.checks = Records(tables, Table.TENANT_CHECKS, TenantCheck)
        self.shares = Records[Share](
            tables,
            Table.SHARES,
            Share,
            {
                "name": lambda s: s.name,
                "created": lambda s: s.created,
                "changed": lambda s: s.changed,
            },
            below=ID_OF_SHARE,
        )
        self.share_ids = Records(
            tables, Table.SHARES, ShareId, prefix=ID_OF_SHARE, below=COUNT_OF_OBJECTS
        )
        self.share_numbers = Numbers(
            self.shares,
            Records(tables, Table.SHARES, ObjectCount, prefix=COUNT_OF_OBJECTS),
            MAX_SHARES,
            "too_many_shares",
        )
        self.share_index = Records[ShareLocation](
            tables,
            Table.SHARE_INDEX,
            ShareLocation,
            {"publisher": lambda s: s.publisher, "gone": lambda s: s.withdrawn},
        )
        self.imports = Records[Import](
            tables,
            Table.IMPORTS,
            Import,
            {
                "name": lambda i: i.name,
                "created": lambda i: i.created,
                "changed": lambda i: i.changed,
                "shareId": lambda i: i.share_id,
                "active": lambda i: i.active,
                "removing": lambda i: i.removing,
                "everyHours": lambda i: i.schedule.every_hours,
            },
            below=RUNS_OF_IMPORT,
        )
        self.import_runs = Records[ImportRuns](
            tables,
            Table.IMPORTS,
            ImportRuns,
            {
                "importId": lambda r: r.import_id,
                "lastRun": lambda r: r.last_run,
                "heldRun": lambda r: r.held_run,
                "openRun": lambda r: r.open.id if r.open is not None else None,
                "progressed": lambda r: r.open.progressed if r.open is not None else None,
            },
            prefix=RUNS_OF_IMPORT,
            below=COUNT_OF_OBJECTS,
        )
        self.import_numbers = Numbers(
            self.imports,
            Records(tables, Table.IMPORTS, ObjectCount, prefix=COUNT_OF_OBJECTS),
            MAX_IMPORTS,
            "too_many_imports",
            NOT_REMOVING,
        )
        self.seats = Records[Seat](
            tables,
            Table.SEATS,
            Seat,
            {"since": lambda s: s.since, "waiting": lambda s: s.waiting},
            below=SEAT_COUNT,
        )
        self.seat_counts = Records(tables, Table.SEATS, SeatCount, prefix=SEAT_COUNT)
        self.seat_claims = Records(tables, Table.SEATS, SeatClaims, prefix=CLAIMS_OF_IMPORT)
        self.missing_mailboxes = Records(tables, Table.MISSING_MAILBOXES, MissingMailbox)
        self.ledger = Records[LedgerEntry](
            tables,
            Table.LEDGER,
            LedgerEntry,
            {
                "action": lambda e: e.action,
                "subject": lambda e: e.subject,
                "actor": lambda e: e.actor,
            },
            below=LEDGER_FEED,
        )
        self.ledger_feed = Records[LedgerEntry](
            tables,
            Table.LEDGER,
            LedgerEntry,
            {"when": lambda e: e.when},
            prefix=LEDGER_FEED,
            below=LEDGER_HEAD,
        )
        self.ledger_heads = Records(tables, Table.LEDGER, LedgerHead, prefix=LEDGER_HEAD)
        self.departures = Records(tables, Table.DEPARTURES, DepartureMark)
        self.share_facts = Records(tables, Table.SHARE_FACTS, ShareFacts, below=PHOTOS_OF_SHARE)
        self.share_photos = Records(tables, Table.SHARE_FACTS, SharePhotos, prefix=PHOTOS_OF_SHARE)
        self.subscribers = Records[SubscribedImport](
            tables, Table.SUBSCRIBERS, SubscribedImport, {"tenant": lambda s: s.tenant}
        )
        self.newcomers = Records(tables, Table.SUBSCRIBERS, Newcomer)
        self.notice_settings = Records(tables, Table.NOTICES, NoticeSettings, below=DELIVERIES)
        self.outboxes = Records(tables, Table.NOTICES, Outbox, below=DELIVERIES)
        self.deliveries = Records[Delivery](
            tables, Table.NOTICES, Delivery, {"due": lambda d: d.due}, prefix=DELIVERIES
        )
        self.suppressions = Records(tables, Table.SUPPRESSIONS, Suppression)
        self.claims = Records[IdempotencyClaim](
            tables, Table.IDEMPOTENCY, IdempotencyClaim, {"when": lambda c: c.when}
        )
        self.runs = Records[Run](
            tables,
            Table.RUNS,
            Run,
            {
                "importId": lambda r: r.import_id,
                "status": lambda r: str(r.status),
                "trigger": lambda r: str(r.trigger),
                "reason": lambda r: str(r.reason or ""),
                "total": lambda r: r.mailboxes.total,
                "failed": lambda r: r.mailboxes.failed,
                "skipped": lambda r: r.mailboxes.skipped,
                "held": lambda r: r.mailboxes.held,
                "created": lambda r: r.contacts.created,
                "updated": lambda r: r.contacts.updated,
                "deleted": lambda r: r.contacts.deleted,
                "ended": lambda r: r.ended,
            },
        )
        self.held_plans = HeldPlans(tables)
        self.results = Records[Result](
            tables,
            Table.RESULTS,
            Result,
            {"outcome": lambda r: str(r.outcome), "reason": lambda r: str(r.reason or "")},
        )
        self.result_chunks = Records[ChunkResult](
            tables,
            Table.RESULTS,
            ChunkResult,
            {"outcome": lambda _: str(Outcome.SUCCEEDED), "count": lambda c: len(c.mailboxes)},
        )

    async def is_open(self, message: RunMessage) -> bool:
        """Return whether a message belongs to the open run of its import."""
        stored = await self.import_runs.get(message.tenant, message.import_id)
        return stored is not None and is_open(stored.value, message.run, message.number)

    async def ready(self) -> None:
        """Check that table storage responds; raises `Unavailable` if it does not."""
        await self.tenants.get("ready", TENANT_ROW)


def subscribers_of(publisher: str, share: str) -> str:
    """Return the partition of a share's subscribers."""
    return f"{publisher}|{share}"


def newcomers_of(publisher: str) -> str:
    """Return the partition of the tenants that began to import a publisher's shares."""
    return f"{publisher}|~new"


def results_of(tenant: str, run: str) -> str:
    """Return the partition of a run's results."""
    return f"{tenant}|{run}"


TENANT_ROW: Final = "tenant"
CHECK_ROW: Final = "check"
OWNER_ROW: Final = "owner"
SEATS_ROW: Final = "seats"
