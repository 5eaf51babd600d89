"""Reads the photos of users and their etags, each on its own: a failure stops none of the others.

An app can only read photos of users (docs: profilephoto-get).
"""

import binascii
from base64 import b64decode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from shared.adapters.graph.batch import BatchItem, longest_wait, read_batch
from shared.adapters.graph.transport import GraphResponse, GraphSession
from shared.domain.errors import Throttled

_NONE: Final = "1x1"
"""The size that Graph may show for a user without a photo."""
_URL_SAFE: Final = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class PhotoRefused:
    """A photo that cannot be read, with the status and error code of Graph."""

    status: int
    code: str


type Photo = bytes | PhotoRefused | None
"""The bytes of a photo; None if the user has none."""


async def photo_tags(
    session: GraphSession, ids: Sequence[str]
) -> dict[str, str | PhotoRefused | None]:
    """Return the etags of the photos of at most 20 users, without the photos (docs: profilephoto).

    '' is a photo without an etag, None no photo. Raises like `user_photos`.
    """
    answers = await _answers(session, {id_: _path(id_) for id_ in ids})
    return {id_: _tag(answer) for id_, answer in answers.items()}


async def user_photos(session: GraphSession, ids: Sequence[str]) -> dict[str, Photo]:
    """Return the largest photos of at most 20 users.

    A read that fails temporarily is repeated twice. A photo that still cannot be read is refused:
    some answer 500 for ever (msgraph-sdk-dotnet#1073). Raises `Throttled` if Graph asks to wait.
    """
    answers = await _answers(session, {id_: f"{_path(id_)}/$value" for id_ in ids})
    return {id_: _photo(answer) for id_, answer in answers.items()}


async def _answers(session: GraphSession, paths: Mapping[str, str]) -> dict[str, GraphResponse]:
    items = [BatchItem("GET", path) for path in paths.values()]
    answers = await read_batch(session, items)
    if throttled := [answer for answer in answers if answer.status == 429]:
        raise Throttled("Microsoft Graph throttled the reads of photos.", longest_wait(throttled))
    return dict(zip(paths, answers, strict=True))


def _tag(answer: GraphResponse) -> str | PhotoRefused | None:
    if answer.status == 404:
        return None
    if not answer.ok or not isinstance(answer.body, dict):
        return PhotoRefused(answer.status, answer.code)
    if str(answer.body.get("id")).lower() == _NONE:
        return None
    return str(answer.body.get("@odata.mediaEtag") or "")


def _photo(answer: GraphResponse) -> Photo:
    if answer.status == 404:
        return None
    if answer.ok and isinstance(answer.body, str):
        # Docs do not say which alphabet a batch uses (json-batching), so both are read.
        text = answer.body.rstrip("=").translate(_URL_SAFE)
        try:
            return b64decode(text + "=" * (-len(text) % 4), validate=True)
        except binascii.Error:
            return PhotoRefused(answer.status, "not base64")
    return PhotoRefused(answer.status, answer.code)


def _path(id_: str) -> str:
    return f"/users/{quote(id_, safe='')}/photo"
