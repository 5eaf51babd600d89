"""What changing an object has in common: merge patches, ETags, and one 404 for all."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from shared.adapters.records import Stored
from shared.domain.errors import NotFound, PreconditionFailed


def merge_patch(target: Any, patch: Any) -> Any:
    """Apply a JSON merge patch (RFC 7396): objects merge, all else replaces.

    null removes a list; elsewhere it stays null, since it is a value of its own for some fields
    (a destination's folder: the default one).
    """
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None and isinstance(merged.get(name), list):
            del merged[name]
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def found_in[T: BaseModel](stored: Stored[T] | None, kind: str, id_: str) -> Stored[T]:
    """The object, or `NotFound` in the same words whether it is foreign or does not exist."""
    if stored is None:
        raise NotFound(f"There is no {kind} {id_[:64]!r} in your tenant.")
    return stored


def require_match(etag: str, if_match: str | None) -> None:
    """Raise `PreconditionFailed` unless If-Match is absent, '*' or names this ETag."""
    if if_match is None or if_match.strip() == "*":
        return
    wanted = {part.strip().removeprefix("W/") for part in if_match.split(",")}
    if etag.removeprefix("W/") not in wanted:
        raise PreconditionFailed("It was changed since you read it: read it again and repeat.")
