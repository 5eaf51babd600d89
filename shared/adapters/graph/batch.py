"""JSON batching: up to 20 requests in one (docs: json-batching).

Batches are unordered, so Outlook runs up to four requests at once, and one batch at a time in each
mailbox stays within the limit of four. The SDK's own batch classes lack a dependency and lose JSON
bodies (msgraph-sdk-python-core#1030, kiota-python#737).
"""

import asyncio
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from shared.adapters.graph.transport import (
    LONGEST_WAIT,
    READ_TRIES,
    Check,
    GraphResponse,
    GraphSession,
    complete,
    relative,
    required,
)
from shared.domain.errors import Unavailable

BATCH_SIZE: Final = 20
_GATEWAY_TIMEOUT: Final = 504
_UNREADABLE: Final = 500
"""Stands for a read without an answer: who reads others beside it goes on with these."""


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One request of a batch; `path` is relative to the endpoint.

    A body that is not JSON is sent as base64: in the standard alphabet, which Microsoft's own SDK
    sends, or in the URL's, which documents name (docs: json-batching).
    """

    method: str
    path: str
    query: Mapping[str, str] | None = None
    body: Mapping[str, Any] | bytes | None = None
    content_type: str = "application/json"
    headers: Mapping[str, str] | None = None
    url_safe: bool = False

    def as_json(self, number: int) -> dict[str, Any]:
        """Return the item as it is sent in the batch."""
        headers = complete(self.headers or {})
        item: dict[str, Any] = {
            "id": str(number),
            "method": self.method,
            "url": relative(self.path, self.query),
            "headers": headers,
        }
        if self.body is not None:
            headers["Content-Type"] = self.content_type
            item["body"] = self._encoded(self.body) if isinstance(self.body, bytes) else self.body
        return item

    def _encoded(self, body: bytes) -> str:
        return (urlsafe_b64encode if self.url_safe else b64encode)(body).decode()


async def send_batch(
    session: GraphSession, items: Sequence[BatchItem], check: Check = required
) -> list[GraphResponse]:
    """Send at most 20 requests together and return their responses, in the order of `items`.

    Each response may be an error; that of a request which Graph left out is a 504, or a 500 if it
    reads, as is any answer to a read that is not what was asked for. Raises `Throttled` or
    `Unavailable` if the whole batch failed; whether its writes took effect is then unknown. `check`
    handles any other response to the batch.
    """
    numbered = dict(enumerate(items))
    answer = check(await session.request("POST", "/$batch", body=_body(session, numbered)))
    return list(_answers(session, numbered, answer).values())


async def read_batch(session: GraphSession, items: Sequence[BatchItem]) -> list[GraphResponse]:
    """Send at most 20 reads together, and those that fail temporarily up to three times.

    Returns the last response to each, in the order of `items`. Raises like `send_batch` if the
    whole batch keeps failing. Waits at most `LONGEST_WAIT` seconds before the next try; if Graph
    throttles reads for longer, their 429 is returned at once.
    """
    found: dict[int, GraphResponse] = {}
    waiting = dict(enumerate(items))
    for left in reversed(range(READ_TRIES)):
        answer = required(await session.read("/$batch", body=_body(session, waiting)))
        found |= _answers(session, waiting, answer)
        waiting = {number: items[number] for number in waiting if found[number].is_transient}
        failed = [found[number] for number in waiting]
        wait = longest_wait(failed) if failed else 0.0
        throttled = any(answer.status == 429 for answer in failed)
        if not failed or not left or (throttled and wait > LONGEST_WAIT):
            break
        await asyncio.sleep(min(wait, LONGEST_WAIT))
    return [found[number] for number in range(len(items))]


def _body(session: GraphSession, items: Mapping[int, BatchItem]) -> dict[str, Any]:
    # Graph counts the requests in a batch, not the batch itself.
    session.meter.items += len(items) - 1
    return {"requests": [item.as_json(number) for number, item in items.items()]}


def _answers(
    session: GraphSession, items: Mapping[int, BatchItem], answer: GraphResponse
) -> dict[int, GraphResponse]:
    """Return the responses in the response to a batch, by the numbers of `items`."""
    parts = answer.body.get("responses") if isinstance(answer.body, dict) else None
    if not isinstance(parts, list):
        session.meter.unanswered += 1
        message = "Microsoft Graph did not respond to the requests of a batch."
        raise Unavailable(message, answer.wait)
    date = answer.headers.get("date", "")
    answers = {str(p.get("id")): _answer(p, date) for p in parts if isinstance(p, dict)}
    found = {number: _fitting(item, answers.get(str(number))) for number, item in items.items()}
    parts = found.values()
    session.meter.unanswered += sum(1 for part in parts if part.status == _GATEWAY_TIMEOUT)
    session.meter.throttle(sum(1 for part in parts if part.status == 429))
    for part in parts:
        if not part.ok:
            session.meter.note(part.status, part.headers, answer.headers)
    return found


async def read_lists(
    session: GraphSession, items: Sequence[BatchItem]
) -> list[list[dict[str, Any]]]:
    """Read at most 20 lists together, as `read_batch` does; all of them must succeed.

    Raises `Unavailable` if any failed temporarily, `Refused` if one failed permanently (4xx).
    """
    answers = await read_batch(session, items)
    require_all(answers)
    return [required(answer).value for answer in answers]


def require_all(answers: Sequence[GraphResponse]) -> None:
    """Raise `Unavailable` if any response of a batch is a transient error."""
    if transient := [answer for answer in answers if answer.is_transient]:
        message = "Some requests of a batch to Microsoft Graph failed temporarily."
        raise Unavailable(message, longest_wait(transient))


def longest_wait(answers: Iterable[GraphResponse]) -> float:
    """Return how long to wait before the failed items are sent again: the longest Retry-After."""
    return max(answer.wait for answer in answers)


def _answer(part: Mapping[str, Any], date: str) -> GraphResponse | None:
    """Return a response of a batch, at the `date` of all; None if it has no status."""
    headers = {str(k).lower(): str(v) for k, v in (part.get("headers") or {}).items()}
    status = str(part.get("status"))
    if not status.isdecimal():
        return None
    return GraphResponse(int(status), part.get("body"), {"date": date, **headers})


def _fitting(item: BatchItem, answer: GraphResponse | None) -> GraphResponse:
    """Return a response, or an error if it does not answer the request."""
    if item.method != "GET":
        return answer or GraphResponse(_GATEWAY_TIMEOUT, None)
    kind = str if item.path.endswith("$value") else dict
    answer = answer or GraphResponse(_UNREADABLE, None)
    if answer.ok and not isinstance(answer.body, kind):
        return replace(answer, status=_UNREADABLE, body=None)
    return answer
