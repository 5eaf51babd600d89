"""Photos of people: which are read, and what becomes of odd ones."""

import io
import struct
import zlib
from base64 import b64encode, urlsafe_b64encode
from typing import Any

import pytest
from PIL import Image

from shared.adapters.storage.models import SharePhotos
from shared.domain.contacts.fields import Contact
from shared.domain.contacts.keys import ContactKey, ContactKind
from shared.domain.errors import Throttled
from shared.domain.reasons import Reason
from shared.services.changes import require_storable
from shared.services.sharing.photos import (
    MOST_SEEN,
    NoPictureError,
    add_photos,
    load_photos,
    resized,
)
from shared.services.sharing.resolution import Resolution
from tests.unit.sharing.simulated_graph import SimulatedGraph


def picture(format_: str = "JPEG", mode: str = "RGB", color: Any = "red", **more: Any) -> bytes:
    out = io.BytesIO()
    Image.new(mode, (64, 48), color).save(out, format_, **more)
    return out.getvalue()


def shown(image: bytes) -> tuple[int, ...]:
    """Return the color in the middle of a JPEG."""
    with Image.open(io.BytesIO(image)) as opened:
        assert (opened.format, opened.mode) == ("JPEG", "RGB")
        color = opened.getpixel((opened.width // 2, opened.height // 2))
    assert isinstance(color, tuple)
    return tuple(color)


def near(color: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return all(abs(a - b) < 12 for a, b in zip(color, wanted, strict=True))


RED, WHITE, GREY = (254, 0, 0), (255, 255, 255), (128, 128, 128)


@pytest.mark.parametrize(
    ("source", "color"),
    [
        (picture(), RED),
        (picture("PNG"), RED),
        (picture("GIF"), RED),
        (picture("BMP"), RED),
        (picture("JPEG", "CMYK", (0, 255, 255, 0)), RED),
        (picture("JPEG", "L", 128), GREY),
        (picture("PNG", "I;16", 128 * 256), GREY),
        (picture("PNG", "RGBA", (0, 0, 0, 0)), WHITE),
        (picture("PNG", "RGBA", (255, 0, 0, 255)), RED),
        (picture("PNG", "LA", (0, 0)), WHITE),
        (picture("PNG", "P", 0, transparency=0), WHITE),
        (picture("GIF", "P", 0, transparency=0), WHITE),
    ],
)
def test_picture_becomes_an_opaque_jpeg(source: bytes, color: tuple[int, ...]) -> None:
    assert near(shown(resized(source, 48)), color)


def _bomb(width: int, height: int) -> bytes:
    """Return a small PNG whose header promises many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        ends = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + ends

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(bytes(1_000_000), 9))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"no picture at all",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        picture("TIFF"),
        picture("WEBP"),
        picture("PPM"),
        picture()[:200],
        _bomb(5_000, 5_000),
        _bomb(10_000, 10_000),
        _bomb(100_000, 100_000),
        picture() + bytes(9 * 1024 * 1024),
    ],
    ids=lambda source: f"{len(source)} bytes",
)
def test_file_that_is_not_an_allowed_picture_is_refused(source: bytes) -> None:
    with pytest.raises(NoPictureError):
        resized(source, 48)


async def photos(
    graph: SimulatedGraph, *people: str, known: dict[str, tuple[str, str]] | None = None
) -> tuple[Resolution, dict[str, bytes]]:
    """Add the photos of people; `known` is what was known before, and then what is known now."""
    resolution, kept = Resolution(), dict[str, bytes]()
    for id_ in people:
        key = str(ContactKey(ContactKind.USER, id_))
        resolution.contacts[key] = Contact.of(key, {"displayName": id_})

    async def keep(digest: str, image: bytes) -> None:
        kept[digest] = image

    known = {} if known is None else known
    seen = await add_photos(resolution, graph.session(), 48, keep, known)
    known.clear()
    known.update(seen)
    return resolution, kept


def photo_of(resolution: Resolution, person: str) -> str | None:
    return resolution.contacts[str(ContactKey(ContactKind.USER, person))].photo


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_photo_that_always_fails_leaves_that_person_without_a_photo(status: int) -> None:
    graph = SimulatedGraph()
    one, two, three = graph.add_user(1, picture()), graph.add_user(2, picture()), graph.add_user(3)
    graph.fail(f"{two}/photo", {"status": status, "headers": {"Retry-After": "0"}})

    resolution, kept = await photos(graph, one, two, three)

    assert photo_of(resolution, one) in kept
    assert photo_of(resolution, two) is None
    assert photo_of(resolution, three) == ""
    assert resolution.omissions.keys() == {(two, Reason.PHOTO_REFUSED)}


async def test_photo_that_fails_for_a_moment_is_read_again() -> None:
    graph = SimulatedGraph()
    one = graph.add_user(1, picture())
    graph.fail("/photo", {"status": 500, "headers": {"Retry-After": "0"}}, times=2)

    resolution, kept = await photos(graph, one)

    assert photo_of(resolution, one) in kept
    assert resolution.omissions == {}


async def test_throttled_photos_are_waited_for() -> None:
    graph = SimulatedGraph()
    one = graph.add_user(1, picture())
    graph.fail("/photo", {"status": 429, "headers": {"Retry-After": "60"}})

    with pytest.raises(Throttled) as refused:
        await photos(graph, one)

    assert refused.value.retry_after == 60


@pytest.mark.parametrize("alphabet", ["standard", "url-safe"])
async def test_photo_in_a_batch_is_read_in_either_base64_alphabet(alphabet: str) -> None:
    graph = SimulatedGraph()
    source = picture("PNG", "RGB", "blue")
    one = graph.add_user(1, source)
    encode = urlsafe_b64encode if alphabet == "url-safe" else b64encode
    text = encode(source).decode()
    assert set(text) & set("-_+/")
    graph.fail(r"/photo/\$value", {"status": 200, "body": text.rstrip("=")})

    _, kept = await photos(graph, one)

    assert near(shown(*kept.values()), (0, 0, 254))


@pytest.mark.parametrize("text", ["!", "a", "no base64 at all"])
async def test_photo_that_is_not_base64_is_refused(text: str) -> None:
    graph = SimulatedGraph()
    one = graph.add_user(1, picture())
    graph.fail(r"/photo/\$value", {"status": 200, "body": text})

    resolution, _ = await photos(graph, one)

    assert resolution.omissions.keys() == {(one, Reason.PHOTO_REFUSED)}


PHOTO, TAG = "GET /users/{id}/photo/$value", "GET /users/{id}/photo"


async def test_photos_whose_etag_is_known_are_not_read() -> None:
    graph = SimulatedGraph()
    people = [graph.add_user(n, picture(color=(6 * n, 0, 0))) for n in range(40)]
    known: dict[str, tuple[str, str]] = {}
    first, kept = await photos(graph, *people, known=known)
    read = graph.asked(PHOTO)
    graph.server.meter.reset()
    graph.meter.requests = 0

    again, kept_again = await photos(graph, *people, known=known)

    assert (read, len(kept)) == (40, 40)
    assert (graph.asked(PHOTO), graph.asked(TAG), graph.meter.requests) == (0, 40, 2)
    assert kept_again == {}
    assert again.contacts == first.contacts


def test_etags_that_are_known_fit_in_a_row() -> None:
    hashes = [f"{number:016x}" for number in range(MOST_SEEN)]
    require_storable(SharePhotos(seen={person: (person, person) for person in hashes}))


async def test_changed_new_and_removed_photos_are_noticed_by_their_etags() -> None:
    graph = SimulatedGraph()
    one, two, three = (graph.add_user(n, picture()) for n in (1, 2, 3))
    known: dict[str, tuple[str, str]] = {}
    before, _ = await photos(graph, one, two, three, known=known)
    graph.tenant.mailboxes[two].photo = picture(color="blue")
    graph.tenant.mailboxes[three].photo = None
    four = graph.add_user(4, picture())
    graph.server.meter.reset()

    after, kept = await photos(graph, one, two, three, four, known=known)

    assert graph.asked(PHOTO) == 2
    assert photo_of(after, one) == photo_of(before, one)
    assert photo_of(after, two) != photo_of(before, two)
    assert photo_of(after, three) == ""
    assert set(kept) == {photo_of(after, two), photo_of(after, four)}


async def test_file_that_is_not_a_picture_is_reported_daily_and_read_once() -> None:
    graph = SimulatedGraph()
    one = graph.add_user(1, b"no picture")
    known: dict[str, tuple[str, str]] = {}
    for _ in range(2):
        resolution, _ = await photos(graph, one, known=known)
        assert resolution.omissions.keys() == {(one, Reason.PHOTO_REFUSED)}

    assert graph.asked(PHOTO) == 1


@pytest.mark.parametrize("shown", [{"id": "648x648"}, {"@odata.mediaEtag": None}])
async def test_photo_without_an_etag_is_read_every_time(shown: dict[str, Any]) -> None:
    graph = SimulatedGraph()
    one = graph.add_user(1, picture())
    graph.fail("/photo$", {"status": 200, "body": shown})
    known: dict[str, tuple[str, str]] = {}
    digests = {photo_of((await photos(graph, one, known=known))[0], one) for _ in range(2)}

    assert graph.asked(PHOTO) == 2
    assert len(digests) == 1


async def test_placeholder_of_a_missing_photo_is_not_a_photo() -> None:
    graph = SimulatedGraph()
    one = graph.add_user(1)
    graph.fail("/photo$", {"status": 200, "body": {"id": "1X1", "@odata.mediaEtag": ""}})

    resolution, _ = await photos(graph, one)

    assert photo_of(resolution, one) == ""
    assert graph.asked(PHOTO) == 0


async def test_photo_is_loaded_again_for_a_mailbox_that_lacks_it() -> None:
    graph = SimulatedGraph()
    one, two = graph.add_user(1, picture()), graph.add_user(2, b"no picture")
    three = graph.add_user(3, picture())
    graph.fail(f"{three}/photo", {"status": 500, "headers": {"Retry-After": "0"}})

    found = await load_photos(graph.session(), [f"u-{id_}" for id_ in (one, two, three)], 48)

    assert list(found) == [f"u-{one}"]
    assert near(shown(found[f"u-{one}"]), RED)


@pytest.mark.parametrize("tags", ["stable", "missing", "changing"])
@pytest.mark.parametrize("alphabet", ["urlSafe", "standard"])
async def test_photos_stay_the_same_whatever_their_etags_do(tags: str, alphabet: str) -> None:
    graph = SimulatedGraph()
    one = graph.add_user(1, picture())
    graph.server.quirks.set({"photoTags": tags, "batchBytes": alphabet})
    known: dict[str, tuple[str, str]] = {}
    digests = {photo_of((await photos(graph, one, known=known))[0], one) for _ in range(3)}

    assert len(digests) == 1
    assert graph.asked(PHOTO) == (1 if tags == "stable" else 3)
