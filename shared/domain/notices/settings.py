"""What an organization's admins set about notices."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from shared.domain.model import Model
from shared.domain.notices.causes import NoticeKind
from shared.domain.notices.deliveries import AttemptOutcome

MAX_URL = 1_000


class NoticesInput(Model):
    """What notices are sent about."""

    kinds: Annotated[list[NoticeKind], Field(max_length=50, strict=False)] = list(NoticeKind)
    """What notices are sent about. An empty list sends none."""


class WebhookInput(Model):
    """Where notices are sent."""

    url: Annotated[str, Field(max_length=MAX_URL, pattern=r"^https?://[!-~]+$")]
    """The https address of the receiver, with a host name on the public internet and port 443."""


class Webhook(Model):
    """A receiver of notices. `sealed` holds its address and secret, encrypted; see `WebhookKeys`.

    Only its host is shown. `disabled` is when it was turned off, and `reason` the failure.
    """

    host: str
    since: datetime
    sealed: str
    sealed_at: datetime
    disabled: datetime | None = None
    reason: AttemptOutcome | None = None


class NoticeSettings(NoticesInput):
    """The settings, the receiver if there is one, and when the last test was sent."""

    webhook: Webhook | None = None
    tested: datetime | None = None

    @property
    def active(self) -> bool:
        """Whether notices can be sent anywhere."""
        return self.webhook is not None and self.webhook.disabled is None
