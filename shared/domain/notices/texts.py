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


_WEEK_ENGLISH: Final = (
    "Weekly summary: mailboxes that receive contacts: {mailboxes}. Open problems: {problems}."
)
_WEEK_GERMAN: Final = (
    "Wochenübersicht: Postfächer, die Kontakte erhalten: {mailboxes}. Offene Punkte: {problems}."
)
_WORDS: Final[Mapping[NoticeLanguage, _Words]] = {
    NoticeLanguage.ENGLISH: _Words(
        title="Contact Sync needs your attention",
        test="This is a test. Notices from Contact Sync will appear here.",
        open="Open Contact Sync",
        date="{day} {month} {year}",
        begun={
            NoticeKind.CONSENT_LOST: (
                "The consent was withdrawn. Your imports are suspended.",
                "The consent was withdrawn. Your imports are suspended.",
            ),
            NoticeKind.CHANGES_HELD: (
                "Changes of an import need review (mailboxes: {mailboxes}).",
                "Changes of {causes} imports need review (mailboxes: {mailboxes}).",
            ),
            NoticeKind.LICENSES_SHORT: (
                "Mailboxes without a license: {mailboxes}. Their contacts will be removed{when}.",
                "Mailboxes without a license: {mailboxes}. Their contacts will be removed{when}.",
            ),
            NoticeKind.TRIAL_ENDING: (
                "The trial ends{when}. Mailboxes without a license then: {mailboxes}.",
                "The trial ends{when}. Mailboxes without a license then: {mailboxes}.",
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
            NoticeKind.WEEKLY_SUMMARY: (_WEEK_ENGLISH, _WEEK_ENGLISH),
        },
        ended={NoticeKind.CONSENT_LOST: "The consent is back. Your imports continue."},
    ),
    NoticeLanguage.GERMAN: _Words(
        title="Contact Sync: Handlungsbedarf",
        test="Dies ist ein Test. Hier erscheinen Benachrichtigungen von Contact Sync.",
        open="Contact Sync öffnen",
        date="{day}. {month} {year}",
        begun={
            NoticeKind.CONSENT_LOST: (
                "Die Zustimmung wurde widerrufen. Ihre Importe sind ausgesetzt.",
                "Die Zustimmung wurde widerrufen. Ihre Importe sind ausgesetzt.",
            ),
            NoticeKind.CHANGES_HELD: (
                "Änderungen eines Imports müssen geprüft werden (Postfächer: {mailboxes}).",
                "Änderungen von {causes} Importen müssen geprüft werden (Postfächer: {mailboxes}).",
            ),
            NoticeKind.LICENSES_SHORT: (
                "Postfächer ohne Lizenz: {mailboxes}. Ihre Kontakte werden{when} entfernt.",
                "Postfächer ohne Lizenz: {mailboxes}. Ihre Kontakte werden{when} entfernt.",
            ),
            NoticeKind.TRIAL_ENDING: (
                "Die Testphase endet{when}. Postfächer, die dann keine Lizenz haben: {mailboxes}.",
                "Die Testphase endet{when}. Postfächer, die dann keine Lizenz haben: {mailboxes}.",
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
            NoticeKind.WEEKLY_SUMMARY: (_WEEK_GERMAN, _WEEK_GERMAN),
        },
        ended={NoticeKind.CONSENT_LOST: "Die Zustimmung liegt wieder vor. Ihre Importe laufen."},
    ),
}
_MONTHS: Final[Mapping[NoticeLanguage, tuple[str, ...]]] = {
    NoticeLanguage.ENGLISH: (
        *("January", "February", "March", "April", "May", "June"),
        *("July", "August", "September", "October", "November", "December"),
    ),
    NoticeLanguage.GERMAN: (
        *("Januar", "Februar", "März", "April", "Mai", "Juni"),
        *("Juli", "August", "September", "Oktober", "November", "Dezember"),
    ),
}
_ON: Final = {NoticeLanguage.ENGLISH: " on ", NoticeLanguage.GERMAN: " am "}
_GROUPED: Final = {NoticeLanguage.ENGLISH: ",", NoticeLanguage.GERMAN: "."}


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
    month = _MONTHS[language][when.month - 1]
    return _WORDS[language].date.format(day=when.day, month=month, year=when.year)


def _number(count: int, language: NoticeLanguage) -> str:
    return f"{count:,}".replace(",", _GROUPED[language])
