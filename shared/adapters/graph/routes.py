"""The names of Graph requests in telemetry: their paths as templates, without ids.

Only Graph's own words are kept; every other part of a path may be an id.
"""

from typing import Final

WORDS: Final = frozenset(
    {
        "$batch",
        "$value",
        "childFolders",
        "contactFolders",
        "contacts",
        "delta",
        "directoryObjects",
        "getByIds",
        "groups",
        "mailboxSettings",
        "masterCategories",
        "microsoft.graph.orgContact",
        "microsoft.graph.user",
        "organization",
        "outlook",
        "photo",
        "transitiveMembers",
        "userPurpose",
        "users",
    }
)


def template(path: str) -> str:
    """Return the template of a path below the endpoint, such as /users/{id}/contactFolders."""
    return "/" + "/".join(map(_shown, path.partition("?")[0].strip("/").split("/")))


def _shown(part: str) -> str:
    """Return the template of one part; Graph's links may have users('…') instead of users/…."""
    word, bracket, _ = part.partition("(")
    if word not in WORDS:
        return "{id}"
    return f"{word}({{id}})" if bracket else word
