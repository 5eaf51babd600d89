"""Repeats of a call with an effect: by its Idempotency-Key, a repeat gets the first answer.

Every POST goes through here, except one that is declared to change nothing. See
`services/idempotency.py` for what is kept.
"""

from collections.abc import Awaitable, Callable

from shared.adapters.entra.access_tokens import Caller
from shared.domain.errors import CallerError
from shared.services.idempotency import Execution, Idempotency, KeptAnswer
from shared.web.operations import ApiResponse, Content
from shared.web.views import Tagged

JSON = "application/json"


async def answered_once(
    idempotency: Idempotency,
    caller: Caller,
    operation: str,
    key: str | None,
    request: str,
    handle: Callable[[Execution], Awaitable[ApiResponse]],
) -> ApiResponse:
    """Return the answer that a repeat got before, or handle the call and keep its answer.

    A refused call has changed nothing, so its key can be used again.
    """
    begun = await idempotency.begin(caller, operation, key, request)
    if isinstance(begun, KeptAnswer):
        return _again(begun)
    try:
        answer = await handle(begun)
    except Exception as error:
        await idempotency.give_up(begun, unchanged=isinstance(error, CallerError))
        raise
    if not answer.effect:
        await idempotency.give_up(begun, unchanged=True)
    elif key:
        await idempotency.keep(begun, _kept(answer))
    return answer


def _kept(answer: ApiResponse) -> KeptAnswer:
    body = answer.body.model_dump_json(by_alias=True) if answer.body is not None else ""
    etag = answer.body.etag if isinstance(answer.body, Tagged) else ""
    return KeptAnswer(answer.status, body, etag, answer.at)


def _again(kept: KeptAnswer) -> ApiResponse:
    return ApiResponse(
        status=kept.status,
        headers={"ETag": kept.etag} if kept.etag else {},
        at=kept.at,
        content=Content(JSON, kept.body.encode()) if kept.body else None,
        repeated=True,
    )
