"""Response models that several triggers share; other models are in their trigger's module.

Every JSON response is the dump of such a model, so that it always matches the OpenAPI document.
"""

from typing import Any, Self

from shared.adapters.storage.records import Stored
from shared.domain.importing.runs import Omission
from shared.domain.model import Model
from shared.web.texts.reasons import remedy_of


class Tagged(Model):
    """An object with its version. Send `etag` as If-Match to change only the version you have read.

    The ETag header has the same value.
    """

    etag: str
    """The version of the object. Send it as If-Match."""

    @classmethod
    def of(cls, stored: Stored[Any], **more: Any) -> Self:
        """Build the view from a stored model, its ETag and further values."""
        return cls.model_validate({**dict(stored.value), "etag": stored.etag, **more})


class ItemPage[T](Model):
    """One page of a list; `next` is the token for the next page, or null on the last page."""

    items: list[T]
    """The items of this page. A page may be empty although there are more."""
    next: str | None
    """Send it as `next` to get the next page. Null on the last page."""
    next_link: str | None = None
    """The address of the next page. Null on the last page."""


class OmissionView(Omission):
    """A person of the share's sources who did not become a contact, the reason, and the remedy."""

    remedy: str
    """What an admin can do about it."""

    @classmethod
    def of(cls, omission: Omission) -> Self:
        """Add the remedy for the reason."""
        reason = omission.reason
        return cls(id=omission.id, reason=reason, remedy=remedy_of(reason))
