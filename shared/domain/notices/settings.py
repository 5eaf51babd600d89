"""What an organization's admins set about notices."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from shared.domain.model import Model
from shared.domain.notices.causes import UNLESS_WANTED, NoticeKind
from shared.domain.notices.deliveries import AttemptOutcome, Channel
from shared.domain.notices.texts import NoticeLanguage

MAX_URL = 1_000


class NoticesInput(Model):
    """What notices are sent about, and in which language."""

    kinds: Annotated[list[NoticeKind], Field(max_length=50, strict=False)] = [
        kind for kind in NoticeKind if kind not in UNLESS_WANTED
    ]
    """What notices are sent about. An empty list sends none."""
    language: Annotated[NoticeLanguage, Field(strict=False)] = NoticeLanguage.ENGLISH
    """The language of notices that people read: `en` is English, `de` German."""
    failing_days: Annotated[int, Field(ge=1, le=30)] = 3
    """After how many days failing syncs, and partners that removed nothing, are reported."""


class WebhookInput(Model):
    """Where notices are sent."""

    url: Annotated[str, Field(max_length=MAX_URL, pattern=r"^https?://[!-~]+$")]
    """The https address of the receiver, with a host name on the public internet and port 443."""


class TestInput(Model):
    """Where a test is sent."""

    channel: Annotated[Channel, Field(strict=False)] = Channel.WEBHOOK
    """Where the test is sent."""


class Receiver(Model):
    """A receiver of notices. `sealed` holds its address and secret, encrypted; see `ReceiverKeys`.

    Only its host is shown. `disabled` is when it was turned off, and `reason` the failure.
    """

    host: str
    since: datetime
    sealed: str
    sealed_at: datetime
    disabled: datetime | None = None
    reason: AttemptOutcome | None = None


class NoticeSettings(NoticesInput):
    """The settings, the receiver of each channel, and when its last test was sent."""

    receivers: dict[Channel, Receiver] = {}
    tested: dict[Channel, datetime] = {}

    def active(self) -> tuple[Channel, ...]:
        """Return the channels through which notices can be sent."""
        return tuple(channel for channel in Channel if self.is_active(channel))

    def is_active(self, channel: Channel) -> bool:
        """Return whether notices can be sent through a channel."""
        receiver = self.receivers.get(channel)
        return receiver is not None and receiver.disabled is None

    def with_receiver(self, channel: Channel, receiver: Receiver | None) -> "NoticeSettings":
        """Return the settings with another receiver of a channel, or without one."""
        others = {c: r for c, r in self.receivers.items() if c is not channel}
        given = {channel: receiver} if receiver is not None else {}
        return self.copy_with(receivers={**others, **given})
