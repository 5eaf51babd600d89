"""People's photos: read once for a run, made small, and kept beside the run's snapshot."""

import asyncio
import hashlib
import io
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import batched
from typing import Final

from PIL import Image, ImageOps

from shared.adapters.graph import directory
from shared.adapters.graph.batch import BATCH_SIZE
from shared.adapters.graph.transport import GraphSession
from shared.domain.contacts.fields import Contact
from shared.domain.reasons import Reason
from shared.services.sharing.resolution import Resolution

type KeepPhoto = Callable[[str, bytes], Awaitable[None]]

_QUALITY: Final = 85
_MOST_PIXELS: Final = 40_000_000
_USER: Final = "u-"


class NoPictureError(Exception):
    """The bytes are no picture that we can read."""


async def add_photos(
    resolution: Resolution, session: GraphSession, edge: int, keep: KeepPhoto
) -> None:
    """Give the people of a resolution the digests of their photos; `keep` stores each photo.

    Twenty people a request; only users have photos that an app may read (docs: profilephoto-get).
    Somebody whose photo cannot be read keeps the one that was sent last, and is reported.
    """
    users = [key for key in resolution.contacts if key.startswith(_USER)]
    for chunk in batched(users, BATCH_SIZE, strict=False):
        ids = [key.removeprefix(_USER) for key in chunk]
        found = await directory.photos(session, ids)
        for key, id_ in zip(chunk, ids, strict=True):
            contact = resolution.contacts[key]
            try:
                resolution.contacts[key] = await _with_photo(contact, found[id_], edge, keep)
            except (KeyError, NoPictureError):
                resolution.omit(id_, Reason.PHOTO_REFUSED)


async def _with_photo(
    contact: Contact, source: bytes | None, edge: int, keep: KeepPhoto
) -> Contact:
    if source is None:
        return replace(contact, photo="")
    # Of the source, so that another version of the image library changes no digest.
    digest = hashlib.blake2b(source, digest_size=8, person=f"edge {edge}".encode()).hexdigest()
    await keep(digest, await asyncio.to_thread(resized, source, edge))
    return replace(contact, photo=digest)


def resized(source: bytes, edge: int) -> bytes:
    """A JPEG whose longer side is at most `edge` pixels, without the source's metadata.

    Raises `NoPictureError` for what is no picture, or one of absurd size.
    """
    try:
        with Image.open(io.BytesIO(source)) as opened:
            if opened.width * opened.height > _MOST_PIXELS:
                raise NoPictureError
            upright = ImageOps.exif_transpose(opened).convert("RGB")
        upright.thumbnail((edge, edge), Image.Resampling.LANCZOS)
        out = io.BytesIO()
        upright.save(out, "JPEG", quality=_QUALITY, optimize=True)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise NoPictureError from error
    return out.getvalue()
