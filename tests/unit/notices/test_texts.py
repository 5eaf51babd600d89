"""What notices say in each language, and the card that Teams shows."""

import json
from datetime import UTC, datetime

import pytest

from shared.domain.notices.cards import card_of
from shared.domain.notices.causes import TOLD_WHEN_ENDED, NoticeKind
from shared.domain.notices.deliveries import Channel, Delivery, NoticeLine, NoticeState
from shared.domain.notices.texts import NoticeLanguage, text_of

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def line(kind: NoticeKind, causes: int = 1, state: NoticeState = NoticeState.OPEN) -> NoticeLine:
    return NoticeLine(
        kind=kind,
        state=state,
        causes=causes,
        mailboxes=1500,
        when=datetime(2027, 1, 12, tzinfo=UTC),
        path="licenses",
    )


@pytest.mark.parametrize("language", list(NoticeLanguage))
@pytest.mark.parametrize("kind", list(NoticeKind))
def test_every_kind_has_a_text_in_every_language(
    kind: NoticeKind, language: NoticeLanguage
) -> None:
    said = [text_of(line(kind, causes), language) for causes in (1, 3)]
    if kind in TOLD_WHEN_ENDED:
        said.append(text_of(line(kind, state=NoticeState.ENDED), language))

    assert all(said)
    assert "{" not in "".join(said)


def test_numbers_and_dates_are_written_as_the_language_does() -> None:
    short = line(NoticeKind.LICENSES_SHORT)

    assert text_of(short, NoticeLanguage.ENGLISH) == (
        "Mailboxes without a license: 1,500. Their contacts will be removed on 12 January 2027."
    )
    assert text_of(short, NoticeLanguage.GERMAN) == (
        "Postfächer ohne Lizenz: 1.500. Ihre Kontakte werden am 12. Januar 2027 entfernt."
    )


def test_card_has_each_line_and_a_link() -> None:
    lines = (line(NoticeKind.CONSENT_LOST), line(NoticeKind.CHANGES_HELD, 2))
    notice = Delivery(id="n", channel=Channel.TEAMS, created=NOW, lines=lines, due=NOW)

    body = json.loads(card_of(notice, "https://portal.example", NoticeLanguage.GERMAN))

    (card,) = body["attachments"]
    assert (body["type"], card["contentType"]) == (
        "message",
        "application/vnd.microsoft.card.adaptive",
    )
    assert card["content"]["version"] == "1.4"
    assert [block["text"] for block in card["content"]["body"]] == [
        "Contact Sync: Handlungsbedarf",
        "Die Zustimmung wurde widerrufen. Ihre Importe sind ausgesetzt.",
        "Änderungen von 2 Importen müssen geprüft werden (Postfächer: 1.500).",
    ]
    assert [action["url"] for action in card["content"]["actions"]] == ["https://portal.example/"]


def test_card_of_a_test_says_so() -> None:
    notice = Delivery(id="n", channel=Channel.TEAMS, created=NOW, due=NOW)

    assert b"This is a test." in card_of(notice, "https://portal.example", NoticeLanguage.ENGLISH)
