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
    """Object ids of users whose mailboxes are synced, at most 5,000."""
    groups: Annotated[list[DirectoryId], Field(max_length=MAX_GROUPS)] = []
    """Object ids of groups whose members' mailboxes are synced, nested groups included, at most
    200."""

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
    """The name of the contact folder, 1 to 120 characters. Null is the default Contacts folder."""
    category: ShortName | None = None
    """An Outlook category for each contact, 1 to 120 characters. Null is none."""


class GuardLimits(Model):
    """How much one run may change before an admin must approve it.

    Each limit is a number and a share of the contacts; the higher one applies. `deletes` and
    `changes` count in one mailbox, `creates` counts how much the share grew since the last sync.
    """

    deletes: Annotated[int, Field(ge=0, le=100_000)] = 10
    """Removals in one mailbox that need no approval, 0 to 100,000."""
    delete_share: Annotated[float, Field(ge=0, le=1)] = 0.2
    """The same as a fraction of the mailbox's contacts, 0 to 1. The higher limit applies."""
    changes: Annotated[int, Field(ge=0, le=100_000)] = 100
    """Changed contacts in one mailbox that need no approval, 0 to 100,000."""
    change_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    """The same as a fraction of the mailbox's contacts, 0 to 1. The higher limit applies."""
    creates: Annotated[int, Field(ge=0, le=100_000)] = 100
    """New contacts in the share since the last sync that need no approval, 0 to 100,000."""
    create_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    """The same as a fraction of the share's contacts, 0 to 1. The higher limit applies."""


class Conflicts(Model):
    """What happens when a mailbox's user deletes one of our contacts or edits one of its fields."""

    deleted: Literal["restore", "respect"] = "restore"
    """If a user deletes one of our contacts: `restore` writes it again, `respect` does not."""
    edited: Literal["overwrite", "keep"] = "overwrite"
    """If a user edits one of our fields: `overwrite` writes our value again, `keep` does not."""


class Schedule(Model):
    """How often an import runs: once a day or, with premium, every `everyHours` hours."""

    every_hours: Annotated[int, Field(ge=1, le=24)] = 24
    """Hours between two runs, 1 to 24. Less than 24 needs the trial or the premium plan."""


class Photos(Model):
    """The photos of the contacts; `edge` is the length of the longer side in pixels."""

    edge: Annotated[int, Field(ge=48, le=648)] = 240
    """The longer side of a photo in pixels, 48 to 648."""


class ImportInput(Model):
    """The settings of an import; its share cannot be changed later.

    `categoryColor` is one of Outlook's 25 presets (docs: outlookcategory), for the destination's
    category; null leaves the user's list of categories unchanged. In a change, null leaves every
    other setting as it is; only `categoryColor`, `photos`, and the folder and category of
    `destination` have null as a value of their own.
    """

    name: Name
    """The name that admins see, 1 to 200 characters."""
    share_id: ShareId
    """The share to import: of an own share its `id` or `shareId`, of a partner's the `shareId`
    that the publisher gave out. It cannot be changed later."""
    targets: Targets
    """The mailboxes that get the contacts."""
    destination: Destination = Destination()
    """The folder and category of the contacts in each mailbox."""
    category_color: Color | None = "preset7"
    """The color of the destination's category: one of Outlook's presets, `preset0` to
    `preset24`. Null leaves the user's list of categories unchanged."""
    guard: GuardLimits = GuardLimits()
    """How much a run may change before an admin must approve it."""
    conflicts: Conflicts = Conflicts()
    """What happens to contacts that a mailbox's user deletes or edits."""
    photos: Photos | None = None
    """The photos of people. Null syncs none."""
    schedule: Schedule = Schedule()
    """How often the import runs."""
    active: bool = True
    """Whether the import runs. False pauses it; its contacts stay."""


class Import(ImportInput):
    """An import: one share, the target mailboxes, and where the contacts go.

    `share_id` is the stable id of an own share (`own_share`), the secret one of a partner's.
    """

    id: str
    """The import's id. It never changes."""
    own_share: bool = False
    created: datetime
    """When the import was created (UTC)."""
    changed: datetime
    """When its settings were last changed (UTC)."""
    removing: bool = False


class MailboxInput(Model):
    """One of an import's target mailboxes."""

    mailbox: DirectoryId
    """The object id of the user whose mailbox is meant. It must be a target of the import."""


class AdoptionInput(MailboxInput):
    """Where another tool's contacts are: a folder by name, or the default one (null).

    `confirm` is the digest of the preview whose matches to adopt.
    """

    folder: ShortName | None = None
    """The name of the folder that the other tool filled. Null is the default Contacts folder."""
    confirm: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{24}$")] | None = None
    """The `digest` of a preview, to adopt exactly its contacts. Without it, nothing is changed."""
