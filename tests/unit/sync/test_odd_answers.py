"""Answers that no document promises: incomplete batches, empty bodies, links that lead nowhere."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson
import pytest

from shared.adapters.graph import transport
from shared.adapters.graph.batch import BatchItem, read_lists, send_batch
from shared.adapters.graph.mailboxes.answers import LinkExpiredError
from shared.adapters.graph.mailboxes.mailbox import Mailbox
from shared.adapters.graph.transport import Graph, GraphSession
from shared.adapters.graph.wire import WireRequest, WireResponse
from shared.domain.contacts.fields import Contact
from shared.domain.contacts.known import Change
from shared.domain.contacts.plan import Create
from shared.domain.errors import Throttled, Unavailable
from shared.services.sync.applying import ApplyProgress, apply_plan

ENDPOINT = "https://graph.example/v1.0"
HTML = b"<html>Bad gateway</html>"
ADA = Contact.of("u-1", {"displayName": "Ada"})
BOB = Contact.of("u-2", {"displayName": "Bob"})

type Answer = Callable[[WireRequest], Any]


class Answering:
    """A wire that answers each request with a body, or with a status, headers and a body."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def send(self, request: WireRequest) -> WireResponse:
        found = self._answer(request)
        status, headers, body = found if isinstance(found, tuple) else (200, {}, found)
        return WireResponse(
            status, body if isinstance(body, bytes) else orjson.dumps(body), headers
        )

    async def close(self) -> None:
        pass


def session(answer: Answer) -> GraphSession:
    return Graph(ENDPOINT, Answering(answer)).session("tenant")


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_DEFAULT_WAIT", 0.0)


def part(id_: Any, status: Any = 200, body: Any = None, **headers: str) -> dict[str, Any]:
    return {"id": id_, "status": status, "headers": headers, "body": body}


THREE = [BatchItem("GET", "/users", {"$top": str(n)}) for n in range(3)]
LISTS = [part(str(n), 200, {"value": [{"id": str(n)}]}) for n in range(3)]


@pytest.mark.parametrize(
    "parts",
    [
        LISTS,
        LISTS[::-1],
        [*LISTS, *LISTS],
        [*LISTS, part("9"), part(None), "nothing", None],
        [part(n, "200", {"value": [{"id": str(n)}]}) for n in range(3)],
    ],
)
async def test_answers_of_a_batch_are_told_by_their_ids(parts: list[Any]) -> None:
    found = await read_lists(session(lambda _: {"responses": parts}), THREE)
    assert [[one["id"] for one in list_] for list_ in found] == [["0"], ["1"], ["2"]]


@pytest.mark.parametrize(
    "odd",
    [
        None,
        part("1", None),
        part("1", "OK"),
        part("1", 200, None),
        part("1", 200, "<html>"),
        part("1", 200, []),
        part("1", 503),
    ],
)
async def test_odd_part_of_a_batch_fails_alone_and_may_pass(odd: Any) -> None:
    graph = session(lambda _: {"responses": [LISTS[0], *([odd] if odd else []), LISTS[2]]})
    answers = await send_batch(graph, THREE)
    assert [answer.ok for answer in answers] == [True, False, True]
    assert answers[1].is_transient
    with pytest.raises(Unavailable):
        await read_lists(graph, THREE)


async def test_contact_that_is_never_answered_does_not_stop_the_others() -> None:
    def answer(request: WireRequest) -> Any:
        items = orjson.loads(request.body or b"{}")["requests"]
        shown = {"displayName": "Ada", "parentFolderId": "f"}
        return {"responses": [part(i["id"], 200, shown) for i in items if "c-1" not in i["url"]]}

    box = Mailbox(session(answer), "u", "i-1")
    found = await box.reread((), ["c-1", "c-2"], "f")
    assert [change.id for change in found] == ["c-2"]


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b'{"responses": null}', HTML])
async def test_batch_without_answers_may_have_taken_effect(body: bytes) -> None:
    graph = session(lambda _: body)
    with pytest.raises(Unavailable):
        await send_batch(graph, [BatchItem("DELETE", "/users/u/contacts/c")])
    assert graph.meter.unanswered == (0 if body == HTML else 1)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"7", HTML, b'{"value": null}', b"{}"])
async def test_empty_answer_to_a_read_is_asked_for_again(body: bytes) -> None:
    box = Mailbox(session(lambda _: body), "u", "i-1")
    for read in (box.find_folder, box.default_folder, lambda: box.delta("f")):
        with pytest.raises(Unavailable):
            await read()


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, 0.0),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": "-1"}, 0.0),
        ({"retry-after": "soon"}, 0.0),
        ({"retry-after": "inf"}, 0.0),
        ({"retry-after": "nan"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:30 GMT"}, 0.0),
        (
            {
                "retry-after": "Wed, 21 Oct 2026 07:28:30 GMT",
                "date": "Wed, 21 Oct 2026 07:28:00 GMT",
            },
            30.0,
        ),
    ],
)
async def test_retry_after_is_read_in_each_form(headers: Mapping[str, str], wait: float) -> None:
    with pytest.raises(Throttled) as throttled:
        await session(lambda _: (429, headers, {})).request("GET", "/users")
    assert throttled.value.retry_after == wait

    date = headers.get("date", "")
    inside = {name: value for name, value in headers.items() if name != "date"}
    batch = {"responses": [part("0", 429, {}, **inside)]}
    [answer] = await send_batch(session(lambda _: (200, {"date": date}, batch)), THREE[:1])
    assert answer.wait == wait


@pytest.mark.parametrize("link", [None, "https://evil.example/v1.0/x", f"{ENDPOINT}/link"])
async def test_delta_without_an_end_is_read_in_another_way(link: str | None) -> None:
    listed = {"value": [{"id": "c", "displayName": "Ada"}]}

    def answer(request: WireRequest) -> Any:
        if "delta" not in request.url and "link" not in request.url:
            return listed
        return {"value": [], **({"@odata.nextLink": link} if link else {})}

    box = Mailbox(session(answer), "u", "i-1")
    with pytest.raises(LinkExpiredError):
        await box.delta("f", f"{ENDPOINT}/link")
    found = await box.delta("f")
    assert (found.changes, found.link) == ((Change("c", listed["value"][0]),), None)


async def test_pages_of_a_delta_may_repeat_contacts_and_have_some_without_an_id() -> None:
    pages = {
        "delta": {"value": [{"id": "a", "title": "1"}, {}], "@odata.nextLink": f"{ENDPOINT}/2"},
        "2": {
            "value": [{"id": "a", "title": "2"}, {"@removed": {}, "id": "b"}, {"id": None}],
            "@odata.deltaLink": f"{ENDPOINT}/3",
        },
    }
    graph = session(lambda r: pages[r.url.partition("?")[0].rpartition("/")[2]])
    found = await Mailbox(graph, "u", "i-1").delta("f")
    assert found.changes == (Change("a", {"id": "a", "title": "2"}), Change("b", None))


async def may_send(requests: int, weighing: int, to_come: int) -> None:
    del requests, weighing, to_come


async def test_create_whose_answer_is_lost_is_found_by_its_mark() -> None:
    """One part of the batch is missing, and another says 201 and nothing else."""
    batches: list[list[Any]] = []

    def answer(request: WireRequest) -> Any:
        items = orjson.loads(request.body or b"{}")["requests"]
        batches.append([item["method"] for item in items])
        if items[0]["method"] == "POST":
            return {"responses": [part("0", 201)]}
        found = [part(i["id"], 200, {"value": [{"id": f"c-{i['id']}"}]}) for i in items]
        return {"responses": found}

    progress = ApplyProgress()
    creates = [Create("u-1", ADA), Create("u-2", BOB)]
    await apply_plan(Mailbox(session(answer), "u", "i-1"), creates, progress, None, may_send)
    assert progress.done == [(creates[0], "c-0"), (creates[1], "c-1")]
    assert batches == [["POST", "POST"], ["GET", "GET"]]


async def test_contact_that_graph_shows_under_another_id_is_not_this_one() -> None:
    shown = {"id": "NEW", "displayName": "Ada", "parentFolderId": "f"}
    graph = session(lambda _: {"responses": [part("0", 200, shown)]})
    found = await Mailbox(graph, "u", "i-1").reread((), ["old"], "f")
    assert found == (Change("old", None),)


def test_preferences_are_sent_in_one_header() -> None:
    headers = transport.complete({"Prefer": "odata.maxpagesize=200"})
    assert headers["Prefer"] == 'IdType="ImmutableId", odata.maxpagesize=200'
