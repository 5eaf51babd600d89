"""Shares, as the API shows them and the table stores them: sources, field policy, access rule."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import (
    Field,
    field_validator,
    model_validator,
)

from shared.domain.contacts.fields import PHOTO, PUBLISHABLE
from shared.domain.contacts.keys import ContactKey, ContactKind
from shared.domain.errors import FieldError, InvalidInput
from shared.domain.model import (
    MAX_GROUPS,
    MAX_IDS,
    UNCHANGED_BY_NULL,
    DirectoryId,
    Model,
    Moment,
    Name,
    TenantId,
    Text,
    wrong,
)
from shared.domain.sharing.manual_contacts import ManualContact

MAX_MANUAL_CONTACTS: Final = 500
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

_NEVER: Final = "never"
_DEFAULT: Final = "default"


class GroupSource(Model):
    """A group as a source: its members including nested ones, itself as a contact, or both."""

    id: DirectoryId
    """The group's object id."""
    as_: Annotated[Literal["members", "contact", "both"], Field(alias="as")] = "members"
    """`members` publishes the people in the group, nested groups included; `contact` the group
    itself as one contact; `both` both."""

    @property
    def publishes_members(self) -> bool:
        """Whether the people in the group become contacts."""
        return self.as_ in {"members", "both"}

    @property
    def publishes_itself(self) -> bool:
        """Whether the group itself becomes a contact."""
        return self.as_ in {"contact", "both"}


type FilterValues = Annotated[list[Text], Field(min_length=1, max_length=100)]


class Sources(Model):
    """The people in a share.

    `users`, `groups`, `allUsers`, `orgContacts` and `contacts` add people; at least one of them is
    required. `exclude` and `filter` leave people out; a group in `exclude` leaves its members out.
    """

    users: Annotated[list[DirectoryId], Field(max_length=MAX_IDS)] = []
    """Object ids of users, at most 5,000. Users named here are published even if they are
    guests or hidden."""
    groups: Annotated[list[GroupSource], Field(max_length=MAX_GROUPS)] = []
    """Groups, at most 200."""
    all_users: bool = False
    """Whether all users of the directory are published."""
    org_contacts: bool = False
    """Whether the organizational contacts of the directory are published."""
    contacts: Annotated[list[ManualContact], Field(max_length=MAX_MANUAL_CONTACTS)] = []
    """Manual contacts, which are not in the directory, at most 500."""
    exclude: Annotated[list[DirectoryId], Field(max_length=MAX_IDS)] = []
    """Object ids of people who are left out, or of groups whose members are, at most 5,000."""
    filter: Annotated[
        dict[str, FilterValues],
        Field(json_schema_extra={"propertyNames": {"enum": list(FILTER_ATTRIBUTES)}}),
    ] = {}
    """Publish only people whose attributes have one of these values, compared whatever their
    case."""

    @field_validator("filter", mode="before", json_schema_input_type=dict[str, FilterValues | None])
    @classmethod
    def _without_nulls(cls, value: object) -> object:
        """Treat null as no filter, as clients send it for an attribute without one."""
        if not isinstance(value, dict):
            return value
        return {name: values for name, values in value.items() if values is not None}

    @field_validator("filter")
    @classmethod
    def _known_attributes(cls, value: dict[str, list[str]]) -> dict[str, list[str]]:
        if unknown := sorted(set(value) - set(FILTER_ATTRIBUTES)):
            raise wrong("filter_unknown", names=tuple(unknown), choices=FILTER_ATTRIBUTES)
        return value

    def keyed_contacts(self) -> Iterator[tuple[ContactKey, ManualContact]]:
        """Return the manual contacts, each with a unique key.

        Contacts with the same id, or the same name and first address, are told apart by order.
        """
        seen: Counter[ContactKey] = Counter()
        for contact in self.contacts:
            key = contact.key
            seen[key] += 1
            if seen[key] > 1:
                digest = hashlib.blake2b(f"{key}\n{seen[key]}".encode(), digest_size=12).hexdigest()
                key = ContactKey(ContactKind.MANUAL, digest)
            yield key, contact

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not (self.users or self.groups or self.all_users or self.org_contacts or self.contacts):
            raise wrong("source_missing")
        return self


class Access(Model):
    """Who may import a share with its share id. The publisher always may.

    `tenants` lists tenant ids (GUIDs) for the rule `tenants`, and is empty for any other rule.
    Access of other tenants ends at `expires`, which must be in the future when it is set; `never`
    removes the end. With `approval`, a tenant that begins to import the share receives nothing
    until the publisher approves it; those that import it already are approved.
    """

    rule: Literal["tenant", "anyone_with_id", "tenants"] = "tenant"
    """Who may import: `tenant` is your own tenant only, `tenants` those listed,
    `anyone_with_id` every tenant that knows the share id."""
    tenants: Annotated[list[TenantId], Field(max_length=500)] = []
    """The ids of the tenants that may import, at most 500; only for the rule `tenants`."""
    expires: Annotated[Moment | None, UNCHANGED_BY_NULL] = None
    """When the access of other tenants ends (UTC), in the future. Null: it does not end."""
    approval: bool = False
    """Whether a tenant that begins to import the share waits for your approval."""

    @field_validator(
        "expires", mode="before", json_schema_input_type=Moment | Literal["never"] | None
    )
    @classmethod
    def _no_end(cls, value: object) -> object:
        return None if value == _NEVER else value

    @model_validator(mode="after")
    def _tenants_named(self) -> Self:
        if (self.rule == "tenants") != bool(self.tenants):
            raise wrong("tenants_rule_mismatch")
        return self

    def admits(self, subscriber: str, publisher: str, now: datetime) -> bool:
        """Return whether a tenant may import the share at this time; its publisher always may."""
        if subscriber == publisher:
            return True
        if self.expires is not None and now >= self.expires:
            return False
        return self.rule == "anyone_with_id" or subscriber in self.tenants


def require_future_expiry(access: Access, now: datetime) -> None:
    """Raise `InvalidInput` if access ends in the past, so that nobody could import the share."""
    if access.expires is not None and access.expires <= now:
        raise InvalidInput.of(FieldError("access.expires", "not_in_future"))


type _DefaultFields = Annotated[list[Literal["default"]], Field(min_length=1, max_length=1)]
type FieldName = Annotated[str, Field(json_schema_extra={"enum": list(PUBLISHABLE)})]


class ShareInput(Model):
    """The settings of a share; tenants that are `blocked`, by id, may not import it.

    A contact's manager and assistant are published only if the share holds that person too.
    `fields` are the published ones; `["default"]` stands for all but the private ones, and so does
    null for a new share. In a change, null leaves `fields`, `access`, `blocked` and everything in
    `sources` unchanged; an empty list empties a list, or removes the filter by an attribute.
    """

    name: Name
    """The name that admins and partners see, 1 to 200 characters."""
    sources: Sources
    """Who is in the share."""
    fields: Annotated[list[FieldName] | None, UNCHANGED_BY_NULL] = None
    """The published fields. Null, or `default` alone, publishes all but home phones and home
    address."""
    access: Access = Access()
    """Who may import the share."""
    blocked: Annotated[list[TenantId], Field(max_length=500)] = []
    """The ids of tenants that may not import, at most 500."""

    @property
    def publishes_photos(self) -> bool:
        """Whether the field policy includes photos."""
        return self.fields is None or PHOTO in self.fields

    @field_validator(
        "fields",
        mode="before",
        json_schema_input_type=list[FieldName] | _DefaultFields | None,
    )
    @classmethod
    def _default_fields(cls, value: object) -> object:
        return None if value == [_DEFAULT] else value

    @field_validator("fields")
    @classmethod
    def _known_fields(cls, value: list[str] | None) -> list[str] | None:
        if value is not None and (unknown := sorted(set(value) - set(PUBLISHABLE))):
            raise wrong("field_unknown", names=tuple(unknown), choices=tuple(PUBLISHABLE))
        return value


class RotationInput(Model):
    """The tenants that keep access when a share gets a new id.

    Null keeps all tenants that import it now.
    """

    keep: Annotated[list[TenantId], Field(max_length=500)] | None = None
    """The ids of the tenants that keep access, at most 500. Null keeps all tenants that import
    the share now."""


class Admission(StrEnum):
    """What a tenant may do with a share that it names."""

    OPEN = "open"
    WAITING = "waiting"
    """It may import the share once the publisher approves; until then it gets nothing."""

    CLOSED = "closed"


MAX_RETIRED: Final = 50
"""The most former share ids of a share; older ones no longer work for anyone."""


class Share(ShareInput):
    """A published set of people and groups.

    `id` never changes. `share_id` is what a partner needs to import it: a secret that only admins
    see and that a rotation replaces. Its former ones, `retired`, work for the tenants in `kept`
    only; `rotated` is when it was replaced last. `approved` are the tenants that need not wait for
    the publisher's approval.
    """

    id: str
    """The share's id."""
    share_id: str
    """The secret that partners need to import the share."""
    retired: list[str] = []
    kept: list[str] = []
    rotated: datetime | None = None
    approved: list[str] = []
    created: datetime
    """When the share was created (UTC)."""
    changed: datetime
    """When it was last changed (UTC)."""

    def admits(
        self, subscriber: str, publisher: str, now: datetime, share_id: str | None = None
    ) -> bool:
        """Return whether a tenant may import it at this time; its publisher always may.

        `share_id` is the secret id that the tenant names, if it names one.
        """
        return self.admission(subscriber, publisher, now, share_id) is Admission.OPEN

    def admission(
        self, subscriber: str, publisher: str, now: datetime, share_id: str | None = None
    ) -> Admission:
        """Return whether a tenant may import it, must wait for an approval, or may not."""
        if subscriber == publisher:
            return Admission.OPEN
        if share_id not in {None, self.share_id} and not (
            share_id in self.retired and subscriber in self.kept
        ):
            return Admission.CLOSED
        if subscriber in self.blocked or not self.access.admits(subscriber, publisher, now):
            return Admission.CLOSED
        waits = self.access.approval and subscriber not in self.approved
        return Admission.WAITING if waits else Admission.OPEN

    def with_secret(self, share_id: str, kept: Iterable[str], now: datetime) -> "Share":
        """Return the share with a new secret id; everything else stays."""
        return self.copy_with(
            share_id=share_id,
            retired=[*self.retired, self.share_id][-MAX_RETIRED:],
            kept=sorted(kept),
            rotated=now,
            changed=now,
        )
