"""What answers of several triggers have in common; each other model stands beside its trigger.

Every JSON answer is the dump of such a model, so that the published document tells the truth.
"""

from typing import Any, Self

from shared.adapters.storage.records import Stored
from shared.domain.importing.runs import Omission
from shared.domain.model import Model
from shared.web.reason_texts import remedy_of


class Tagged(Model):
    """An object with its version: give `etag` back as If-Match to change only what you have read.

    It is answered as the header ETag, too.
    """

    etag: str

    @classmethod
    def of(cls, stored: Stored[Any], **more: Any) -> Self:
        """What is stored, its ETag, and what else is known of it."""
        return cls.model_validate({**dict(stored.value), "etag": stored.etag, **more})


class ItemPage[T](Model):
    """One page of a list; `next` asks for the one after it, null: it is the last."""

    items: list[T]
    next: str | None


class OmissionView(Omission):
    """Somebody of the share's sources who is not among its contacts, why, and what to do."""

    remedy: str

    @classmethod
    def of(cls, left_out: Omission) -> Self:
        """With the remedy of its reason."""
        reason = left_out.reason
        return cls(id=left_out.id, reason=reason, remedy=remedy_of(reason))
