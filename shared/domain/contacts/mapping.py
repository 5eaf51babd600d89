"""How an object of a source becomes the fields of a contact: read, cleaned, cut and named.

Every contact that leaves here has a name that phones show, and nothing that Exchange rejects.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from shared.domain.contacts.cleaning import fitting, line
from shared.domain.contacts.fields import ROWS
from shared.domain.contacts.keys import ContactKey, ContactKind
from shared.domain.contacts.values import Directory, Fields, Reader


def map_source(kind: ContactKind, source: Directory, names: Iterable[str]) -> tuple[Fields, bool]:
    """Map an object of a source to contact fields; `names` are the published ones.

    Return the fields, and whether values were shortened or dropped because a contact cannot hold
    them. An object without a name is called by its mail address.
    """
    published = set(names)
    readers = [(name, reader) for name, reader in _readers(kind) if name in published]
    values = {name: reader.read(source) for name, reader in readers}
    fields, shortened = clean(values, source.get("mail"))
    dropped = any(reader.drops(source) for _, reader in readers if reader.drops is not None)
    return fields, shortened or dropped


def people_named(
    kind: ContactKind, source: Directory, fields: Fields
) -> dict[str, ContactKey | str]:
    """Return the other people named by the fields of a contact, by field.

    A person of the directory is named by key, a person typed into a manual contact by name.
    """
    found: dict[str, ContactKey | str] = {}
    for name, reader in _readers(kind):
        if name in fields and ROWS[name].names_a_person:
            id_ = reader.person(source) if reader.person is not None else None
            found[name] = ContactKey(ContactKind.USER, id_) if id_ else str(fields[name])
    return found


@cache
def _readers(kind: ContactKind) -> tuple[tuple[str, Reader], ...]:
    found = ((name, row.reader(kind)) for name, row in ROWS.items())
    return tuple((name, reader) for name, reader in found if reader is not None)


def clean(values: Mapping[str, Any], otherwise: object = None) -> tuple[Fields, bool]:
    """Convert values to the form that Graph accepts and returns, without empty ones.

    A contact gets a name, its `fileAs` and the name beside each mail address; `otherwise` is its
    name if no value gives one. Return the fields, and whether values were shortened or dropped.
    """
    fields: Fields = {}
    shortened = False
    for name, row in ROWS.items():
        given = values.get(name)
        if given is None or row.derived or (value := row.shape.clean(given)) is None:
            continue
        fits = row.shape.fit(value, row.limit)
        shortened |= fits != value
        if fits:
            fields[name] = fits
    if fields or otherwise:
        _complete_names(fields, otherwise)
    return fields, shortened


def _complete_names(fields: Fields, otherwise: object) -> None:
    given, surname = fields.get("givenName"), fields.get("surname")
    mails = fields.get("emailAddresses", ())
    if "displayName" not in fields:
        called = " ".join(part for part in (given, surname) if part)
        others = (fields.get(name) for name in ("companyName", "mobilePhone"))
        candidates = (called, *(mail["address"] for mail in mails), otherwise, *others, "?")
        fields["displayName"] = next(fitting(text) for each in candidates if (text := line(each)))
    display = fields["displayName"]
    if not given and not surname:
        # Phones show first name, last name or company only: a hotline would have no name.
        fields["givenName"] = display
    # Outlook sorts a contact by it, and does not sort one that lacks it.
    fields["fileAs"] = fitting(f"{surname}, {given}") if given and surname else display
    if mails:
        fields["emailAddresses"] = [mail | {"name": mail.get("name", display)} for mail in mails]
