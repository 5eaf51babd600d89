"""What the portal says: in German as in English, and escaped whatever it is."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract_from_dir
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.reasons import Reason
from shared.domain.tenancy.permissions import PERMISSIONS
from shared.domain.tenancy.tenants import LedgerEntry
from shared.portal import rendering
from shared.portal.formats import filters
from shared.portal.forms.import_form import Chosen
from shared.portal.languages import catalogs
from shared.services.licensing.licenses import SeatsOutlook
from shared.services.sharing.publications import NOT_OPEN
from tests.sources import SHARED, files

PLACE = re.compile(r"%\(\w+\)s")
SENTENCES = "errors"
"""The area whose texts stand in services, not in templates."""
NO_TENANTS = "message.foreign"
"""The action of an entry that no page shows: it is in the ledger of the service itself."""


PAGE = {
    "language": "en",
    "path": "/",
    "area": "start",
    "caller": {"name": "x", "oid": "o", "tenant": "t"},
    "may_write": True,
    "company": "x",
    "token": "",
    "notice": None,
}
"""What every page is rendered with."""


def texts() -> Iterator[str]:
    """Every text of templates and pages, as Babel finds it."""
    ways = [("portal/templates/**.html", "jinja2"), ("portal/**.py", "python")]
    options = {"portal/templates/**.html": {"newstyle_gettext": "true"}}
    read = set()
    for path, _, text, _, _ in extract_from_dir(str(SHARED), ways, options_map=options):
        read.add(Path(path).suffix)
        yield text if isinstance(text, str) else text[0]
    assert read == {".html", ".py"}


def translated() -> Iterator[tuple[str, Message]]:
    paths = files(SHARED / "portal" / "locales" / "de", "*.po")
    for path, catalog in zip(paths, catalogs("de"), strict=True):
        for entry in catalog:
            if entry.id:
                yield path.stem, entry


def identity(entry: Message) -> str:
    return entry.id if isinstance(entry.id, str) else entry.id[0]


def test_every_text_has_a_german_translation() -> None:
    known = {identity(entry) for _, entry in translated() if entry.string}

    assert set(texts()) - known == set()


def test_every_remedy_and_permission_has_a_german_translation() -> None:
    german = rendering.message("de")
    told = [reason.remedy for reason in Reason]
    told += [text for p in PERMISSIONS for text in (p.why, p.without)]

    assert [text for text in told if german(text) == text] == []


def actions() -> set[str]:
    """Every action that a service writes into the ledger of a tenant, such as 'share.created'."""
    written = re.compile(r'"([a-z]+\.[a-z-]+)"')
    services = files(SHARED / "services", "*.py")
    found = {action for path in services for action in written.findall(path.read_text("utf-8"))}
    return found - {NO_TENANTS}


@pytest.mark.parametrize("language", rendering.LANGUAGES)
def test_every_ledger_action_has_a_text(language: str) -> None:
    entries = [
        LedgerEntry(when=datetime(2026, 11, 23, tzinfo=UTC), actor="a", action=a, subject="s")
        for a in sorted(actions())
    ]
    values: dict[str, object] = {"entries": entries, "given": {}, "errors": {}, "next": None}

    text = rendering.render("settings/audit", language, page=PAGE, **values)
    rows = re.findall(r"<td[^>]*>\s*([^<]*?)\s*<small><code>([^<]*)</code>", text)

    assert {action for _, action in rows} == actions() >= {"share.created", "tenant.left"}
    assert [action for words, action in rows if not words or words == action] == []


def test_no_german_translation_is_unused() -> None:
    used = set(texts()) | {reason.remedy for reason in Reason}

    left = {identity(entry) for area, entry in translated() if area != SENTENCES} - used

    assert left == set()


def test_each_help_question_appears_once() -> None:
    asked = re.compile(r'call help\(_\("([^"]*)"\)\)')
    templates = files(SHARED / "portal" / "templates", "*.html")
    questions = [q for path in templates for q in asked.findall(path.read_text("utf-8"))]

    assert len(questions) > 10
    assert sorted(questions) == sorted(set(questions))


def test_each_text_has_one_german_translation_with_the_same_placeholders() -> None:
    seen: dict[str, object] = {}
    for _, entry in translated():
        name = identity(entry)
        assert seen.setdefault(name, entry.string) == entry.string, name
        ids = [entry.id] if isinstance(entry.id, str) else list(entry.id)
        strings = [entry.string] if isinstance(entry.string, str) else list(entry.string or ())
        places = {place for text in ids for place in PLACE.findall(text)}
        assert all(strings), name
        assert {place for text in strings for place in PLACE.findall(text)} <= places, name


def test_messages_with_values_are_translated() -> None:
    german = rendering.message("de")

    assert german("There is no share 'abc' in your tenant.").startswith("Unter der Kennung 'abc'")
    assert german("Input should be less than or equal to 12") == "darf höchstens 12 sein"
    assert german(NOT_OPEN).startswith("Unter dieser Kennung")
    assert german("Nobody has written this.") == "Nobody has written this."
    assert rendering.message("en")("Not found") == "Not found"


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
    values = {"errors": {}, "found": [], "silent": "", "q": "", "chosen": chosen}
    picker = rendering.render(
        "imports/new_targets",
        language,
        page=PAGE,
        **values,
        step="targets",
        at=1,
        key="",
        carried=[],
        offer={"share": {"name": "x"}, "publisher": {"called": "x"}},
    )

    assert picker.count(number) == 5
    assert "12345" not in picker
    assert rendering.ngettext(language)("%(num)s day", "%(num)s days", 12345).startswith(number)
    limit = rendering.message(language)("Input should be less than or equal to 12345")
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
