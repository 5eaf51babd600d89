"""Models that only the services and storage use; the domain has no rules for them."""

from datetime import datetime

from shared.domain.model import Model


class ShareLocation(Model):
    """The publisher and the stable id of a share, under that id and under each of its secret ids.

    What a secret id opens is decided by the share itself. The rows of a withdrawn share stay for a
    time, to show that it existed; both texts are '' if its publisher has left.
    """

    publisher: str
    share: str = ""
    withdrawn: datetime | None = None


class ObjectCount(Model):
    """How many objects of one kind a tenant has."""

    count: int


class ShareId(Model):
    """An id that a share of the tenant has or had; `ShareLocation` says what became of it."""

    share: str


class ShareFacts(Model):
    """How many contacts a share held when it was last resolved, and which groups it read.

    A row of its own, so that a run never changes the ETag of the share that an admin edits.
    """

    contacts: int
    when: datetime
    groups: tuple[str, ...] = ()


class SharePhotos(Model):
    """Which photos of a share's people were read last: a cache, which may be lost.

    `seen` has, by a hash of the person's id, the hash of the photo's etag and that of the photo
    ('' if it is not a picture).
    """

    seen: dict[str, tuple[str, str]] = {}


class SeatCount(Model):
    """How many mailboxes of a tenant need a seat: its number of rows in `Seats`.

    Each change of these rows replaces this one in the same transaction.
    """

    wanted: int


class SeatClaims(Model):
    """The number of the last run of an import that decided which seats the import needs."""

    number: int


class SubscribedImport(Model):
    """An import of a share, as its publisher sees it: tenant, start, number of mailboxes."""

    tenant: str
    import_id: str
    since: datetime
    mailboxes: int = 0


class Newcomer(Model):
    """A tenant that began to import a share, until the publisher decides or knows."""

    share: str
    tenant: str
    since: datetime


class Suppression(Model):
    """A person, by object id or contact key, who is removed from all of a tenant's shares."""

    person: str
    since: datetime


class IdempotencyClaim(Model):
    """A call with an idempotency key: the hash of its request, and how it was answered.

    What it creates has ids derived from the `seed`. It is under way `until` a time, and `noted` is
    what it found before its effect. The `answer` is sealed; `status` is 0 until it is known.
    """

    seed: str
    request: str
    when: datetime
    until: datetime | None = None
    noted: str | None = None
    status: int = 0
    etag: str = ""
    at: str = ""
    answer: str = ""


class LedgerHead(Model):
    """How many entries a tenant's ledger has had, and up to which number they are erased.

    `series` tells the numbers of a tenant that left and joined again from its former ones.
    """

    series: str
    last: int = 0
    swept: int = 0


class ChunkResult(Model):
    """The mailboxes of a chunk that had nothing to do, with the contacts that each of them has."""

    mailboxes: tuple[str, ...]
    contacts: tuple[int, ...]
    number: int
    graph_requests: int
    ended: datetime
