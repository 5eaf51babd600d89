"""The portal's texts: complete in German, and always escaped."""

import re
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import azure.functions as func
import pytest
from babel.messages.catalog import Message
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.importing.runs import Outcome, RunStatus, RunTrigger
from shared.domain.reasons import Reason
from shared.domain.tenancy.tenants import LedgerAction, LedgerEntry
from shared.portal import rendering
from shared.portal.formats import filters
from shared.portal.forms.filters import AUDIT
from shared.portal.forms.showing import show
from shared.portal.forms.targets import Chosen
from shared.portal.visits import Visit
from shared.services.licensing.licenses import SeatsOutlook
from tests.sources import SHARED, files
from tests.unit.portal.messages import LOCALES, write

PLACE = re.compile(r"%\(\w+\)s")
ACTIONS = set(LedgerAction) - {LedgerAction.MESSAGE_FOREIGN}
"""The actions in the ledgers of tenants; the other one is in the service's own, on no page."""


PAGE = {
    "language": "en",
    "path": "/",
    "area": "start",
    "caller": {"name": "x", "oid": "o", "tenant": "t"},
    "may_write": True,
    "company": "x",
    "token": "",
    "notice": None,
    "support": "",
}
"""The values that every page gets."""


TRANSLATED = list(rendering.LANGUAGES)[1:]
"""The languages that have a catalogue; the first is the one of all texts."""


def catalogue(language: str) -> list[Message]:
    path = LOCALES / language / "LC_MESSAGES" / "messages.po"
    found = read_po(path.read_text("utf-8").splitlines(), locale=language)
    return [entry for entry in found if entry.id]


def forms(text: object) -> list[str]:
    """A text, or its singular and plural."""
    return [text] if isinstance(text, str) else list(text) if isinstance(text, tuple) else []


def places(texts: list[str]) -> set[str]:
    return {place for text in texts for place in PLACE.findall(text)}


def test_catalogues_are_what_make_messages_writes(tmp_path: Path) -> None:
    made = tmp_path / "locales"
    shutil.copytree(LOCALES, made)

    write(made)

    for path in files(LOCALES, "messages.*"):
        assert (made / path.relative_to(LOCALES)).read_bytes() == path.read_bytes(), path.name


def test_every_language_has_a_catalogue_and_every_catalogue_a_language() -> None:
    assert sorted(p.parents[1].name for p in files(LOCALES, "messages.po")) == sorted(TRANSLATED)


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_is_translated_with_the_same_values(language: str) -> None:
    entries = catalogue(language)

    assert len(entries) > 500
    for entry in entries:
        assert not entry.fuzzy, entry.id
        translated = forms(entry.string)
        assert translated, entry.id
        assert all(translated), entry.id
        assert places(translated) == places(forms(entry.id)), entry.id


@pytest.mark.parametrize("language", rendering.LANGUAGES)
def test_every_ledger_action_has_a_text(language: str) -> None:
    entries = [
        LedgerEntry(when=datetime(2026, 11, 23, tzinfo=UTC), actor="a", action=a, subject="s")
        for a in sorted(ACTIONS)
    ]
    request = func.HttpRequest("GET", "https://portal.example/", body=b"")
    visit = Visit(None, request, language)  # type: ignore[arg-type] # no service is asked
    filter_ = show(visit, AUDIT.blank())
    values = {
        "items": entries,
        "filter": filter_,
        "asked": {},
        "query": "",
        "next": None,
        "names": {},
    }

    text = rendering.render("settings/audit", language, page=PAGE, **values)
    rows = re.findall(r"<td[^>]*>\s*([^<]*?)\s*<small><code>([^<]*)</code>", text)

    assert {action for _, action in rows} == ACTIONS
    assert [action for words, action in rows if not words or words == action] == []


@pytest.mark.parametrize("language", rendering.LANGUAGES)
@pytest.mark.parametrize(
    ("table", "codes"),
    [
        ("statuses", set(RunStatus)),
        ("outcomes", set(Outcome)),
        ("triggers", set(RunTrigger)),
        ("reasons", set(Reason)),
        ("actions", ACTIONS),
    ],
)
def test_every_code_has_words_and_no_words_are_left_over(
    language: str, table: str, codes: set[str]
) -> None:
    template = rendering._environment(language).get_template("words.html")
    words = getattr(template.make_module({"page": PAGE}), table)

    assert words.keys() == codes
    assert all(words.values())


def test_each_help_question_appears_once() -> None:
    asked = re.compile(r'call help\(_\("([^"]*)"\)\)')
    templates = files(SHARED / "portal" / "templates", "*.html")
    questions = [q for path in templates for q in asked.findall(path.read_text("utf-8"))]

    assert len(questions) > 10
    assert sorted(questions) == sorted(set(questions))


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("fr,en;q=0.5,de;q=0.4", "en"),
        ("en;q=0.1,de;q=0.2", "de"),
        ("de;q=0", "en"),
        ("de;q=x", "en"),
        ("*", "en"),
        (",;=", "en"),
    ],
)
def test_browser_preference_selects_the_language(header: str, language: str) -> None:
    assert rendering.preferred(header) == language


@given(st.text())
def test_any_accept_language_header_yields_a_supported_language(header: str) -> None:
    assert rendering.preferred(header) in rendering.LANGUAGES


def test_dates_and_numbers_follow_the_language() -> None:
    moment = datetime(2026, 11, 23, 15, 4, tzinfo=UTC)
    english, german = filters("en"), filters("de")

    assert english["moment"](moment) == "23 Nov 2026, 15:04 UTC"
    assert german["day"](date(2026, 11, 23)) == "23.11.2026"
    assert (english["number"](10000), german["number"](10000)) == ("10,000", "10.000")
    assert german["duration"](timedelta(minutes=3)) == "3 Minuten"
    assert english["percent"](0.25) == "25%"


@pytest.mark.parametrize(("language", "number"), [("en", "12,345"), ("de", "12.345")])
def test_numbers_in_texts_follow_the_language(language: str, number: str) -> None:
    outlook = SeatsOutlook(12345, 12345, 12345, 12345, "over", None)
    chosen = Chosen([("users:x", "x")], 12345, outlook, "", 30)
    form = {"errors": {}, "labels": {}, "note": "", "theirs": (), "etag": "", "key": ""}
    values = {"form": form, "found": [], "silent": "", "q": "", "chosen": chosen}
    picker = rendering.render(
        "imports/new_targets",
        language,
        page=PAGE,
        **values,
        step="targets",
        at=1,
        carried=[],
        offer={
            "share": {"name": "x"},
            "publisher": {"verified_name": "x", "name": "x"},
            "contacts": None,
            "waiting": False,
        },
    )

    assert picker.count(number) == 5
    assert "12345" not in picker
    assert rendering.ngettext(language)("%(num)s day", "%(num)s days", 12345).startswith(number)
    limit = rendering.error_texts(language).text("above_maximum", {"limit": 12345})
    assert number in limit


@given(st.text(min_size=1))
def test_names_are_escaped(name: str) -> None:
    page = PAGE | {
        "caller": {"name": name, "oid": "o", "tenant": "t"},
        "company": name,
        "notice": {"text": name, "undo": None},
    }

    text = rendering.render("sign_in/needed", "en", page=page, to=name)

    assert text.count("<script") == 1
    assert text.count("<") == rendering.render(
        "sign_in/needed",
        "en",
        page=PAGE | {"notice": {"text": "x", "undo": None}},
        to="x",
    ).count("<")


@pytest.mark.parametrize("name", ["secret.txt", "../base.html", "portal.css/..", "", "\0"])
def test_only_known_static_files_are_served(name: str) -> None:
    assert rendering.static_file(name) is None
    assert rendering.static_file("portal.css") is not None


def test_static_file_url_contains_a_version() -> None:
    assert re.fullmatch(r"/static/portal\.css\?v=[0-9a-f]{12}", rendering.asset("portal.css"))
