"""The questions of the probe: each asks for one assumption and says what the answer means.

An assumption is what the app would like; the app works either way (`shared/adapters/graph`).
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from httpx import codes

from tests.probe.outside import MARK, NAME, OTHER_MARK, Outside, ProbeError

_PARTS: Final = ("street", "city", "state", "postalCode", "countryOrRegion")
_FULL: Final = dict.fromkeys(_PARTS, "Old")
_ADVANCED: Final = {"ConsistencyLevel": "eventual"}
_DELTA_FIELDS: Final = ("displayName", "givenName", "jobTitle", "categories", "emailAddresses")
_JPEG: Final = bytes.fromhex("ffd8ffe000104a46494600010100000100010000") + b"\xfb\xff\xbf" * 9
_TRIES: Final = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the answer was, and whether the assumption holds; None if it could not be asked."""

    holds: bool | None
    answer: str


type Ask = Callable[[Outside], Awaitable[Verdict]]


@dataclass(frozen=True, slots=True)
class Question:
    """One question: what is assumed, and what it means for the app if that does not hold."""

    name: str
    assumption: str
    otherwise: str
    ask: Ask


QUESTIONS: Final[list[Question]] = []


def _question(assumption: str, otherwise: str) -> Callable[[Ask], Ask]:
    def add(ask: Ask) -> Ask:
        QUESTIONS.append(Question(ask.__name__, assumption, otherwise, ask))
        return ask

    return add


@_question("An address is cleared by null", "An address is never sent as null, but as five parts")
async def null_address(outside: Outside) -> Verdict:
    contact = await outside.contact(await outside.folder(), businessAddress=_FULL)
    answer = await outside.send("PATCH", contact, {"businessAddress": None})
    return Verdict(answer.ok and not await _address(outside, contact), str(answer))


@_question(
    "The parts of an address are cleared by null",
    "Parts are cleared by empty texts",
)
async def null_parts(outside: Outside) -> Verdict:
    contact = await outside.contact(await outside.folder(), businessAddress=_FULL)
    answer = await outside.send("PATCH", contact, {"businessAddress": dict.fromkeys(_PARTS)})
    return Verdict(answer.ok and not await _address(outside, contact), str(answer))


@_question(
    "An address replaces the one before", "Addresses are merged: all five parts are always sent"
)
async def partial_address(outside: Outside) -> Verdict:
    contact = await outside.contact(await outside.folder(), businessAddress=_FULL)
    await outside.send("PATCH", contact, {"businessAddress": {"city": "New"}})
    found = await _address(outside, contact)
    return Verdict(found == {"city": "New"}, f"parts left: {len(found)}")


@_question(
    "A group without organizational contacts lists none",
    "Such a group answers 400, which counts as none",
)
async def org_contacts_of_groups(outside: Outside) -> Verdict:
    groups = [g for g in (outside.given.security_group, outside.given.m365_group) if g]
    if not groups:
        return Verdict(None, "no group was given")
    cast = "transitiveMembers/microsoft.graph.orgContact?$count=true&$top=999&$select=id"
    found = [
        await outside.send("GET", f"/groups/{group}/{cast}", None, _ADVANCED) for group in groups
    ]
    return Verdict(all(answer.ok for answer in found), ", ".join(map(str, found)))


@_question(
    "getByIds returns the mail of users with User.Read.All",
    "Users are read with a filter on their ids",
)
async def mail_by_ids(outside: Outside) -> Verdict:
    body = {"ids": [await _user_id(outside), str(uuid4())], "types": ["user"]}
    answer = await outside.send("POST", "/directoryObjects/getByIds?$select=id,mail", body)
    mails = [bool(user.get("mail")) for user in answer.value]
    return Verdict(mails == [True], f"{answer}, with mail: {sum(mails)} of {len(mails)}")


@_question("getByIds refuses an id that is not a GUID", "A malformed id is ignored in silence")
async def malformed_ids(outside: Outside) -> Verdict:
    body = {"ids": ["x"], "types": ["user"]}
    answer = await outside.send("POST", "/directoryObjects/getByIds", body)
    return Verdict(answer.status == 400, str(answer))


@_question(
    "A folder can be deleted although one of the same name was deleted before",
    "An empty folder of ours may have to stay",
)
async def delete_folder_twice(outside: Outside) -> Verdict:
    first = await outside.send("DELETE", await outside.folder(f"{NAME} twice"))
    if not first.ok:
        return Verdict(holds=False, answer=str(first))
    again = await outside.folder(f"{NAME} twice")
    second = await outside.send("DELETE", again)
    listed = await outside.send("GET", f"{outside.box}/contactFolders?$top=100")
    gone = all(folder["displayName"] != f"{NAME} twice" for folder in listed.value)
    return Verdict(first.ok and second.ok and gone, f"{first}, {second}, gone: {gone}")


@_question(
    "A deleted folder answers 404",
    "It lives on in Deleted Items under its id: its parent is checked before a write",
)
async def deleted_folder(outside: Outside) -> Verdict:
    folder = await outside.folder(f"{NAME} deleted")
    await outside.send("DELETE", folder)
    one = await outside.send("GET", f"{folder}?$select=id,parentFolderId,displayName")
    delta = await outside.send("GET", f"{folder}/contacts/delta?$select=id")
    return Verdict(one.status == delta.status == 404, f"{one}, delta {delta}")


@_question(
    "The name of a mail address stays as written",
    "Graph shows the directory's name, so names of addresses are not compared",
)
async def mail_names(outside: Outside) -> Verdict:
    user = await outside.send("GET", f"{outside.box}?$select=mail")
    if not user.ok or not user.body.get("mail"):
        return Verdict(None, f"the user's mail is not readable: {user}")
    mails = [{"name": "As written", "address": user.body["mail"]}]
    contact = await outside.contact(await outside.folder(), emailAddresses=mails)
    shown = (await outside.send("GET", f"{contact}?$select=emailAddresses")).body
    names = [mail.get("name") for mail in shown.get("emailAddresses", ())]
    return Verdict(names == ["As written"], "as written" if names == ["As written"] else "changed")


@_question(
    "A changed contact has every selected property in a delta",
    "A property that is missing in a delta does not count as empty",
)
async def whole_delta_items(outside: Outside) -> Verdict:
    folder = await outside.folder()
    contact = await outside.contact(folder, givenName="Given")
    link = await outside.links(folder, _DELTA_FIELDS)
    seen: list[bool] = []
    for change in (
        {"jobTitle": "New"},
        {"categories": [NAME]},
        {"singleValueExtendedProperties": [{"id": MARK, "value": "v"}]},
    ):
        await outside.send("PATCH", contact, change)
        items, link = await outside.changes(link)
        seen += [set(_DELTA_FIELDS) <= set(item) for item in items]
    return Verdict(len(seen) == 3 and all(seen), f"{sum(seen)} of {len(seen)} items are whole")


@_question(
    "A deleted contact has the id that it was created with",
    "Removals are unseen until the full read",
)
async def removed_id(outside: Outside) -> Verdict:
    folder = await outside.folder()
    contact = await outside.send("POST", f"{folder}/contacts", {"displayName": NAME})
    link = await outside.links(folder)
    await outside.send("DELETE", f"{folder}/contacts/{contact.body['id']}")
    items, _ = await outside.changes(link)
    ids = [item["id"] for item in items if "@removed" in item]
    return Verdict(ids == [contact.body["id"]], f"{len(ids)} removals, same id: {bool(ids)}")


@_question(
    "A contact is found by its mark at once, in any case",
    "An uncertain create can be sent twice; the next delta removes the duplicate",
)
async def marks_at_once(outside: Outside) -> Verdict:
    folder = await outside.folder()
    mark = [{"id": MARK, "value": "key"}]
    await outside.contact(folder, singleValueExtendedProperties=mark)
    wanted = f"singleValueExtendedProperties/Any(ep: ep/id eq '{MARK}' and ep/value eq 'KEY')"
    tries = 1
    answer = await outside.send("GET", f"{folder}/contacts?$filter={wanted}&$select=id")
    while answer.ok and not answer.value and tries < _TRIES:
        await asyncio.sleep(1)
        tries += 1
        answer = await outside.send("GET", f"{folder}/contacts?$filter={wanted}&$select=id")
    found = len(answer.value)
    return Verdict(tries == found == 1, f"{answer}, {found} found at attempt {tries}")


@_question("Two marks of a contact are read in one request", "Each mark is read by itself")
async def two_marks(outside: Outside) -> Verdict:
    marks = [{"id": MARK, "value": "a"}, {"id": OTHER_MARK, "value": "b"}]
    contact = await outside.contact(await outside.folder(), singleValueExtendedProperties=marks)
    expand = f"$filter=id eq '{MARK}' or id eq '{OTHER_MARK}'"
    answer = await outside.send(
        "GET", f"{contact}?$select=id&$expand=singleValueExtendedProperties({expand})"
    )
    body = answer.body if answer.ok else {}
    ids = [mark.get("id") for mark in body.get("singleValueExtendedProperties", ())]
    return Verdict(len(ids) == 2 and all(ids), f"{answer}, {len(ids)} marks")


@_question("A category that exists answers 409", "Any refusal of a category counts as 'exists'")
async def category_exists(outside: Outside) -> Verdict:
    place = f"{outside.box}/outlook/masterCategories"
    body = {"displayName": NAME, "color": "preset7"}
    first = await outside.send("POST", place, body)
    if first.status == 201:
        outside.created(f"{place}/{first.body['id']}")
    second = await outside.send("POST", place, body)
    lower = await outside.send("POST", place, {**body, "displayName": NAME.lower()})
    if lower.status == 201:
        outside.created(f"{place}/{lower.body['id']}")
    holds = first.status == 201 and second.status == lower.status == 409
    return Verdict(holds, f"{first}, again {second}, lower case {lower}")


@_question("Lists and an extended text are cleared by empty values", "An empty fax line may stay")
async def empty_values(outside: Outside) -> Verdict:
    lists: dict[str, Any] = {"businessPhones": ["1"], "homePhones": ["2"]}
    fax = {"id": "String 0x3A24", "value": "1"}
    contact = await outside.contact(
        await outside.folder(), **lists, singleValueExtendedProperties=[fax]
    )
    no_lists: dict[str, Any] = {name: [] for name in lists}
    empty = {**no_lists, "singleValueExtendedProperties": [{**fax, "value": ""}]}
    answer = await outside.send("PATCH", contact, empty)
    shown = (await outside.send("GET", contact)).body or {}
    cleared = all(shown.get(name) == [] for name in lists)
    return Verdict(answer.ok and cleared, f"{answer}, lists are empty: {cleared}")


@_question("Texts of 1,000 characters are kept whole", "Texts are cut at 255 characters")
async def long_texts(outside: Outside) -> Verdict:
    text = "x" * 1_000
    folder = await outside.folder()
    answer = await outside.send(
        "POST", f"{folder}/contacts", {"displayName": NAME, "jobTitle": text}
    )
    kept = len(str(answer.body.get("jobTitle"))) if answer.ok else 0
    return Verdict(kept == len(text), f"{answer}, {kept} characters")


@_question(
    "A malformed mail address is refused or shown", "It disappears, so it is left out and reported"
)
async def malformed_address(outside: Outside) -> Verdict:
    folder = await outside.folder()
    mails = [{"name": "A", "address": "a at x.example"}]
    answer = await outside.send(
        "POST", f"{folder}/contacts", {"displayName": NAME, "emailAddresses": mails}
    )
    shown = (answer.body.get("emailAddresses") or []) if answer.ok else []
    kept = any(mail.get("address") for mail in shown)
    return Verdict(answer.status == 400 or kept, f"{answer}, shown: {kept}")


@_question("A photo in a batch is standard base64", "A photo is sent in the URL's alphabet")
async def photo_in_batch(outside: Outside) -> Verdict:
    contact = await outside.contact(await outside.folder())
    path = f"{contact}/photo/$value"
    (put,) = await outside.batch(("PUT", path, _JPEG, {"Content-Type": "image/jpeg"}))
    read = await outside.send("GET", path)
    return Verdict(put.ok and read.ok, f"PUT {put}, GET {read}, same: {read.content == _JPEG}")


@_question(
    "A delta link that is not valid answers 410 or SyncStateNotFound",
    "Other codes also count as an expired link",
)
async def dead_link(outside: Outside) -> Verdict:
    folder = await outside.folder()
    answer = await outside.send("GET", f"{folder}/contacts/delta?$deltatoken=nonsense")
    return Verdict(answer.status == 410 or "SyncStateNotFound" in answer.code, str(answer))


@_question("A malformed id of a contact answers 404", "A 400 for an id also counts as gone")
async def malformed_contact(outside: Outside) -> Verdict:
    answer = await outside.send("GET", f"{outside.box}/contacts/nonsense")
    return Verdict(answer.status == 404, str(answer))


@_question(
    "The default folder has a well-known name",
    "Its id is read from one of its contacts",
)
async def default_folder(outside: Outside) -> Verdict:
    answer = await outside.send("GET", f"{outside.box}/contactFolders/contacts")
    return Verdict(answer.ok, str(answer))


@_question("Users with their managers come 999 to a page", "They come 100 to a page")
async def users_with_managers(outside: Outside) -> Verdict:
    counted = await outside.send("GET", "/users?$select=id&$top=1&$count=true", None, _ADVANCED)
    total = int((counted.body or {}).get("@odata.count") or 0)
    if total <= 100:
        return Verdict(None, f"the tenant has only {total} users")
    answer = await outside.send("GET", "/users?$select=id&$expand=manager($select=id)&$top=999")
    return Verdict(len(answer.value) == min(total, 999), f"{answer}, {len(answer.value)} users")


@_question(
    "permanentDelete removes a contact", "Contacts go to Deleted Items, as by a plain DELETE"
)
async def permanent_delete(outside: Outside) -> Verdict:
    contact = await outside.contact(await outside.folder())
    answer = await outside.send("POST", f"{contact}/permanentDelete")
    gone = (await outside.send("GET", contact)).status == 404
    return Verdict(answer.ok and gone, f"{answer}, gone: {gone}")


@_question(
    "Delta shows a contact that was moved out of its folder and back",
    "Contacts that left are looked for by their ids",
)
async def moved_contact(outside: Outside) -> Verdict:
    if outside.by_hand is None:
        return Verdict(None, "v1.0 cannot move a contact: --by-hand asks for it")
    folder = await outside.folder(name := f"{NAME} {uuid4()}")
    contact = await outside.contact(folder)
    link = await outside.links(folder, _DELTA_FIELDS)
    await outside.by_hand(contact, name)
    items = (await outside.send("GET", link)).value
    shown = [item for item in items if "@removed" not in item]
    return Verdict(bool(shown), f"shown: {len(shown)}, as removed: {len(items) - len(shown)}")


@_question(
    "A contact is found by its id in any folder, also in Deleted Items",
    "A contact that comes back shows in the next whole read",
)
async def contact_anywhere(outside: Outside) -> Verdict:
    contact = await outside.contact(await outside.folder())
    anywhere = f"{outside.box}/contacts/{contact.rpartition('/')[2]}?$select=id,parentFolderId"
    outside.created(anywhere.partition("?")[0])
    first = await outside.send("GET", anywhere)
    await outside.send("DELETE", contact)
    then = await outside.send("GET", anywhere)
    return Verdict(first.ok and then.ok, f"{first}; deleted: {then}")


@_question("A contact's id of another mailbox answers 404", "Such a 400 counts as 404")
async def foreign_contact(outside: Outside) -> Verdict:
    other = outside.given.other_mailbox
    if not other:
        return Verdict(None, "no other mailbox was given")
    found = await outside.send("GET", f"/users/{other}/contacts?$select=id&$top=1")
    if not found.value:
        return Verdict(None, f"the other mailbox shows no contact: {found}")
    answer = await outside.send("GET", f"{outside.box}/contacts/{found.value[0]['id']}")
    return Verdict(answer.status == codes.NOT_FOUND, str(answer))


@_question("A user without a mailbox answers MailboxNotEnabledForRESTAPI", "Other codes are known")
async def no_mailbox(outside: Outside) -> Verdict:
    if not outside.given.no_mailbox:
        return Verdict(None, "no user without a mailbox was given")
    answer = await outside.send("GET", f"/users/{outside.given.no_mailbox}/contactFolders")
    return Verdict(answer.code == "MailboxNotEnabledForRESTAPI", str(answer))


async def _address(outside: Outside, contact: str) -> dict[str, str]:
    """Return the parts of a contact's business address that have a value."""
    answer = await outside.send("GET", f"{contact}?$select=businessAddress")
    if not answer.ok:
        message = f"the contact is not readable: {answer}"
        raise ProbeError(message)
    parts = answer.body.get("businessAddress") or {}
    return {name: text for name, text in parts.items() if text and name in _PARTS}


async def _user_id(outside: Outside) -> str:
    answer = await outside.send("GET", f"{outside.box}?$select=id")
    if not answer.ok:
        message = f"the user is not readable: {answer}"
        raise ProbeError(message)
    return str(answer.body["id"])
