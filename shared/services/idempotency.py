"""Idempotency keys: repeating a call with an effect does not do it twice.

A row per key of a caller and operation says that the call is under way, and then how it was
answered. It also holds a random seed: what the call creates gets ids derived from it, so that a
repeat after a crash finds what the first execution created. The seed stays secret, because a
partner needs only the share id: it must be impossible to compute one.
"""

import logging
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

from pydantic import BaseModel

from shared.adapters.entra.access_tokens import Caller
from shared.adapters.sealing import Purpose, Seal
from shared.adapters.storage.models import IdempotencyClaim
from shared.adapters.storage.records import Records, Stored
from shared.adapters.storage.store import Store
from shared.domain.errors import (
    Busy,
    Conflict,
    ContactSyncError,
    KeyInUse,
    KeyReused,
    PreconditionFailed,
)

KEPT: Final = timedelta(days=1)
"""How long a key and its answer are known."""
_LEASE: Final = timedelta(minutes=1)
"""How long a call counts as under way; no call is answered later."""
_SKEW: Final = timedelta(minutes=1)
_AGAIN: Final = 5.0
"""The most seconds to wait for a call that is under way."""
_LONGEST: Final = 400_000
"""The longest sealed answer that a row holds; a repeat of a longer one finds the object itself."""
_ANSWER: Final = Purpose("answer", KEPT)
_log = logging.getLogger(__name__)


class KeyUsed(Conflict):
    """The key belongs to an object that no longer exists."""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """How a call was answered: status, JSON body ('' if none), ETag, and where to look."""

    status: int
    body: str = ""
    etag: str = ""
    at: str = ""


@dataclass(slots=True)
class Execution:
    """One execution of a call with an effect; `again` if an earlier one may have had its effect.

    `began` is when the first execution began. Without a key, each call is its own first execution.
    """

    seed: str
    began: datetime
    again: bool = False
    _row: str = ""
    _tenant: str = ""
    _claims: Records[IdempotencyClaim] | None = None
    _stored: Stored[IdempotencyClaim] | None = None

    def new_id(self, of: str) -> str:
        """Return the random id of what the call creates, the same in each execution."""
        return blake2b(of.encode(), key=self.seed.encode(), digest_size=16).hexdigest()

    @property
    def noted(self) -> str | None:
        """What an earlier execution noted, or None."""
        return self._stored.value.noted if self._stored is not None else None

    async def first(self, seen: str) -> str:
        """Note what the call is about to change; return what its first execution has noted."""
        if self._stored is None:
            return seen
        if self._stored.value.noted is None:
            try:
                await self._write(self._stored.value.copy_with(noted=seen))
            except PreconditionFailed as error:
                raise Busy("Another execution of the call goes on.", _AGAIN) from error
        return seen if self._stored.value.noted is None else self._stored.value.noted

    async def finish(self, answer: KeptAnswer, sealed: str) -> None:
        """Keep how the call was answered, with its sealed body."""
        if self._stored is not None:
            await self._write(
                self._stored.value.copy_with(
                    until=None,
                    status=answer.status,
                    etag=answer.etag,
                    at=answer.at,
                    answer=sealed,
                )
            )

    async def give_up(self, *, unchanged: bool) -> None:
        """Let the call be repeated at once; forget its key if it has certainly changed nothing."""
        if self._claims is None or self._stored is None:
            return
        if unchanged and not self.again:
            await self._claims.delete(self._tenant, self._row, self._stored.etag)
        else:
            await self._write(self._stored.value.copy_with(until=None))

    async def _write(self, value: IdempotencyClaim) -> None:
        if self._claims is None or self._stored is None:
            return
        self._stored = await self._claims.replace(self._tenant, self._row, value, self._stored.etag)


class Idempotency:
    """Knows for each key how the call was answered, or that it is under way."""

    def __init__(
        self, store: Store, clock: Callable[[], datetime], new_id: Callable[[], str], seal: Seal
    ) -> None:
        self._claims = store.claims
        self._clock = clock
        self._new_id = new_id
        self._seal = seal

    def once(self) -> Execution:
        """Return the execution of a call without a key."""
        return Execution(self._new_id(), self._clock())

    async def begin(
        self, caller: Caller, operation: str, key: str | None, request: str
    ) -> Execution | KeptAnswer:
        """Begin a call, or return how it was answered before.

        Raises `KeyReused` if the key was sent with another request, and `KeyInUse` while the first
        call is under way.
        """
        if not key:
            return self.once()
        known, new = await self._claimed(caller, operation, key, request)
        claim, now = known.value, self._clock()
        if not new:
            if claim.status and (answer := await self._opened(claim)) is not None:
                return answer
            if claim.until is not None and now < claim.until <= now + _LEASE + _SKEW:
                raise _in_use((claim.until - now).total_seconds())
            try:
                known = await self._claims.replace(
                    caller.tenant,
                    _row(caller, operation, key),
                    claim.copy_with(until=now + _LEASE),
                    known.etag,
                )
            except PreconditionFailed as error:
                raise _in_use(_AGAIN) from error
        return self._execution(caller, operation, key, known, again=not new)

    async def resume(
        self, caller: Caller, operation: str, key: str | None, body: BaseModel
    ) -> Execution:
        """Begin a call whose answer is not kept, also while another execution is under way.

        For forms, which show again what the first execution created. Raises `KeyReused` if the key
        was sent with another body.
        """
        if not key:
            return self.once()
        request = body.model_dump_json(by_alias=True)
        known, new = await self._claimed(caller, operation, key, request)
        return replace(self._execution(caller, operation, key, known, again=not new), _stored=None)

    async def keep(self, execution: Execution, answer: KeptAnswer) -> None:
        """Keep an answer for repeats, sealed: it may hold manual contacts and names.

        A call is answered even if that fails. Its repeat is then executed again, and finds what
        this one did.
        """
        try:
            sealed = ""
            if answer.body:
                packed = b64encode(zlib.compress(answer.body.encode())).decode()
                sealed = await self._seal.close(_ANSWER, {"body": packed})
            if len(sealed) <= _LONGEST:
                await execution.finish(answer, sealed)
            else:
                await execution.give_up(unchanged=False)
        except ContactSyncError as error:
            _log.warning("cannot keep the answer to a call: %s", error)

    async def give_up(self, execution: Execution, *, unchanged: bool) -> None:
        """Let a failed call be repeated at once, as far as storage responds."""
        try:
            await execution.give_up(unchanged=unchanged)
        except ContactSyncError as error:
            _log.warning("cannot give up an idempotency key: %s", error)

    async def _claimed(
        self, caller: Caller, operation: str, key: str, request: str
    ) -> tuple[Stored[IdempotencyClaim], bool]:
        """Return the row of a key, and whether it is new; raises `KeyReused`, `KeyInUse`."""
        row, now = _row(caller, operation, key), self._clock()
        claim = IdempotencyClaim(
            seed=self._new_id(), request=_hash(request), when=now, until=now + _LEASE
        )
        try:
            return await self._claims.insert(caller.tenant, row, claim), True
        except Conflict:
            known = await self._claims.get(caller.tenant, row)
        if known is None:  # given up in between
            raise _in_use(1.0)
        if known.value.seed == claim.seed:  # the insertion was sent twice
            return known, True
        if known.value.when + KEPT <= now:
            try:
                return await self._claims.replace(caller.tenant, row, claim, known.etag), True
            except PreconditionFailed as error:
                raise _in_use(1.0) from error
        if known.value.request != claim.request:
            raise KeyReused("idempotency_key_reused")
        return known, False

    def _execution(
        self,
        caller: Caller,
        operation: str,
        key: str,
        known: Stored[IdempotencyClaim],
        *,
        again: bool,
    ) -> Execution:
        return Execution(
            known.value.seed,
            known.value.when,
            again,
            _row(caller, operation, key),
            caller.tenant,
            self._claims,
            known,
        )

    async def _opened(self, claim: IdempotencyClaim) -> KeptAnswer | None:
        """Return a kept answer; None if its seal is no longer valid."""
        body = ""
        if claim.answer:
            opened = await self._seal.open(_ANSWER, claim.answer, longest=_LONGEST)
            if opened is None:
                return None
            body = zlib.decompress(b64decode(opened["body"])).decode()
        return KeptAnswer(claim.status, body, claim.etag, claim.at)


def _row(caller: Caller, operation: str, key: str) -> str:
    return f"{operation}-{_hash(f'{caller.oid} {key}')}"


def _in_use(seconds: float) -> KeyInUse:
    return KeyInUse("idempotency_key_in_use", min(max(seconds, 1.0), _AGAIN))


def _hash(text: str) -> str:
    return blake2b(text.encode(), digest_size=16).hexdigest()
