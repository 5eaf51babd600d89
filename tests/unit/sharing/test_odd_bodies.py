"""Bodies of Graph that are no clean JSON."""

import orjson
import pytest

from shared.adapters.graph import directory
from shared.adapters.graph.mailboxes.mailbox import Mailbox
from shared.adapters.graph.transport import Graph, GraphSession
from shared.adapters.graph.wire import WireRequest, WireResponse
from shared.domain.contacts.fields import MARK, Mark
from shared.domain.errors import Unavailable

ENDPOINT = "https://graph.example/v1.0"


class Answering:
    """A wire that answers each request with the same body."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def send(self, request: WireRequest) -> WireResponse:
        del request
        return WireResponse(200, self._body, {})

    async def close(self) -> None:
        pass


def session(body: bytes) -> GraphSession:
    return Graph(ENDPOINT, Answering(body)).session("tenant")


@pytest.mark.parametrize(
    ("name", "read"),
    [
        (rb"A\ud800B", "AB"),
        (rb"\udc00", ""),
        (rb"\ud83d\ude00", "\U0001f600"),
        (rb"\\ud800 \ud83d\ude00\ud83d", "\\ud800 \U0001f600"),
        (b"\xed\xa0\x80A", "A"),
        (rb"\u0000\u2028\"", '\0\u2028"'),
    ],
)
async def test_unpaired_surrogate_in_a_name_does_not_fail_the_page(name: bytes, read: str) -> None:
    body = rb'{"value": [{"id": "1", "displayName": "%s"}, {"id": "2", "displayName": "B"}]}' % name
    graph = session(body)

    users = [user async for user in directory.listed(graph, "/users", "id,displayName")]

    assert [user["displayName"] for user in users] == [read, "B"]


@pytest.mark.parametrize("body", [b"<html>", b'{"value": NaN}', b'{"a": "\xff"}', b"[" * 100_000])
async def test_body_that_is_not_json_is_asked_for_again_later(body: bytes) -> None:
    with pytest.raises(Unavailable, match="not JSON"):
        await session(body).request("GET", "/users")


async def test_property_without_an_id_is_not_our_mark() -> None:
    batch = orjson.dumps(
        {
            "responses": [
                {
                    "id": "0",
                    "status": 200,
                    "body": {
                        "id": "c",
                        "singleValueExtendedProperties": [
                            {"id": None, "value": None},
                            {"id": MARK.upper(), "value": "i-1:u-1"},
                        ],
                    },
                }
            ]
        }
    )

    marks = await Mailbox(session(batch), "u", "i-1").marks(["c"])

    assert marks == {"c": Mark("u-1", 0)}
