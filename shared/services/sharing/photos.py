"""Photos of people, which are read once per run, scaled down and stored with the run's snapshot."""

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
from shared.domain.contacts.keys import ContactKey, ContactKind
from shared.domain.reasons import Reason
from shared.services.sharing.resolution import Resolution

type KeepPhoto = Callable[[str, bytes], Awaitable[None]]

_QUALITY: Final = 85
_MOST_PIXELS: Final = 40_000_000


class NoPictureError(Exception):
    """The bytes are not a picture that we can read."""


async def add_photos(
    resolution: Resolution, session: GraphSession, edge: int, keep: KeepPhoto
) -> None:
    """Add the digests of their photos to the people of a resolution; `keep` stores each photo.

    Reads twenty people per request. An app can only read photos of users (docs: profilephoto-get).
    A person whose photo cannot be read keeps the previous one and is reported.
    """
    keys = filter(None, map(ContactKey.parse, resolution.contacts))
    users = [key for key in keys if key.kind is ContactKind.USER]
    for chunk in batched(users, BATCH_SIZE, strict=False):
        found = await directory.photos(session, [user.id for user in chunk])
        for user in chunk:
            key = str(user)
            contact = resolution.contacts[key]
            try:
                resolution.contacts[key] = await _with_photo(contact, found[user.id], edge, keep)
            except (KeyError, NoPictureError):
                resolution.omit(user.id, Reason.PHOTO_REFUSED)


async def _with_photo(
    contact: Contact, source: bytes | None, edge: int, keep: KeepPhoto
) -> Contact:
    if source is None:
        return replace(contact, photo="")
    # The digest is of the source, so that a new version of the image library does not change it.
    digest = hashlib.blake2b(source, digest_size=8, person=f"edge {edge}".encode()).hexdigest()
    await keep(digest, await asyncio.to_thread(resized, source, edge))
    return replace(contact, photo=digest)


def resized(source: bytes, edge: int) -> bytes:
    """Return a JPEG whose longer side is at most `edge` pixels, without the source's metadata.

    Raises `NoPictureError` if the source is not a picture or is far too large.
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
