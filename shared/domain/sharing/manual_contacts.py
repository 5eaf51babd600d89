"""Manual contacts: people and hotlines that are in no directory, stored in the share itself."""

import hashlib
from typing import Annotated, Any, Final

from pydantic import Field, StringConstraints

from shared.domain.contacts.keys import ContactKey, ContactKind
from shared.domain.contacts.mapping import clean
from shared.domain.model import Model, Name, ObjectId, Text

# Written out, because \s differs between dialects of regular expressions.
_PART: Final = r"[^@\s\x00-\x20\x7f-\xa0\u202a-\u202e\u2066-\u2069\ufeff]+"


class MailAddress(Model):
    """A mail address and its display name."""

    address: Annotated[
        str,
        StringConstraints(strip_whitespace=True, pattern=f"^{_PART}@{_PART}$", max_length=320),
    ]
    """The mail address, at most 320 characters."""
    name: Text | None = None
    """The name shown with the address, at most 500 characters."""


class PostalAddress(Model):
    """A postal address; every part is optional."""

    street: Text | None = None
    """Street and number, at most 500 characters."""
    city: Text | None = None
    """The city, at most 500 characters."""
    state: Text | None = None
    """The state or region, at most 500 characters."""
    postal_code: Text | None = None
    """The postal code, at most 500 characters."""
    country_or_region: Text | None = None
    """The country or region, at most 500 characters."""


type Phones = Annotated[list[Text], Field(max_length=2)]


class ManualContact(Model):
    """A contact that is not in the directory, such as a hotline; stored in the share itself.

    A contact with an `id` stays the same when its name or address changes. Without an `id`, its
    name and first mail address identify it.
    """

    id: ObjectId | None = None
    """An id of your choice, unique in the share. With it, the contact stays the same when its
    name or address changes."""
    display_name: Name
    """The full name, 1 to 200 characters."""
    given_name: Text | None = None
    """The first name."""
    middle_name: Text | None = None
    """The middle name."""
    surname: Text | None = None
    """The last name."""
    title: Text | None = None
    """The form of address, such as Dr."""
    company_name: Text | None = None
    """The company."""
    department: Text | None = None
    """The department."""
    job_title: Text | None = None
    """The job title."""
    office_location: Text | None = None
    """The office."""
    email_addresses: Annotated[list[MailAddress], Field(max_length=3)] = []
    """At most 3 mail addresses."""
    business_phones: Phones = []
    """At most 2 business phone numbers."""
    mobile_phone: Text | None = None
    """The mobile phone number."""
    home_phones: Phones = []
    """At most 2 private phone numbers."""
    fax: Text | None = None
    """The business fax number."""
    business_address: PostalAddress | None = None
    """The business address."""
    home_address: PostalAddress | None = None
    """The private address."""
    other_address: PostalAddress | None = None
    """Another address."""
    manager: Text | None = None
    """The name of the manager."""
    assistant_name: Text | None = None
    """The name of the assistant."""
    business_home_page: Text | None = None
    """The address of the website."""
    yomi_given_name: Text | None = None
    """The phonetic first name (Japanese)."""
    yomi_surname: Text | None = None
    """The phonetic last name (Japanese)."""
    yomi_company_name: Text | None = None
    """The phonetic company name (Japanese)."""
    im_addresses: Annotated[list[Text], Field(max_length=3)] = []
    """At most 3 chat addresses."""

    @property
    def key(self) -> ContactKey:
        """The contact's key, from its id or, without one, from its name and first mail address.

        Without an id, a new phone number updates the contact, and a new name replaces it.
        """
        if self.id:
            return ContactKey(ContactKind.MANUAL, self.id)
        address = self.email_addresses[0].address if self.email_addresses else ""
        identity = f"{self.display_name}\n{address}".casefold()
        digest = hashlib.blake2b(identity.encode(), digest_size=12).hexdigest()
        return ContactKey(ContactKind.MANUAL, digest)

    def fields(self) -> dict[str, Any]:
        """Return the contact's fields under Graph's names, without empty ones."""
        return clean(self.model_dump(by_alias=True, exclude={"id"}))[0]
