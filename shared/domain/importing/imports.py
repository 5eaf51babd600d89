"""Imports, as the API shows them and the table stores them: targets, destination, limits."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from shared.domain.model import (
    MAX_GROUPS,
    MAX_IDS,
    Color,
    DirectoryId,
    Model,
    Name,
    ShareId,
    ShortName,
    wrong,
)


class Targets(Model):
    """The mailboxes that an import syncs: those of users and of the members of groups.

    At least one user or group is required.
    """

    users: Annotated[list[DirectoryId], Field(max_length=MAX_IDS)] = []
    groups: Annotated[list[DirectoryId], Field(max_length=MAX_GROUPS)] = []

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not (self.users or self.groups):
            raise wrong("target_missing")
        return self


class Destination(Model):
    """Where the contacts go in a mailbox: a folder of their own, or the default one (null).

    Each contact gets the `category`, if there is one.
    """

    folder: ShortName | None = "Contact Sync"
    category: ShortName | None = None


class GuardLimits(Model):
    """How much one run may change before an admin must approve it.

    Each limit is a number and a share of the contacts; the higher one applies. `deletes` and
    `changes` count in one mailbox, `creates` counts how much the share grew since the last sync.
    """

    deletes: Annotated[int, Field(ge=0, le=100_000)] = 10
    delete_share: Annotated[float, Field(ge=0, le=1)] = 0.2
    changes: Annotated[int, Field(ge=0, le=100_000)] = 100
    change_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    creates: Annotated[int, Field(ge=0, le=100_000)] = 100
    create_share: Annotated[float, Field(ge=0, le=1)] = 0.5


class Conflicts(Model):
    """What happens when a mailbox's user deletes one of our contacts or edits one of its fields."""

    deleted: Literal["restore", "respect"] = "restore"
    edited: Literal["overwrite", "keep"] = "overwrite"


class Schedule(Model):
    """How often an import runs: once a day or, with premium, every `everyHours` hours."""

    every_hours: Annotated[int, Field(ge=1, le=24)] = 24


class Photos(Model):
    """The photos of the contacts; `edge` is the length of the longer side in pixels."""

    edge: Annotated[int, Field(ge=48, le=648)] = 240


class ImportInput(Model):
    """The settings of an import; its share cannot be changed later.

    `categoryColor` is one of Outlook's 25 presets (docs: outlookcategory), for the destination's
    category; null leaves the user's list of categories unchanged. In a change, null leaves every
    other setting as it is; only `categoryColor`, `photos`, and the folder and category of
    `destination` have null as a value of their own.
    """

    name: Name
    share_id: ShareId
    targets: Targets
    destination: Destination = Destination()
    category_color: Color | None = "preset7"
    guard: GuardLimits = GuardLimits()
    conflicts: Conflicts = Conflicts()
    photos: Photos | None = None
    schedule: Schedule = Schedule()
    active: bool = True


class Import(ImportInput):
    """An import: one share, the target mailboxes, and where the contacts go.

    `share_id` is the stable id of an own share (`own_share`), the secret one of a partner's.
    """

    id: str
    own_share: bool = False
    created: datetime
    changed: datetime
    removing: bool = False


class MailboxInput(Model):
    """One of an import's target mailboxes."""

    mailbox: DirectoryId


class AdoptionInput(MailboxInput):
    """Where another tool's contacts are: a folder by name, or the default one (null).

    `confirm` is the digest of the preview whose matches to adopt.
    """

    folder: ShortName | None = None
    confirm: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{24}$")] | None = None
