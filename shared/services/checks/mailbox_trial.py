"""One mailbox in a check: a marked test contact and a category, written and removed again.

They are written as a sync writes them, under the mailbox's lease. The mark names the check instead
of an import, so that no import takes the contact for its own, and each later check finds it.
"""

import io
from datetime import timedelta
from functools import cache
from typing import Final

from PIL import Image

from shared.adapters.graph.mailboxes.answers import is_gone, missing_mailbox, not_for_good
from shared.adapters.graph.transport import GraphResponse, GraphSession
from shared.adapters.graph.user_photos import PhotoRefused, photo_tags
from shared.domain.contacts.fields import Contact
from shared.domain.contacts.mapping import clean
from shared.domain.contacts.plan import Create, Delete, SetPhoto
from shared.domain.contacts.plan import Operation as ContactOperation
from shared.domain.errors import NeedsAdmin, Refused, Unavailable
from shared.domain.reasons import Reason
from shared.domain.tenancy.tenant_checks import CheckReason
from shared.services.sync.mailbox_work import MailboxWork

MARK_OF_CHECKS: Final = "check"
"""Stands in marks and leases where the id of an import otherwise does, which is longer."""
TEST_NAME: Final = "Contact Sync test"
_KEY: Final = "test"
_COLOR: Final = "preset7"
_MOST: Final = 20
_EDGE: Final = 48


class MailboxTrial:
    """The lines of one leased mailbox.

    Every method may raise `NeedsAdmin` and `TransientError`. `category` says whether the test
    category may exist, `binned` that a contact went to Deleted Items instead of being deleted for
    good.
    """

    def __init__(self, work: MailboxWork, session: GraphSession, *, category: bool) -> None:
        self._work = work
        self._session = session
        self._box = work.mailbox
        self._contact: str | None = None
        # No user has a category of this name, and all checks of the tenant use the same one.
        self._name = f"{TEST_NAME} {work.message.tenant[:8]}"
        self.category = category
        self.binned = False

    async def read(self) -> CheckReason | None:
        """Read contacts of the mailbox: those of earlier checks."""
        await self._box.find([_KEY])
        return None

    async def write_contact(self) -> CheckReason | None:
        """Write the test contact, and look for it by its mark."""
        fields, _ = clean({"displayName": TEST_NAME})
        answer = await self._send(Create(_KEY, Contact.of(_KEY, fields)))
        self._contact = str(answer.body["id"])
        found = await self._box.find([_KEY])
        return None if found else CheckReason.MARK_NOT_FOUND

    async def write_photo(self) -> CheckReason | None:
        """Set a photo of the test contact."""
        if self._contact is None:
            return CheckReason.NOT_REACHED
        await self._send(SetPhoto(_KEY, self._contact, "", _photo()))
        return None

    async def write_category(self) -> CheckReason | None:
        """Add the test category, which has a color."""
        before, self.category = self.category, True
        await self._work.may_send(1, 1, 1)
        try:
            await self._box.make_category(self._name, _COLOR)
        except NeedsAdmin:
            self.category = before  # refused, so this one does not exist
            return CheckReason.CATEGORY_REFUSED
        return None

    async def read_photo(self) -> CheckReason | None:
        """Read whether the mailbox's user has a photo."""
        mailbox = self._work.message.mailbox
        found = (await photo_tags(self._session, [mailbox]))[mailbox]
        return CheckReason.PHOTO_REFUSED if isinstance(found, PhotoRefused) else None

    async def clean_up(self) -> CheckReason | None:
        """Remove the test contacts and the category of this check and of earlier ones."""
        for _ in range(_MOST):
            known = [self._contact] if self._contact is not None else []
            found = [*(await self._box.find([_KEY])).values()]
            if not (doomed := list(dict.fromkeys([*known, *found]))):
                break
            for id_ in doomed:
                await self._remove(id_)
            self._contact = None
        else:
            return CheckReason.NOT_REMOVED_YET
        if self.category and (own := await self._box.category_named(self._name)) is not None:
            await self._work.may_send(1, 1, 1)
            await self._box.remove_category(own)
            if await self._box.category_named(self._name) is not None:
                return CheckReason.NOT_REMOVED_YET
        return CheckReason.IN_DELETED_ITEMS if self.binned else None

    def unsettled(self) -> timedelta:
        """Return for how long a request may still take effect that nobody knows the fate of."""
        work = self._work
        if work.mailbox.unanswered and work.lease is not None:
            return max(work.lease.until - work.clock(), timedelta(seconds=1))
        return work.lease.unsettled(work.clock()) if work.lease is not None else timedelta()

    async def _remove(self, id_: str) -> None:
        answer = await self._answer(Delete(_KEY, id_, only_ours=True))
        if not_for_good(answer):
            # The mailbox now deletes as a user does.
            answer = await self._answer(Delete(_KEY, id_, only_ours=True))
            self.binned = True
        if not is_gone(answer):
            _require(answer)

    async def _send(self, operation: ContactOperation) -> GraphResponse:
        return _require(await self._answer(operation))

    async def _answer(self, operation: ContactOperation) -> GraphResponse:
        await self._work.may_send(1, 1, 1)
        (answer,) = await self._box.apply([operation], None)
        return answer


def _require(answer: GraphResponse) -> GraphResponse:
    """Return a successful answer to a write; raise what any other answer means."""
    if answer.ok:
        return answer
    if answer.is_transient:
        raise Unavailable(f"Graph returned {answer.status} {answer.code}.", answer.wait)
    raise missing_mailbox(answer) or Refused(answer.status, answer.code, Reason.GAVE_UP)


@cache
def _photo() -> bytes:
    """Return a small gray picture."""
    made = io.BytesIO()
    Image.new("RGB", (_EDGE, _EDGE), "gray").save(made, "JPEG")
    return made.getvalue()
