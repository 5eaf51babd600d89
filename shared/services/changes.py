"""What every change of an object needs: ETags, retries, the same 404."""

from collections.abc import Callable, Mapping
from typing import Final, Literal

from pydantic import BaseModel

from shared.adapters.storage.records import Records, Stored
from shared.domain.error_codes import Code
from shared.domain.errors import Busy, Conflict, NotFound, PayloadTooLarge, PreconditionFailed

MAX_STORED_BYTES: Final = 980_000
_TRIES: Final = 5

type Kind = Literal["share", "import", "run", "tenant", "license"]
"""The kinds of objects that `NotFound` distinguishes."""

_UNKNOWN: Final[Mapping[Kind, Code]] = {
    "share": "unknown_share",
    "import": "unknown_import",
    "run": "unknown_run",
    "tenant": "unknown_tenant",
    "license": "unknown_license",
}


async def change[T: BaseModel](
    records: Records[T],
    tenant: str,
    row: str,
    apply: Callable[[T], T],
    *,
    kind: Kind,
    if_match: str | None = None,
    new: Stored[T] | None = None,
) -> Stored[T]:
    """Replace a row with the result of `apply`. If `apply` returns the same object, write nothing.

    A row that does not exist counts as `new`, if that is given, and is then inserted.

    Raises `NotFound`, `PayloadTooLarge`, and `PreconditionFailed` if the row is not the version
    that If-Match names. Without If-Match, it retries a few times if the row was changed in between
    (for example by a run that updates its import), and then raises `Busy`.
    """
    for left in reversed(range(_TRIES)):
        known = await records.get(tenant, row)
        stored = found_in(known or new, kind, row)
        require_match(stored.etag, if_match)
        value = apply(stored.value)
        if value is stored.value:
            return stored
        require_storable(value)
        try:
            if known is None:
                return await records.insert(tenant, row, value)
            return await records.replace(tenant, row, value, stored.etag)
        except (Conflict, PreconditionFailed) as error:
            if if_match is not None and isinstance(error, PreconditionFailed):
                raise
            if not left:
                raise Busy(f"The {kind} keeps changing.", 1.0) from error
    raise AssertionError


def found_in[T: BaseModel](stored: Stored[T] | None, kind: Kind, id_: str) -> Stored[T]:
    """Return the object, or raise the same `NotFound` for a foreign and a missing one."""
    if stored is None:
        raise NotFound(_UNKNOWN[kind], id=id_[:64])
    return stored


def require_match(etag: str, if_match: str | None) -> None:
    """Raise `PreconditionFailed` unless If-Match is absent, '*' or names this ETag.

    Table storage's ETags are weak (`W/"…"`); the prefix is not compared.
    """
    if if_match is None or if_match.strip() == "*":
        return
    wanted = {part.strip().removeprefix("W/") for part in if_match.split(",")}
    if etag.removeprefix("W/") not in wanted:
        raise PreconditionFailed("changed_meanwhile")


def require_storable(value: BaseModel) -> None:
    """Raise `PayloadTooLarge` if an object does not fit into a row (1 MiB, counted in UTF-16)."""
    size = len(value.model_dump_json(by_alias=True).encode("utf-16-le"))
    if size > MAX_STORED_BYTES:
        raise PayloadTooLarge("object_too_large", size=size // 1024, limit=MAX_STORED_BYTES // 1024)
