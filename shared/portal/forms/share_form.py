"""A share as a form shows it: read from what is stored or was typed, and made into its input."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any, Final, Self

from shared.domain.contacts.fields import DEFAULT_FIELDS, PUBLISHABLE
from shared.domain.errors import CallerError
from shared.domain.sharing.shares import FILTER_ATTRIBUTES, ManualContact, Share, ShareInput
from shared.web.validation import validated

MANUAL_FIELDS: Final = (
    "displayName",
    "emailAddress",
    "businessPhone",
    "mobilePhone",
    "companyName",
    "department",
    "jobTitle",
)
"""The fields in which a hand-kept contact is typed; others that it has are kept as they are."""

_GROUPS_AS: Final = ("members", "contact", "both")


@dataclass(slots=True)
class ShareForm:
    """Everything that the form holds, as text; `typed` is a hand-kept contact not yet added.

    `expires` is the last day on which others may import the share, `ends` the stored moment.
    `searched` is the search whose results the form shows.
    """

    name: str = ""
    etag: str = ""
    key: str = ""
    search: str = ""
    searched: str = ""
    users: list[str] = field(default_factory=list)
    groups: dict[str, str] = field(default_factory=dict)
    all_users: bool = False
    org_contacts: bool = False
    exclude: list[str] = field(default_factory=list)
    filter: dict[str, str] = field(default_factory=dict)
    contacts: list[dict[str, Any]] = field(default_factory=list)
    typed: dict[str, str] = field(default_factory=dict)
    choice: str = "default"
    fields: list[str] = field(default_factory=lambda: list(DEFAULT_FIELDS))
    rule: str = "anyone-with-id"
    tenants: str = ""
    expires: str = ""
    ends: str = ""
    blocked: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, share: Share, etag: str) -> Self:
        """What is stored."""
        sources, access = share.sources, share.access
        ends = access.expires.astimezone(UTC).isoformat() if access.expires else ""
        return cls(
            name=share.name,
            etag=etag,
            users=list(sources.users),
            groups={group.id: group.as_ for group in sources.groups},
            all_users=sources.all_users,
            org_contacts=sources.org_contacts,
            exclude=list(sources.exclude),
            filter={name: "\n".join(values) for name, values in sources.filter.items()},
            contacts=[c.model_dump(by_alias=True, exclude_defaults=True) for c in sources.contacts],
            choice="default" if share.fields is None else "chosen",
            fields=list(DEFAULT_FIELDS if share.fields is None else share.fields),
            rule=access.rule,
            tenants="\n".join(access.tenants),
            expires=ends[:10],
            ends=ends,
            blocked=list(share.blocked),
        )

    @classmethod
    def read(cls, sent: Any) -> Self:
        """What was typed."""

        def text(name: str) -> str:
            return str(sent.get(name, ""))

        return cls(
            name=text("name"),
            etag=text("etag"),
            key=text("key"),
            search=text("search"),
            searched=text("searched"),
            users=_once(sent.getlist("user")),
            groups={
                id_: as_ if (as_ := text(f"as-{id_}")) in _GROUPS_AS else "members"
                for id_ in _once(sent.getlist("group"))
            },
            all_users="all_users" in sent,
            org_contacts="org_contacts" in sent,
            exclude=_once(sent.getlist("exclude")),
            filter={name: text(f"filter-{name}") for name in FILTER_ATTRIBUTES},
            contacts=[_json(one) for one in sent.getlist("contact")],
            typed={name: text(f"typed-{name}") for name in MANUAL_FIELDS},
            choice=text("choice") or "default",
            fields=[name for name in PUBLISHABLE if name in sent.getlist("fields")],
            rule=text("rule") or "anyone-with-id",
            tenants=text("tenants"),
            expires=text("expires"),
            ends=text("ends"),
            blocked=_once(sent.getlist("blocked")),
        )

    def act(self, do: str) -> bool:
        """Do what a button of the form says (`add-user:ID`); False if it is none of these.

        Raises `InvalidInput` for a hand-kept contact that is none.
        """
        what, _, id_ = do.partition(":")
        match what:
            case "add-user" if id_ not in self.users:
                self.users.append(id_)
            case "add-group":
                self.groups.setdefault(id_, "members")
            case "leave-out" if id_ not in self.exclude:
                self.exclude.append(id_)
            case "remove-user":
                self.users = [u for u in self.users if u != id_]
            case "remove-group":
                self.groups.pop(id_, None)
            case "remove-exclude":
                self.exclude = [u for u in self.exclude if u != id_]
            case "add-contact":
                self.contacts.append(self._manual_contact())
                self.typed = {}
            case "edit-contact" if id_.isdigit() and int(id_) < len(self.contacts):
                self.typed = _typed(self.contacts.pop(int(id_)))
            case "remove-contact" if id_.isdigit() and int(id_) < len(self.contacts):
                self.contacts.pop(int(id_))
            case _:
                return what in {"search", "add-user", "leave-out"}
        return True

    def input(self) -> ShareInput:
        """The share that is meant; raises `InvalidInput` that names the JSON path of each fault."""
        if any(self.typed.values()):
            self.act("add-contact")
        return validated(ShareInput, self._json())

    def _json(self) -> dict[str, Any]:
        values = {name: _lines(text) for name, text in self.filter.items() if _lines(text)}
        access: dict[str, Any] = {"rule": self.rule}
        if self.rule == "tenants":
            access["tenants"] = _lines(self.tenants)
        if self.expires:
            # People read "until" with the day in it; a day that was not touched ends as it did.
            same = self.ends.startswith(f"{self.expires}T")
            access["expires"] = self.ends if same else f"{self.expires}T23:59:59Z"
        return {
            "name": self.name,
            "sources": {
                "users": self.users,
                "groups": [{"id": id_, "as": as_} for id_, as_ in self.groups.items()],
                "allUsers": self.all_users,
                "orgContacts": self.org_contacts,
                "contacts": self.contacts,
                "exclude": self.exclude,
                "filter": values,
            },
            "fields": None if self.choice == "default" else self.fields,
            "access": access,
            "blocked": self.blocked,
        }

    def _manual_contact(self) -> dict[str, Any]:
        typed = {name: text.strip() for name, text in self.typed.items() if text.strip()}
        address, phone = typed.pop("emailAddress", ""), typed.pop("businessPhone", "")
        value: dict[str, Any] = {"displayName": "", **typed}
        if address:
            value["emailAddresses"] = [{"address": address}]
        if phone:
            value["businessPhones"] = [phone]
        try:
            kept = validated(ManualContact, value)
        except CallerError as error:
            error.errors = tuple(_of_typed(e) for e in error.errors)
            raise
        return kept.model_dump(by_alias=True, exclude_defaults=True)


def _of_typed(error: Any) -> Any:
    names = {"emailAddresses": "emailAddress", "businessPhones": "businessPhone"}
    first = error.field.split(".")[0]
    return type(error)(f"typed-{names.get(first, first)}", error.message)


def _typed(contact: Mapping[str, Any]) -> dict[str, str]:
    addresses, phones = contact.get("emailAddresses") or [{}], contact.get("businessPhones") or [""]
    return {
        **{name: str(contact.get(name) or "") for name in MANUAL_FIELDS},
        "emailAddress": str(addresses[0].get("address") or ""),
        "businessPhone": str(phones[0]),
    }


def _once(values: list[str]) -> list[str]:
    return list(dict.fromkeys(str(value) for value in values))


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _json(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
