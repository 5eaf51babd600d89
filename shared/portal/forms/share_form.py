"""The form of a share: one row for each setting, and an inner form for a manual contact.

Publishing and editing use it. Its buttons, which add and remove entries, are here as well.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Self

from shared.domain.contacts.fields import ALWAYS_PUBLISHED, DEFAULT_FIELDS, PUBLISHABLE
from shared.domain.errors import InvalidInput
from shared.domain.sharing.manual_contacts import ManualContact
from shared.domain.sharing.shares import FILTER_ATTRIBUTES, ShareInput
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

_SELECTABLE: Final = tuple(name for name in PUBLISHABLE if name not in ALWAYS_PUBLISHED)
_AS: Final = ("members", "contact", "both")
_LISTS: Final = {
    "add-user": ("user", True),
    "remove-user": ("user", False),
    "add-group": ("group", True),
    "remove-group": ("group", False),
    "leave-out": ("exclude", True),
    "remove-exclude": ("exclude", False),
}
"""The buttons that add an id to a field, or remove it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Groups(FieldKind):
    """Groups, each as `id as`; a page sends the `as` of each group in its own field."""

    many: ClassVar[bool] = True

    def text(self, value: Any) -> Text:
        """Return each group as `id as`."""
        return tuple(f"{group['id']} {group['as']}" for group in value or ())

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """Return the groups."""
        del texts
        return [{"id": id_, "as": as_} for id_, as_ in (each.split(" ", 1) for each in text)]

    def read(self, sent: Any, name: str) -> Text | None:
        """Return the sent groups without duplicates; an invalid `as` becomes the first one."""
        ids = dict.fromkeys(str(id_).replace(" ", "") for id_ in sent.getlist(name))
        given = {id_: str(sent.get(f"as-{id_}", "")) for id_ in ids}
        return tuple(f"{id_} {as_ if as_ in _AS else _AS[0]}" for id_, as_ in given.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contacts(FieldKind):
    """Manual contacts, each as JSON."""

    many: ClassVar[bool] = True

    def text(self, value: Any) -> Text:
        """Return the JSON of each contact, without empty values."""
        return tuple(json.dumps(_pruned(each), sort_keys=True) for each in value or ())

    def json(self, text: Any, texts: Mapping[str, Text]) -> Any:
        """Return the contacts."""
        del texts
        return [contact_of(each) for each in text]

    def read(self, sent: Any, name: str) -> Text | None:
        """Return all that were sent."""
        return tuple(str(each) for each in sent.getlist(name))


def _called(name: str) -> Callable[[Visit], str]:
    """Return the function that gives the label of a contact's field."""
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
"""The group of switches that include all objects of a source."""

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
                ("chosen", N_("Selected fields"), N_("Names are always included.")),
            ),
        ),
        FormField(
            "fields",
            "fields",
            Ticks(),
            N_("Selected fields"),
            group="details",
            choices=tuple((name, _called(name)) for name in _SELECTABLE),
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
                ("anyone_with_id", N_("every organization that has the share ID")),
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
        FormField(
            "approval",
            "access.approval",
            Flag(),
            N_("New companies wait for your approval"),
            N_("A company that imports the share receives no contact until you approve it."),
            group="access",
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
    """The form of a share as it is filled in, and a manual contact that is not added yet.

    `searched` is the search whose results the form shows.
    """

    share: Draft[ShareInput]
    contact: Draft[ManualContact]
    search: str = ""
    searched: str = ""

    @classmethod
    def of(cls, share: Draft[ShareInput]) -> Self:
        """Return the form with an empty manual contact."""
        return cls(share, CONTACT.blank())

    @classmethod
    def read(cls, sent: Any) -> Self:
        """Read a sent form."""
        search, searched = (str(sent.get(name, "")) for name in ("search", "searched"))
        return cls(SHARE.read(sent), CONTACT.read(sent), search, searched)

    def pressed(self, do: str) -> Self | None:
        """Return the form after a button was pressed (`add-user:ID`); None for an unknown button.

        Raises `InvalidInput` for a manual contact that the model rejects.
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
        """The selected groups: what each is published as, by id."""
        parts = (each.partition(" ") for each in self.share.many("group"))
        return {id_: as_ for id_, _, as_ in parts}

    @property
    def contacts(self) -> list[dict[str, Any]]:
        """The manual contacts."""
        return [contact_of(each) for each in self.share.many("contact")]

    def input(self) -> ShareInput:
        """Return the share; a typed contact is added.

        Raises `InvalidInput` with the JSON path of each error.
        """
        return (self._with_contact() if self._contact_typed else self).share.input()

    def named(self, name: str) -> Self:
        """Return the form with a name if it has none yet."""
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
    """Return the JSON of a contact: the typed fields, and the other fields of an edited contact.

    The form shows only the first entry of a list; the others are kept.
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
    """Return a value; if both are objects, with the other members of the kept one."""
    both = isinstance(value, dict) and isinstance(kept, dict)
    return {**kept, **value} if both else value


def contact_of(text: str) -> dict[str, Any]:
    """Parse the JSON of a manual contact; empty if it is not an object."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _pruned(value: Any) -> Any:
    """Return a JSON value without nulls and empty lists."""
    if isinstance(value, dict):
        return {name: _pruned(each) for name, each in value.items() if each not in (None, [])}
    return [_pruned(each) for each in value] if isinstance(value, list) else value
