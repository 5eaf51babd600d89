"""The values of a contact: its properties, and what Exchange takes for each.

Docs: contact. Limits: microsoft-graph-docs#15276.
"""

from collections.abc import Sequence
from typing import Any

from tests.local.graph.protocol import GraphError

type Json = dict[str, Any]

TEXTS = [
    "assistantName",
    "businessHomePage",
    "companyName",
    "department",
    "displayName",
    "fileAs",
    "generation",
    "givenName",
    "initials",
    "jobTitle",
    "manager",
    "middleName",
    "mobilePhone",
    "nickName",
    "officeLocation",
    "personalNotes",
    "profession",
    "spouseName",
    "surname",
    "title",
    "yomiCompanyName",
    "yomiGivenName",
    "yomiSurname",
    "birthday",
]
LISTS = ("businessPhones", "homePhones", "imAddresses", "children", "categories", "emailAddresses")
ADDRESSES = ("businessAddress", "homeAddress", "otherAddress")
BY_PLACE = ("primaryEmailAddress", "secondaryEmailAddress", "tertiaryEmailAddress")
"""Other names of the first three of `emailAddresses`; no document says how they are written."""
MOST = {"businessPhones": 2, "homePhones": 2, "emailAddresses": 3}
_ADDRESS_PARTS = {"street", "city", "state", "postalCode", "countryOrRegion", "type"}
EXTENDED = "singleValueExtendedProperties"
WRITABLE = frozenset((*TEXTS, *LISTS, *ADDRESSES, EXTENDED))
PROPERTIES = (
    "id",
    "createdDateTime",
    "lastModifiedDateTime",
    "changeKey",
    "parentFolderId",
    *TEXTS,
    *LISTS,
    *ADDRESSES,
    *BY_PLACE,
)


def checked(body: Json, before: Sequence[Json] = ()) -> Json:
    """Return the contact values of a body. Raises a 400 for values that Exchange refuses.

    `before` are the contact's mail addresses so far.
    """
    values: Json = {}
    for name, value in body.items():
        if "@odata" in name or name in {EXTENDED, "parentFolderId"} or name in BY_PLACE:
            continue
        if name not in WRITABLE:
            raise GraphError(
                400,
                "RequestBodyRead",
                f"The property '{name}' does not exist on type 'microsoft.graph.contact'.",
            )
        values[name] = _checked_value(name, value)
    if any(name in body for name in BY_PLACE):
        values["emailAddresses"] = _placed(body, values.get("emailAddresses") or before)
    return values


def _placed(body: Json, mails: Sequence[Json]) -> list[Json]:
    """Return the mail addresses with those set by the names of their places."""
    found: list[Json | None] = [*mails]
    for place, name in enumerate(BY_PLACE):
        if name in body:
            found += [None] * (place + 1 - len(found))
            found[place] = body[name]
    return [mail for mail in found if mail]


def _checked_value(name: str, value: Any) -> Any:
    wrong = GraphError(400, "RequestBodyRead", f"The value of '{name}' has the wrong type.")
    if name in TEXTS:
        if value is not None and not isinstance(value, str):
            raise wrong
        return value
    if name in ADDRESSES:
        if value is not None and not isinstance(value, dict):
            raise wrong
        if unknown := set(value or ()) - _ADDRESS_PARTS:
            raise GraphError(
                400,
                "RequestBodyRead",
                f"The property '{min(unknown)}' does not exist on 'physicalAddress'.",
            )
        return {part: text for part, text in (value or {}).items() if text}
    if value is not None and not isinstance(value, list):
        raise wrong
    items = list(value or ())
    kind = dict if name == "emailAddresses" else str
    if not all(isinstance(item, kind) for item in items):
        raise wrong
    texts = [v for item in items if isinstance(item, dict) for v in item.values()]
    if not all(text is None or isinstance(text, str) for text in texts):
        raise wrong
    if len(items) > MOST.get(name, 10_000):
        raise GraphError(
            400,
            "ErrorInvalidRequest",
            f"The collection '{name}' has more than {MOST[name]} entries.",
        )
    return items


def extended_of(body: Json) -> dict[str, str]:
    """Return the extended properties by id. The GUID in an id is not case-sensitive."""
    found: dict[str, str] = {}
    for item in body.get(EXTENDED) or ():
        id_, value = item.get("id"), item.get("value")
        if not isinstance(id_, str) or not isinstance(value, str):
            raise GraphError(400, "ErrorInvalidExtendedProperty", "An id and a value are needed.")
        found[extended_id(id_)] = value
    return found


def extended_id(id_: str) -> str:
    """Return an extended property's id in normal form. The name in it is case-sensitive."""
    kind, _, rest = id_.partition(" ")
    if "{" in rest:
        guid, _, name = rest.partition("} ")
        return f"{kind} {guid.lower()}}} {name}"
    return f"{kind} {rest.lower()}"


def computed_name(values: Json) -> str:
    """Return the display name that Outlook makes of a contact's parts."""
    parts = (values.get(name) for name in ("givenName", "middleName", "surname"))
    return " ".join(part for part in parts if part)
