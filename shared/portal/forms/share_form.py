"""The form of a share: one row for each setting, and a form within it for a manual contact.

Publishing and changing share it. What its buttons add and remove is here too.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Self

from shared.domain.contacts.fields import DEFAULT_FIELDS, PUBLISHABLE
from shared.domain.errors import InvalidInput
from shared.domain.sharing.shares import FILTER_ATTRIBUTES, ManualContact, ShareInput
from shared.domain.texts import N_
from shared.portal import rendering
from shared.portal.forms.fields import (
    ABSENT,
    FieldKind,
    Flag,
    FormField,
    Ids,
    LastDay,
    Line,
    Lines,
    Moment,
    Presence,
    Radios,
    Text,
    Ticks,
)
from shared.portal.forms.tables import TYPED, Draft, Form
from shared.portal.visits import Visit
from shared.web.validation import validated

_AS: Final = ("members", "contact", "both")
_LISTS: Final = {
    "add-user": ("user", True),
    "remove-user": ("user", False),
    "add-group": ("group", True),
    "remove-group": ("group", False),
    "leave-out": ("exclude", True),
    "remove-exclude": ("exclude", False),
}
"""The buttons that add an id to a field, or take it out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Groups(FieldKind):
    """Groups, each as `id as`; a page sends the ids, and how each is meant beside them."""

    many: ClassVar[bool] = True

    def text(self, value: Any) -> Text:
        """Id and meaning of each group."""
        return tuple(f"{group['id']} {group['as']}" for group in value or ())

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """The groups with their meanings."""
        del texts
        return [{"id": id_, "as": as_} for id_, as_ in (each.split(" ", 1) for each in text)]

    def read(self, sent: Any, name: str) -> Text | None:
        """The groups that were sent, each once; a meaning that is none is the first."""
        ids = dict.fromkeys(str(id_).replace(" ", "") for id_ in sent.getlist(name))
        given = {id_: str(sent.get(f"as-{id_}", "")) for id_ in ids}
        return tuple(f"{id_} {as_ if as_ in _AS else _AS[0]}" for id_, as_ in given.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contacts(FieldKind):
    """Manual contacts, each as the JSON that it is."""

    many: ClassVar[bool] = True

    def text(self, value: Any) -> Text:
        """The JSON of each contact, without what is empty."""
        return tuple(json.dumps(_pruned(each), sort_keys=True) for each in value or ())

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """The contacts."""
        del texts
        return [contact_of(each) for each in text]

    def read(self, sent: Any, name: str) -> Text | None:
        """All that were sent."""
        return tuple(str(each) for each in sent.getlist(name))


def _called(name: str) -> Callable[[Visit], str]:
    """What a contact's field is called."""
    return lambda visit: str(rendering.words("fields", visit.language, "shares/labels")[name])


def _typed(name: str, path: str = "") -> FormField:
    empty = "" if name == "displayName" else ABSENT
    return FormField(
        f"typed-{name}", path or name, Line(empty=empty), _called(name), group="contact"
    )


CONTACT: Final = Form(
    ManualContact,
    (
        _typed("displayName"),
        _typed("emailAddress", "emailAddresses.0.address"),
        _typed("businessPhone", "businessPhones.0"),
        _typed("mobilePhone"),
        _typed("companyName"),
        _typed("department"),
        _typed("jobTitle"),
        FormField("typed-kept", "", Line()),
    ),
)
"""The fields in which a manual contact is typed.

`typed-kept` carries the JSON of a contact that is edited, with all that the other fields do not
show.
"""

EVERYBODY: Final = "everybody"
"""The group of switches that each ask for all objects of a source."""

SHARE: Final = Form(
    ShareInput,
    (
        FormField(
            "name", "name", Line(), N_("Name"), N_("Partners also see this name."), group="name"
        ),
        FormField("user", "sources.users", Ids(), N_("People"), shown_at="sources"),
        FormField("group", "sources.groups", _Groups(), N_("Groups"), shown_at="sources"),
        FormField(
            "all_users",
            "sources.allUsers",
            Flag(),
            N_("Everyone in the directory"),
            N_("Except guests, disabled accounts and people hidden from address lists."),
            group=EVERYBODY,
        ),
        FormField(
            "org_contacts",
            "sources.orgContacts",
            Flag(),
            N_("The organization's mail contacts"),
            N_("External people that your administrators added in Exchange."),
            group=EVERYBODY,
        ),
        FormField(
            "exclude",
            "sources.exclude",
            Ids(),
            N_("Excluded people"),
            group="exclusions",
            shown_at="left-out",
        ),
        *(
            FormField(
                f"filter-{name}",
                f"sources.filter.{name}",
                Lines(),
                _called(name),
                group="filter",
                attributes={"rows": "2"},
            )
            for name in FILTER_ATTRIBUTES
        ),
        FormField(
            "contact",
            "sources.contacts",
            _Contacts(),
            N_("Manual contacts"),
            group="contacts",
            shown_at="manual-contacts",
        ),
        FormField(
            "choice",
            "fields",
            Presence(given="chosen", null="default"),
            N_("Contact details"),
            group="details",
            choices=(
                (
                    "default",
                    N_("Default"),
                    N_("All details except private ones, such as home phone and home address."),
                ),
                ("chosen", N_("Selected fields")),
            ),
        ),
        FormField(
            "fields",
            "fields",
            Ticks(),
            N_("Selected fields"),
            group="details",
            choices=tuple((name, _called(name)) for name in PUBLISHABLE),
            only_if=("choice", "chosen"),
            unset=DEFAULT_FIELDS,
        ),
        FormField(
            "rule",
            "access.rule",
            Radios(),
            N_("Organizations"),
            N_("Your own organization always has access."),
            group="access",
            choices=(
                ("tenant", N_("only your own organization")),
                ("tenants", N_("the organizations listed below")),
                ("anyone-with-id", N_("every organization that has the share ID")),
            ),
        ),
        FormField(
            "tenants",
            "access.tenants",
            Lines(),
            N_("Tenant IDs of the organizations, one per line"),
            N_(
                "Partners find their tenant ID in their settings here or in the Entra admin center."
            ),
            group="access",
            called=N_("Organizations"),
            only_if=("rule", "tenants"),
        ),
        FormField("ends", "access.expires", Moment(), group="access"),
        FormField(
            "expires",
            "access.expires",
            LastDay(stored="ends"),
            N_("Last day (leave empty for no end date)"),
            N_(
                "The share can be imported until midnight UTC of this day. After that, the next "
                "syncs remove the contacts."
            ),
            group="access",
            called=N_("Last day"),
        ),
        FormField("blocked", "blocked", Ids(), group="blocked"),
    ),
)


@dataclass(frozen=True, slots=True)
class ShareDraft:
    """A share as somebody fills in its form, and a manual contact that is not added yet.

    `searched` is the search whose results the form shows.
    """

    share: Draft[ShareInput]
    contact: Draft[ManualContact]
    search: str = ""
    searched: str = ""

    @classmethod
    def of(cls, share: Draft[ShareInput]) -> Self:
        """A form in which no contact is typed."""
        return cls(share, CONTACT.blank())

    @classmethod
    def read(cls, sent: Any) -> Self:
        """What was typed."""
        search, searched = (str(sent.get(name, "")) for name in ("search", "searched"))
        return cls(SHARE.read(sent), CONTACT.read(sent), search, searched)

    def pressed(self, do: str) -> Self | None:
        """The form after one of its buttons (`add-user:ID`); None if it is none of these.

        Raises `InvalidInput` for a manual contact that the model refuses.
        """
        what, _, id_ = do.partition(":")
        if what in _LISTS:
            name, add = _LISTS[what]
            text = f"{id_} {self.groups.get(id_, _AS[0])}" if name == "group" else id_
            return self._with(name, text) if add else self._without(name, text)
        if what == "add-contact":
            return self._with_contact()
        if what in {"edit-contact", "remove-contact"} and id_.isdecimal():
            return self._without_contact(int(id_), edit=what == "edit-contact")
        return self if what == "search" else None

    @property
    def groups(self) -> dict[str, str]:
        """What each chosen group stands for."""
        parts = (each.partition(" ") for each in self.share.many("group"))
        return {id_: as_ for id_, _, as_ in parts}

    @property
    def contacts(self) -> list[dict[str, Any]]:
        """The manual contacts."""
        return [contact_of(each) for each in self.share.many("contact")]

    def input(self) -> ShareInput:
        """The share that is meant; `InvalidInput` names the JSON path of each fault.

        A contact that is typed is added.
        """
        return (self._with_contact() if self._contact_typed else self).share.input()

    def named(self, name: str) -> Self:
        """The same with a name, if it has none yet."""
        if self.share.text("name").strip():
            return self
        return replace(self, share=self.share.typed(name=name))

    @property
    def _contact_typed(self) -> bool:
        return any(str(text).strip() for text in self.contact.texts.values())

    def _with(self, name: str, text: str) -> Self:
        now = self.share.many(name)
        if text in now:
            return self
        return replace(self, share=self.share.typed(**{name: (*now, text)}))

    def _without(self, name: str, text: str) -> Self:
        left = tuple(each for each in self.share.many(name) if each != text)
        return replace(self, share=self.share.typed(**{name: left}))

    def _with_contact(self) -> Self:
        try:
            contact = validated(ManualContact, _edited(self.contact))
        except InvalidInput as error:
            error.errors = tuple(
                replace(each, field=f"{TYPED}.{each.field}") for each in error.errors
            )
            raise
        added = _Contacts().text([contact.model_dump(mode="json", by_alias=True)])
        share = self.share.typed(contact=(*self.share.many("contact"), *added))
        return replace(self, share=share, contact=CONTACT.blank())

    def _without_contact(self, place: int, *, edit: bool) -> Self:
        if place >= len(self.contacts):
            return self
        form = self._with_contact() if edit and self._contact_typed else self
        now = list(form.share.many("contact"))
        taken = now.pop(place)
        contact = form.contact
        if edit:
            contact = CONTACT.of_json(contact_of(taken)).typed(**{"typed-kept": taken})
        return replace(form, share=form.share.typed(contact=tuple(now)), contact=contact)


def _edited(draft: Draft[ManualContact]) -> dict[str, Any]:
    """The JSON of a contact: what is typed, over what an edited contact has besides.

    Of a list, the form shows the first entry; the others stay.
    """
    contact, typed = contact_of(draft.text("typed-kept")), draft.json()
    for name in {row.path.partition(".")[0] for row in CONTACT.rows if row.path}:
        value, kept = typed.get(name), contact.pop(name, None)
        if isinstance(kept, list) and kept:
            value = [*(_over(each, kept[0]) for each in value or ()), *kept[1:]]
        if value is not None:
            contact[name] = value
    return contact


def _over(value: Any, kept: Any) -> Any:
    """A value with what an object before it has besides."""
    both = isinstance(value, dict) and isinstance(kept, dict)
    return {**kept, **value} if both else value


def contact_of(text: str) -> dict[str, Any]:
    """A manual contact of its JSON; empty if it is none."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _pruned(value: Any) -> Any:
    """A JSON value without nulls and empty lists."""
    if isinstance(value, dict):
        return {name: _pruned(each) for name, each in value.items() if each not in (None, [])}
    return [_pruned(each) for each in value] if isinstance(value, list) else value
