"""One rule per route: the options it takes, the type it answers with and the body it takes.

Docs: query-parameters and the page of each request. An option that Graph documents but the
simulator does not implement is missing here, so that it answers 400.
"""

from dataclasses import dataclass
from typing import Final

_DIRECTORY_LIST: Final = frozenset(
    {"$select", "$filter", "$orderby", "$expand", "$top", "$count", "$search", "$skiptoken"}
)
_DIRECTORY_DELTA: Final = frozenset({"$select", "$filter", "$deltatoken", "$skiptoken"})
_OUTLOOK_LIST: Final = frozenset({"$select", "$filter", "$orderby", "$top", "$skip", "$count"})
_ONE: Final = frozenset({"$select", "$expand"})
_COUNT: Final = frozenset({"$filter", "$search"})
_NONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Rule:
    """What a route takes. `type` is what it answers with; '' if that is no object of Graph.

    `context` is the end of the answer's `@odata.context`, with the names of the route's values in
    braces; '' if there is none. `body` is the type of a JSON body, 'bytes' for an image, '' for
    none. `relations` are those that `$select` may name (docs: user-delta, group-delta).
    """

    type: str
    options: frozenset[str] = _NONE
    context: str = ""
    body: str = ""
    directory: bool = False
    many: bool = False
    relations: frozenset[str] = _NONE


def _list(type_: str, context: str) -> Rule:
    return Rule(type_, _DIRECTORY_LIST, context, directory=True, many=True)


def _one(type_: str, context: str) -> Rule:
    return Rule(type_, _ONE, f"{context}/$entity", directory=True)


def _delta(type_: str, context: str, *relations: str) -> Rule:
    names = frozenset(relations)
    return Rule(type_, _DIRECTORY_DELTA, context, directory=True, many=True, relations=names)


def _count(type_: str) -> Rule:
    return Rule(type_, _COUNT, directory=True)


_USER: Final = "/users/{id}"
_FOLDER: Final = f"{_USER}/contactFolders/{{id}}"
_CATEGORIES: Final = f"{_USER}/outlook/masterCategories"
_IN_USER: Final = "users('{user}')"
_IN_FOLDER: Final = "users('{user}')/contactFolders('{folder}')"

RULES: Final[dict[str, Rule]] = {
    "GET /organization": Rule(
        "organization", frozenset({"$select"}), "organization", directory=True, many=True
    ),
    "GET /users": _list("user", "users"),
    "GET /users/{id}": _one("user", "users"),
    "GET /users/{id}/manager": Rule(
        "user", frozenset({"$select"}), "directoryObjects/$entity", directory=True
    ),
    "GET /groups": _list("group", "groups"),
    "GET /groups/{id}": _one("group", "groups"),
    "GET /contacts": _list("orgContact", "contacts"),
    "GET /contacts/{id}": _one("orgContact", "contacts"),
    "GET /users/delta": _delta("user", "users", "manager"),
    "GET /groups/delta": _delta("group", "groups", "members"),
    "GET /contacts/delta": _delta("orgContact", "contacts"),
    "GET /users/$count": _count("user"),
    "GET /groups/$count": _count("group"),
    "GET /contacts/$count": _count("orgContact"),
    "POST /directoryObjects/getByIds": Rule(
        "directoryObject",
        frozenset({"$select"}),
        "directoryObjects",
        body="getByIds",
        directory=True,
        many=True,
    ),
    f"GET {_CATEGORIES}": Rule(
        "outlookCategory", context=f"{_IN_USER}/outlook/masterCategories", many=True
    ),
    f"POST {_CATEGORIES}": Rule(
        "outlookCategory",
        context=f"{_IN_USER}/outlook/masterCategories/$entity",
        body="outlookCategory",
    ),
    f"DELETE {_CATEGORIES}/{{id}}": Rule(""),
    f"GET {_USER}/mailboxSettings/userPurpose": Rule(
        "", context=f"{_IN_USER}/mailboxSettings/userPurpose"
    ),
    f"GET {_USER}/photo/$value": Rule(""),
    f"GET {_USER}/photo": Rule("profilePhoto", context=f"{_IN_USER}/photo/$entity"),
}
for _which in ("members", "transitiveMembers"):
    _path = f"/groups/{{id}}/{_which}"
    RULES[f"GET {_path}"] = _list("directoryObject", "directoryObjects")
    for _cast, _of in (("user", "users"), ("group", "groups"), ("orgContact", "contacts")):
        RULES[f"GET {_path}/microsoft.graph.{_cast}"] = _list(_cast, _of)

for _path, _context in (
    (f"{_USER}/contactFolders", f"{_IN_USER}/contactFolders"),
    (f"{_FOLDER}/childFolders", f"{_IN_FOLDER}/childFolders"),
):
    RULES[f"GET {_path}"] = Rule("contactFolder", _OUTLOOK_LIST, _context, many=True)
    RULES[f"GET {_path}/$count"] = Rule("contactFolder", frozenset({"$filter"}))
    RULES[f"POST {_path}"] = Rule("contactFolder", _NONE, f"{_context}/$entity", "contactFolder")
RULES[f"GET {_FOLDER}"] = Rule("contactFolder", _ONE, f"{_IN_USER}/contactFolders/$entity")
RULES[f"PATCH {_FOLDER}"] = Rule(
    "contactFolder", _NONE, f"{_IN_USER}/contactFolders/$entity", "contactFolder"
)
RULES[f"DELETE {_FOLDER}"] = Rule("")
RULES[f"POST {_FOLDER}/permanentDelete"] = Rule("")

for _place, _context in ((_USER, f"{_IN_USER}/contacts"), (_FOLDER, f"{_IN_FOLDER}/contacts")):
    _all, _entity = f"{_place}/contacts", f"{_context}/$entity"
    _each = f"{_all}/{{id}}"
    RULES[f"GET {_all}"] = Rule("contact", _OUTLOOK_LIST, _context, many=True)
    RULES[f"GET {_all}/$count"] = Rule("contact", frozenset({"$filter"}))
    RULES[f"GET {_all}/delta"] = Rule(
        "contact",
        frozenset({"$select", "$expand", "$deltatoken", "$skiptoken"}),
        "Collection(contact)",
        many=True,
    )
    RULES[f"POST {_all}"] = Rule("contact", _NONE, _entity, "contact")
    RULES[f"GET {_each}"] = Rule("contact", _ONE, _entity)
    RULES[f"PATCH {_each}"] = Rule("contact", _NONE, _entity, "contact")
    RULES[f"DELETE {_each}"] = Rule("")
    RULES[f"POST {_each}/permanentDelete"] = Rule("")
    RULES[f"GET {_each}/photo"] = Rule(
        "profilePhoto", context=f"{_context}('{{contact}}')/photo/$entity"
    )
    RULES[f"GET {_each}/photo/$value"] = Rule("")
    RULES[f"PUT {_each}/photo/$value"] = Rule("", body="bytes")
    RULES[f"PATCH {_each}/photo/$value"] = Rule("", body="bytes")

_FOLDED: Final = {name.casefold(): rule for name, rule in RULES.items()}


def rule_of(route: str) -> Rule | None:
    """Return the rule of a route, such as `GET /users/{id}`, in any case."""
    return RULES.get(route) or _FOLDED.get(route.casefold())
