"""Examples in the document: one for each field, and from these one for each object.

A field's example follows from its JSON name, since names mean the same everywhere; ids and times
follow from their format. The tests validate every example.
"""

from collections.abc import Mapping
from typing import Any, Final

type Schema = dict[str, Any]

_STEM: Final = "#/components/schemas/"
_ID: Final = "5f0c2b7a9d6e4c1f8a3b2c1d0e9f8a7b"
_RUN: Final = f"8227568799999-{_ID}-c"
_GUID: Final = "3f2b8c1e-6d47-4a0b-9c58-1e7d2f4a6b90"
_TIME: Final = "2026-03-02T06:00:00Z"
_NETWORK: Final = "203.0.113.0/24"
_PHONE: Final = "+49 89 1234567"
_SIGNING_KEY: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
_WORDS: Final = "Ask an admin of the publisher to grant consent again."
_FORMATS: Final = {"uuid": _GUID, "date-time": _TIME}

_TEXTS: Final[Mapping[str, str]] = {
    "action": "share.created",
    "actor": _GUID,
    "actorName": "Ada Lovelace",
    "actorTenant": "",
    "address": "ada@contoso.example",
    "after": "MDAwMDAwMDAwMDAwMDAxNw",
    "assistantName": "Grace Hopper",
    "businessHomePage": "https://contoso.example",
    "businessPhones": _PHONE,
    "by": _GUID,
    "category": "Sales",
    "categoryColor": "preset7",
    "cause": "Entra ID refused a token for your tenant.",
    "city": "Munich",
    "client": _GUID,
    "clientRequestId": _GUID,
    "code": "too_many_shares",
    "companyName": "Contoso",
    "confirm": "0a1b2c3d4e5f60718293a4b5",
    "confirmedBy": _GUID,
    "contact": "AAMkAGI2TAAA=",
    "country": "Germany",
    "countryOrRegion": "Germany",
    "department": "Sales",
    "detail": "You already have 500 shares. Delete one that you no longer need.",
    "digest": "0a1b2c3d4e5f60718293a4b5",
    "displayName": "Ada Lovelace",
    "domain": "contoso.example",
    "etag": "W/\"datetime'2026-03-02T06%3A00%3A00Z'\"",
    "expires": _TIME,
    "fax": _PHONE,
    "field": "sources.groups.0.id",
    "fields": "displayName",
    "firstRun": _RUN,
    "folder": "Contact Sync",
    "gaining": _GUID,
    "givenName": "Ada",
    "heldRun": _RUN,
    "host": "hooks.contoso.example",
    "homePhones": _PHONE,
    "id": _GUID,
    "imAddresses": "ada@contoso.example",
    "importId": _ID,
    "imports": _ID,
    "inEntra": "The enterprise application remains in Entra ID until an admin deletes it.",
    "instance": f"urn:uuid:{_ID}",
    "jobTitle": "Head of Sales",
    "key": f"user:{_GUID}",
    "lastRun": _RUN,
    "losing": _GUID,
    "mailbox": _GUID,
    "mailboxes": _GUID,
    "manager": "Grace Hopper",
    "message": "Must be a list.",
    "middleName": "King",
    "mobilePhone": "+49 170 1234567",
    "name": "Sales",
    "network": _NETWORK,
    "nextLink": "https://contacts.example/api/v1/shares?top=50&next=MDAwMDAwMDAwMDAwMDAxNw",
    "next": "MDAwMDAwMDAwMDAwMDAxNw",
    "of": "AAMkAGI2TAAA=",
    "officeLocation": "2.17",
    "origin": "api",
    "outside": _GUID,
    "partition": _ID,
    "partners": "Fabrikam",
    "path": "/licenses",
    "paused": _ID,
    "permission": "User.Read.All",
    "permissions": "User.Read.All",
    "person": _GUID,
    "postalCode": "80331",
    "question": "Can the app read users?",
    "region": "westeurope",
    "rejected": "ErrorInvalidProperty",
    "remainingMailboxes": _GUID,
    "remedy": _WORDS,
    "removalRun": _RUN,
    "requestId": _GUID,
    "retries": _RUN,
    "row": _ID,
    "runs": _RUN,
    "secret": _SIGNING_KEY,
    "shareId": "7c4e1f0a9b3d4286a5c0e8d1f2b6a394",
    "solution": _WORDS,
    "state": "Bavaria",
    "status": "ok",
    "street": "Marienplatz 1",
    "subject": _ID,
    "surname": "Lovelace",
    "table": "Shares",
    "tenant": _GUID,
    "tested": _GUID,
    "title": "Conflict",
    "type": "urn:contact-sync:problem:conflict",
    "unknown": _ID,
    "url": "https://hooks.contoso.example/contacts",
    "userType": "Member",
    "version": "1.0.0",
    "yomiCompanyName": "コントソ",
    "yomiGivenName": "エイダ",
    "yomiSurname": "ラブレス",
}
_FIXED: Final[Mapping[tuple[str, str], Any]] = {
    ("Access", "tenants"): [],
    ("Access", "rule"): "anyone_with_id",
    ("Access", "expires"): "2030-01-01T00:00:00Z",
    ("AccessPatch", "rule"): "tenant",
    ("AccessPatch", "tenants"): [],
    ("AccessPatch", "expires"): "never",
    ("Customer", "name"): "Contoso",
    ("Tenant", "name"): "Contoso",
    ("Share", "id"): _ID,
    ("Import", "id"): _ID,
    ("CreatedImport", "id"): _ID,
    ("Publication", "id"): _ID,
    ("Run", "id"): _RUN,
    ("RunDetails", "id"): _RUN,
    ("Confirmation", "detail"): "Nothing has been changed. To do it, repeat the call with confirm.",
    ("FieldProblem", "code"): "not_list",
    ("LedgerEntry", "detail"): {"name": "Sales"},
    ("PersonRemoval", "paused"): [],
    ("MailAddress", "name"): "Ada Lovelace",
    ("ManualContact", "title"): "Dr.",
    ("Problem", "status"): 409,
    ("RefusedRequest", "status"): 403,
    ("Run", "omitted"): {"no_email": 2},
    ("Run", "status"): "succeeded",
    ("RunDetails", "omitted"): {"no_email": 2},
    ("RunDetails", "status"): "succeeded",
    ("StoredRow", "value"): {"name": "Sales"},
}
"""Fields whose example does not follow from their name, because their object decides on them."""
_ABSENT: Final[Mapping[str, frozenset[str]]] = {"Problem": frozenset({"errors", "reason"})}
"""The fields that an object of this kind has only in cases other than its example's."""


def add_examples(components: dict[str, Schema]) -> None:
    """Give each field of each component an example, and each component one made of them."""
    for name, schema in components.items():
        for field, part in schema.get("properties", {}).items():
            if not _refers(part):
                part["examples"] = [_example(field, part, components, name)]
    for name, schema in components.items():
        whole, absent = _of_object(schema, components), _ABSENT.get(name, frozenset())
        schema["examples"] = [{field: whole[field] for field in whole if field not in absent}]


def example_of_parameter(name: str, schema: Schema) -> Any:
    """Return the example of a parameter."""
    return _example(name, schema, {}, "")


def _refers(part: Schema) -> bool:
    return "$ref" in part or "oneOf" in part or "$ref" in part.get("items", {})


def _of_object(schema: Schema, components: Mapping[str, Schema]) -> Any:
    if "properties" not in schema:
        return {}
    return {
        name: part["examples"][0] if "examples" in part else _example(name, part, components, "")
        for name, part in schema["properties"].items()
    }


def _example(name: str, part: Schema, components: Mapping[str, Schema], owner: str) -> Any:
    if (owner, name) in _FIXED:
        return _FIXED[owner, name]
    if "oneOf" in part:
        return _example(name, part["oneOf"][0], components, owner)
    if isinstance(reference := part.get("$ref"), str):
        return _of_object(components[reference.removeprefix(_STEM)], components)
    for known in ("x-extensible-enum", "enum"):
        if known in part:
            return part[known][0]
    if part.get("format") in _FORMATS:
        return _FORMATS[part["format"]]
    return _of_type(name, part, components, owner)


def _of_type(name: str, part: Schema, components: Mapping[str, Schema], owner: str) -> Any:
    kinds = part.get("type", "object")
    match kinds[0] if isinstance(kinds, list) else kinds:
        case "array":
            return [_example(name, part["items"], components, owner)]
        case "boolean":
            return part.get("default", True)
        case "integer" | "number":
            return part.get("default", part.get("minimum", 12))
        case "object":
            inner = part.get("properties", {}).items()
            return {field: _example(field, schema, components, name) for field, schema in inner}
        case _:
            return _TEXTS[name]
