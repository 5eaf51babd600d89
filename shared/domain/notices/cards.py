"""Notices as Adaptive Cards, for a Teams workflow "When a webhook request is received"."""

import json
from typing import Any

from shared.domain.notices.deliveries import Delivery
from shared.domain.notices.texts import NoticeLanguage, link_text, test_text, text_of, title_of


def card_of(delivery: Delivery, origin: str, language: NoticeLanguage) -> bytes:
    """Return the body of a notice for Teams: counts, dates and a link, never names."""
    said = [text_of(line, language) for line in delivery.lines] or [test_text(language)]
    path = delivery.lines[0].path if len(delivery.lines) == 1 else ""
    content = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [
            _text(title_of(language), weight="Bolder", size="Medium"),
            *(_text(text) for text in said),
        ],
        "actions": [
            {"type": "Action.OpenUrl", "title": link_text(language), "url": f"{origin}/{path}"}
        ],
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": content,
    }
    return json.dumps({"type": "message", "attachments": [attachment]}).encode()


def _text(text: str, **more: str) -> dict[str, Any]:
    return {"type": "TextBlock", "text": text, "wrap": True, **more}
