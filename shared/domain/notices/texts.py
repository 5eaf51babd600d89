"""What notices say to people, in each language: short texts with counts and dates.

They are sent when nobody is signed in, so their language is a setting of the organization. Texts of
pages are in the portal's catalogs instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from shared.domain.notices.causes import NoticeKind
from shared.domain.notices.deliveries import NoticeLine, NoticeState


class NoticeLanguage(StrEnum):
    """A language of notices."""

    ENGLISH = "en"
    GERMAN = "de"


@dataclass(frozen=True, slots=True)
class _Words:
    """The texts of one language; `begun` has one for a single cause and one for several."""

    title: str
    test: str
    open: str
    date: str
    begun: Mapping[NoticeKind, tuple[str, str]]
    ended: Mapping[NoticeKind, str]


def _alike(text: str) -> tuple[str, str]:
    """Return a text that is the same for one cause and for several."""
    return text, text


_WORDS: Final[Mapping[NoticeLanguage, _Words]] = {
    NoticeLanguage.ENGLISH: _Words(
        title="Contact Sync needs your attention",
        test="This is a test. Notices from Contact Sync will appear here.",
        open="Open Contact Sync",
        date="d MMMM y",
        begun={
            NoticeKind.CONSENT_LOST: _alike(
                "The consent was withdrawn. Your imports are suspended."
            ),
            NoticeKind.CHANGES_HELD: (
                "Changes of an import need review (mailboxes: {mailboxes}).",
                "Changes of {causes} imports need review (mailboxes: {mailboxes}).",
            ),
            NoticeKind.LICENSES_SHORT: _alike(
                "Mailboxes without a license: {mailboxes}. Their contacts will be removed{when}."
            ),
            NoticeKind.TRIAL_ENDING: _alike(
                "The trial ends{when}. Mailboxes without a license then: {mailboxes}."
            ),
            NoticeKind.NOT_REMOVED: (
                "A partner has not removed withdrawn contacts (mailboxes: {mailboxes}).",
                "{causes} partners have not removed withdrawn contacts (mailboxes: {mailboxes}).",
            ),
            NoticeKind.IMPORTING_COMPANY: (
                "Another organization began to import a share, or asks to.",
                "{causes} other organizations began to import a share, or ask to.",
            ),
            NoticeKind.SYNCS_FAILING: (
                "An import has been failing for days (mailboxes: {mailboxes}).",
                "{causes} imports have been failing for days (mailboxes: {mailboxes}).",
            ),
            NoticeKind.WEEKLY_SUMMARY: _alike(
                "Weekly summary: mailboxes that receive contacts: {mailboxes}. Open problems: "
                "{problems}."
            ),
        },
        ended={NoticeKind.CONSENT_LOST: "The consent is back. Your imports continue."},
    ),
    NoticeLanguage.GERMAN: _Words(
        title="Contact Sync: Handlungsbedarf",
        test="Dies ist ein Test. Hier erscheinen Benachrichtigungen von Contact Sync.",
        open="Contact Sync öffnen",
        date="d. MMMM y",
        begun={
            NoticeKind.CONSENT_LOST: _alike(
                "Die Zustimmung wurde widerrufen. Ihre Importe sind ausgesetzt."
            ),
            NoticeKind.CHANGES_HELD: (
                "Änderungen eines Imports müssen geprüft werden (Postfächer: {mailboxes}).",
                "Änderungen von {causes} Importen müssen geprüft werden (Postfächer: {mailboxes}).",
            ),
            NoticeKind.LICENSES_SHORT: _alike(
                "Postfächer ohne Lizenz: {mailboxes}. Ihre Kontakte werden{when} entfernt."
            ),
            NoticeKind.TRIAL_ENDING: _alike(
                "Die Testphase endet{when}. Postfächer, die dann keine Lizenz haben: {mailboxes}."
            ),
            NoticeKind.NOT_REMOVED: (
                "Ein Partner hat Kontakte noch nicht entfernt (Postfächer: {mailboxes}).",
                "{causes} Partner haben Kontakte noch nicht entfernt (Postfächer: {mailboxes}).",
            ),
            NoticeKind.IMPORTING_COMPANY: (
                "Eine weitere Organisation importiert eine Freigabe oder möchte das.",
                "{causes} weitere Organisationen importieren eine Freigabe oder möchten das.",
            ),
            NoticeKind.SYNCS_FAILING: (
                "Ein Import schlägt seit Tagen fehl (Postfächer: {mailboxes}).",
                "{causes} Importe schlagen seit Tagen fehl (Postfächer: {mailboxes}).",
            ),
            NoticeKind.WEEKLY_SUMMARY: _alike(
                "Wochenübersicht: Postfächer, die Kontakte erhalten: {mailboxes}. Offene Punkte: "
                "{problems}."
            ),
        },
        ended={NoticeKind.CONSENT_LOST: "Die Zustimmung liegt wieder vor. Ihre Importe laufen."},
    ),
}
_ON: Final = {NoticeLanguage.ENGLISH: " on ", NoticeLanguage.GERMAN: " am "}


def title_of(language: NoticeLanguage) -> str:
    """Return the title of every notice."""
    return _WORDS[language].title


def link_text(language: NoticeLanguage) -> str:
    """Return the text of the link to a page."""
    return _WORDS[language].open


def test_text(language: NoticeLanguage) -> str:
    """Return what a test says."""
    return _WORDS[language].test


def text_of(line: NoticeLine, language: NoticeLanguage) -> str:
    """Return what a line of a notice says."""
    words = _WORDS[language]
    if line.state is NoticeState.ENDED:
        return words.ended[line.kind]
    one, several = words.begun[line.kind]
    when = _ON[language] + _date(line.when, language) if line.when is not None else ""
    return (one if line.causes == 1 else several).format(
        causes=_number(line.causes, language),
        mailboxes=_number(line.mailboxes, language),
        problems=_number(line.problems, language),
        when=when,
    )


def _date(when: datetime, language: NoticeLanguage) -> str:
    from babel.dates import format_date  # noqa: PLC0415 - at the first notice

    return format_date(when.date(), _WORDS[language].date, locale=language.value)


def _number(count: int, language: NoticeLanguage) -> str:
    from babel.numbers import format_decimal  # noqa: PLC0415 - at the first notice

    return format_decimal(count, locale=language.value)
