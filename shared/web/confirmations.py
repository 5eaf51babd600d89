"""Acts that cannot be undone: a person needs a new sign-in, a program confirms what it means.

A program cannot sign in again. Its call without `confirm` changes nothing and returns what it would
do, with a code. The call with this code does it, unless that has changed in the meantime.
"""

import hashlib
import hmac
from typing import Annotated, Final

from pydantic import Field

from shared.domain.errors import Conflict
from shared.domain.model import Model
from shared.web.calls import Call
from shared.web.operations import Query

_DETAIL: Final = "Nothing has been changed. To do it, repeat the call with confirm."


class ConfirmQuery(Query):
    """The code from the first call. Programs need it; for people it is optional."""

    confirm: Annotated[str | None, Field(max_length=64)] = None
    """The code from the first call. Programs need it; for people it is optional."""


class ConfirmationView(Model):
    """What a program is about to do: to which object, and how many mailboxes it affects.

    Send `confirm` to do it. `mailboxes` is null if their number is not known.
    """

    confirm: str
    """The code. Repeat the call with it as `confirm`."""
    subject: str
    """The id of the object."""
    mailboxes: int | None
    """The number of mailboxes that it affects, or null if it is not known."""
    detail: str = _DETAIL
    """What to do next."""


def confirmation(
    call: Call, confirm: str | None, subject: str, version: str, mailboxes: int | None = None
) -> ConfirmationView | None:
    """Return None if the call may do what it asks for, or what a program has to confirm first.

    Raises `Conflict` if `confirm` is the code of something else.
    """
    if confirm is None and not call.caller.program:
        return None
    code = code_of(call, call.operation.name, subject, version, mailboxes)
    if confirm is None:
        return ConfirmationView(confirm=code, subject=subject, mailboxes=mailboxes)
    require_code(confirm, code)
    return None


def code_of(call: Call, *shown: object) -> str:
    """Return the code that confirms exactly what is shown, in the caller's tenant."""
    text = "\n".join(map(str, (call.caller.tenant, *shown)))
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def require_code(confirm: str, code: str) -> None:
    """Raise `Conflict` if a code confirms something else."""
    if not hmac.compare_digest(confirm.encode(), code.encode()):
        raise Conflict("removal_changed")
