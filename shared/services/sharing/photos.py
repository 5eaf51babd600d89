"""Photos of people, scaled down: those that changed are read when a run resolves its share.

They are stored with the run's snapshot. Others are read again only for a mailbox that lacks them.
"""

import asyncio
import hashlib
import io
import struct
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import batched, islice
from typing import Final

from PIL import Image, ImageOps

from shared.adapters.graph.batch import BATCH_SIZE
from shared.adapters.graph.transport import GraphSession
from shared.adapters.graph.user_photos import Photo, PhotoRefused, photo_tags, user_photos
from shared.domain.contacts.keys import ContactKey, ContactKind
from shared.domain.reasons import Reason
from shared.services.sharing.resolution import Resolution

type KeepPhoto = Callable[[str, bytes], Awaitable[None]]
type Seen = Mapping[str, tuple[str, str]]
"""The photos read before: by the hash of a person's id, those of the etag and of the photo."""

MOST_SEEN: Final = 8_000
"""As many as fit in a row of 1 MiB, counted in UTF-16; others are read in every run."""

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
    resolution: Resolution,
    session: GraphSession,
    edge: int,
    keep: KeepPhoto,
    known: Seen | None = None,
) -> Seen:
    """Add the digests of their photos to the people of a resolution; `keep` stores those it reads.

    Reads the etags of twenty people per request, and only photos whose etag is not `known`. Return
    what is known now. A person whose photo cannot be read keeps the previous one and is reported;
    that never fails the run.
    """
    seen: dict[str, tuple[str, str]] = {}
    for chunk in batched(_users(resolution.contacts), BATCH_SIZE, strict=False):
        tags = await photo_tags(session, [user.id for user in chunk])
        unread: list[ContactKey] = []
        for user in chunk:
            tag, before = tags[user.id], (known or {}).get(_hash(user.id), ("", ""))
            if tag is None:
                _set_photo(resolution, user, "")
            elif isinstance(tag, PhotoRefused):
                resolution.omit(user.id, Reason.PHOTO_REFUSED)
            elif tag and before[0] == _hash(tag):
                seen[_hash(user.id)] = before
                _set_source(resolution, user, before[1], edge)
            else:
                unread.append(user)
        for user, photo in (await _photos(session, unread)).items():
            if photo is None:
                _set_photo(resolution, user, "")
                continue
            source, tag = await _kept(photo, edge, keep), tags[user.id]
            if isinstance(photo, bytes) and isinstance(tag, str) and tag:
                seen[_hash(user.id)] = (_hash(tag), source)
            _set_source(resolution, user, source, edge)
    return dict(islice(seen.items(), MOST_SEEN))


async def load_photos(session: GraphSession, people: Iterable[str], edge: int) -> dict[str, bytes]:
    """Return the photos of people (contact keys) as they are sent, without those that fail."""
    found: dict[str, bytes] = {}
    for chunk in batched(_users(people), BATCH_SIZE, strict=False):
        for user, photo in (await _photos(session, chunk)).items():
            if isinstance(photo, bytes):
                with suppress(NoPictureError):
                    found[str(user)] = await asyncio.to_thread(resized, photo, edge)
    return found


def _users(keys: Iterable[str]) -> list[ContactKey]:
    found = filter(None, map(ContactKey.parse, keys))
    return [key for key in found if key.kind is ContactKind.USER]


async def _photos(session: GraphSession, users: Sequence[ContactKey]) -> dict[ContactKey, Photo]:
    found = await user_photos(session, [user.id for user in users]) if users else {}
    return {user: found[user.id] for user in users}


async def _kept(photo: bytes | PhotoRefused, edge: int, keep: KeepPhoto) -> str:
    """Store a photo as it is sent, and return the hash of its source; '' if it is no picture."""
    if isinstance(photo, PhotoRefused):
        return ""
    # The hash is of the source, so that a new version of the image library does not change it.
    source = _hash(photo)
    try:
        await keep(_digest(source, edge), await asyncio.to_thread(resized, photo, edge))
    except NoPictureError:
        return ""
    return source


def _set_source(resolution: Resolution, user: ContactKey, source: str, edge: int) -> None:
    if source:
        _set_photo(resolution, user, _digest(source, edge))
    else:
        resolution.omit(user.id, Reason.PHOTO_REFUSED)


def _set_photo(resolution: Resolution, user: ContactKey, digest: str) -> None:
    key = str(user)
    resolution.contacts[key] = replace(resolution.contacts[key], photo=digest)


def _digest(source: str, edge: int) -> str:
    return _hash(f"{source} {edge}")


def _hash(value: str | bytes) -> str:
    given = value if isinstance(value, bytes) else value.encode()
    return hashlib.blake2b(given, digest_size=8).hexdigest()


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
