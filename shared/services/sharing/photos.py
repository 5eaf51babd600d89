"""Photos of people, which are read once per run, scaled down and stored with the run's snapshot."""

import asyncio
import hashlib
import io
import struct
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import batched
from typing import Final

from PIL import Image, ImageOps

from shared.adapters.graph.batch import BATCH_SIZE
from shared.adapters.graph.transport import GraphSession
from shared.adapters.graph.user_photos import Photo, PhotoRefused, user_photos
from shared.domain.contacts.fields import Contact
from shared.domain.contacts.keys import ContactKey, ContactKind
from shared.domain.reasons import Reason
from shared.services.sharing.resolution import Resolution

type KeepPhoto = Callable[[str, bytes], Awaitable[None]]

_QUALITY: Final = 85
_FORMATS: Final = ("JPEG", "PNG", "GIF", "BMP")
_MOST_BYTES: Final = 8 * 1024 * 1024
_MOST_PIXELS: Final = 24_000_000
_UNREADABLE: Final = (
    # Pillow raises all of these for malformed pictures and malformed EXIF data.
    OSError,
    ValueError,
    SyntaxError,
    LookupError,
    TypeError,
    ArithmeticError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


class NoPictureError(Exception):
    """The bytes are not a picture that we can read."""


async def add_photos(
    resolution: Resolution, session: GraphSession, edge: int, keep: KeepPhoto
) -> None:
    """Add the digests of their photos to the people of a resolution; `keep` stores each photo.

    Reads twenty people per request. A person whose photo cannot be read keeps the previous one and
    is reported; that never fails the run.
    """
    keys = filter(None, map(ContactKey.parse, resolution.contacts))
    users = [key for key in keys if key.kind is ContactKind.USER]
    for chunk in batched(users, BATCH_SIZE, strict=False):
        found = await user_photos(session, [user.id for user in chunk])
        for user in chunk:
            key = str(user)
            contact = resolution.contacts[key]
            try:
                resolution.contacts[key] = await _with_photo(contact, found[user.id], edge, keep)
            except NoPictureError:
                resolution.omit(user.id, Reason.PHOTO_REFUSED)


async def _with_photo(contact: Contact, source: Photo, edge: int, keep: KeepPhoto) -> Contact:
    if isinstance(source, PhotoRefused):
        raise NoPictureError
    if source is None:
        return replace(contact, photo="")
    # The digest is of the source, so that a new version of the image library does not change it.
    digest = hashlib.blake2b(source, digest_size=8, person=f"edge {edge}".encode()).hexdigest()
    await keep(digest, await asyncio.to_thread(resized, source, edge))
    return replace(contact, photo=digest)


def resized(source: bytes, edge: int) -> bytes:
    """Return a JPEG whose longer side is at most `edge` pixels, without the source's metadata.

    Transparent parts become white. Raises `NoPictureError` if the source has none of the formats
    that Microsoft 365 accepts for photos, is damaged, or is far too large to be one.
    """
    if len(source) > _MOST_BYTES:
        raise NoPictureError
    try:
        with Image.open(io.BytesIO(source), formats=_FORMATS) as opened:
            # The header says the size, so a small file that unpacks to a huge one is not unpacked.
            if opened.width * opened.height > _MOST_PIXELS:
                raise NoPictureError
            opened.draft("RGB", (2 * edge, 2 * edge))
            upright = _opaque(ImageOps.exif_transpose(opened))
        upright.thumbnail((edge, edge), Image.Resampling.LANCZOS)
        out = io.BytesIO()
        upright.save(out, "JPEG", quality=_QUALITY, optimize=True)
    except _UNREADABLE as error:
        raise NoPictureError from error
    return out.getvalue()


def _opaque(image: Image.Image) -> Image.Image:
    """Return an RGB image on a white background; JPEG has no transparency."""
    if image.mode.startswith("I"):  # 16 bits of grey
        image = image.point(lambda value: value / 256).convert("L")
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    white = Image.new("RGB", layer.size, "white")
    white.paste(layer, mask=layer.getchannel("A"))
    return white
