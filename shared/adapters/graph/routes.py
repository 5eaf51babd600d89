"""What a request to Graph is called in telemetry: its path as a template, without any id.

Only words of Graph's own are let through; everything else in a path is an id, or might be.
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
        "masterCategories",
        "microsoft.graph.orgContact",
        "microsoft.graph.user",
        "outlook",
        "photo",
        "transitiveMembers",
        "users",
    }
)


def template(path: str) -> str:
    """The template of a path below the endpoint, such as /users/{id}/contactFolders."""
    return "/" + "/".join(map(_shown, path.partition("?")[0].strip("/").split("/")))


def _shown(part: str) -> str:
    """A part of a path; Graph's own links may write users('…') for users/…."""
    word, bracket, _ = part.partition("(")
    if word not in WORDS:
        return "{id}"
    return f"{word}({{id}})" if bracket else word
