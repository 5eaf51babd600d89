"""Links of Graph are followed only to our endpoint, once each, and without redirects."""

from collections.abc import Callable

import httpx
import orjson
import pytest

from shared.adapters.graph import transport
from shared.adapters.graph.mailboxes.answers import LinkExpiredError
from shared.adapters.graph.mailboxes.mailbox import Mailbox, folder_links
from shared.adapters.graph.transport import Graph, GraphSession
from shared.adapters.graph.wire import SdkWire, WireRequest, WireResponse
from shared.domain.errors import Defect, NeedsAdmin, Refused
from shared.domain.reasons import Reason

ENDPOINT = "https://graph.example/v1.0"
ELSEWHERE = "https://evil.example/v1.0/users"

type Answer = Callable[[WireRequest], dict[str, object]]


class Answering:
    """A wire that answers each request with what a function makes of it."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.urls: list[str] = []

    async def send(self, request: WireRequest) -> WireResponse:
        self.urls.append(request.url)
        return WireResponse(200, orjson.dumps(self._answer(request)), {})

    async def close(self) -> None:
        pass


def session(answer: Answer) -> tuple[GraphSession, Answering]:
    wire = Answering(answer)
    return Graph(ENDPOINT, wire).session("tenant"), wire


async def test_next_link_that_comes_again_ends_the_read() -> None:
    link = f"{ENDPOINT}/users?$skiptoken=x"
    graph, wire = session(lambda _: {"value": [], "@odata.nextLink": link})
    with pytest.raises(NeedsAdmin) as ended:
        [page async for page in graph.pages("/users")]
    assert ended.value.reason is Reason.GAVE_UP
    assert len(wire.urls) == 2


async def test_next_links_without_an_end_end_the_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_MOST_PAGES", 3)
    graph, wire = session(lambda r: {"value": [], "@odata.nextLink": f"{r.url}x"})
    with pytest.raises(NeedsAdmin):
        [page async for page in graph.pages("/users")]
    with pytest.raises(NeedsAdmin):
        await Mailbox(graph, "user", "import").delta("folder")
    assert len(wire.urls) == 4 + 2 * 4  # without its delta, the folder is listed


async def test_next_link_to_another_host_is_not_followed() -> None:
    graph, wire = session(lambda _: {"value": [], "@odata.nextLink": ELSEWHERE})
    with pytest.raises(Defect):
        [page async for page in graph.pages("/users")]
    assert len(wire.urls) == 1


async def test_stored_link_to_another_host_is_dropped() -> None:
    graph, wire = session(lambda _: {"value": []})
    with pytest.raises(LinkExpiredError):
        await Mailbox(graph, "user", "import").delta("folder", ELSEWHERE)
    assert await folder_links(graph, {"user": ELSEWHERE}) == {}
    assert wire.urls == []


class _Consenting:
    """Gives any tenant a token."""

    def of(self, tenant: str) -> object:
        del tenant
        return _Credential()


class _Credential:
    async def get_token(self, *scopes: str, **options: object) -> object:
        del scopes, options
        return type("Token", (), {"token": "t", "expires_on": 2**33})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_not_followed(status: int) -> None:
    asked: list[str] = []

    def redirect(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(status, headers={"Location": f"{ENDPOINT}/elsewhere"})

    wire = SdkWire(ENDPOINT, _Consenting(), httpx.MockTransport(redirect))  # type: ignore[arg-type]
    graph = Graph(ENDPOINT, wire)
    with pytest.raises(Refused):
        [page async for page in graph.session("tenant").pages("/users")]
    assert asked == [f"{ENDPOINT}/users"]
    await graph.close()
