"""Notices are signed as Standard Webhooks defines it, and hold counts and links only."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

from shared.domain.notices.causes import NoticeKind
from shared.domain.notices.deliveries import Delivery, NoticeLine, NoticeState
from shared.domain.notices.webhooks import body_of, headers_of, secret_of

NOW = datetime(2026, 11, 30, 6, tzinfo=UTC)
LINE = NoticeLine(
    kind=NoticeKind.CHANGES_HELD,
    state=NoticeState.OPEN,
    causes=1,
    mailboxes=12,
    when=None,
    path="runs/r1",
)
NOTICE = Delivery(id="n1", created=NOW, lines=(LINE,), due=NOW)


def test_signature_is_that_of_the_specification() -> None:
    # The example of the specification's own libraries.
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    given = NOTICE.copy_with(id="msg_p5jXN8AQM9LWM0D4loKWxJek")
    at = datetime.fromtimestamp(1614265330, UTC)

    headers = headers_of(given, b'{"test": 2432232314}', [secret], at)

    assert headers["webhook-id"] == given.id
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_each_secret_signs_while_a_new_one_is_taken_into_use() -> None:
    secrets = [secret_of(b"a" * 32), secret_of(b"b" * 32)]
    body = body_of(NOTICE, "t", "https://portal.example")

    headers = headers_of(NOTICE, body, secrets, NOW)

    signed = b".".join((b"n1", headers["webhook-timestamp"].encode(), body))
    assert headers["webhook-signature"].split() == [
        "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        for key in (b"a" * 32, b"b" * 32)
    ]


def test_body_is_the_same_in_every_try_and_holds_counts_and_a_link() -> None:
    body = body_of(NOTICE, "t", "https://portal.example")
    later = NOTICE.begun(NOW + timedelta(hours=1))

    assert body_of(later, "t", "https://portal.example") == body
    assert json.loads(body) == {
        "type": "notice.created",
        "timestamp": "2026-11-30T06:00:00Z",
        "data": {
            "tenant": "t",
            "items": [
                {
                    "kind": "changes_held",
                    "state": "open",
                    "causes": 1,
                    "mailboxes": 12,
                    "problems": 0,
                    "date": None,
                    "url": "https://portal.example/runs/r1",
                }
            ],
        },
    }
