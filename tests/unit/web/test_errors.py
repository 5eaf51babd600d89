"""Every error has a code, values, and words in every language."""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import get_args

import azure.functions as func
import pytest
from markupsafe import escape

from shared.domain.error_codes import CODES, Code
from shared.domain.errors import (
    CallerError,
    Conflict,
    FieldError,
    InvalidInput,
    NeedsAdmin,
    Unavailable,
    Value,
)
from shared.domain.reasons import Reason
from shared.portal import rendering
from shared.portal.visits import Visit
from shared.web.problems import Problem, problem
from shared.web.texts.errors import ENGLISH, TEXTS
from shared.web.texts.reasons import REMEDIES
from shared.web.texts.titles import TITLES
from tests.sources import SHARED, files
from tests.unit.portal.test_portal_texts import PAGE

PLACE = re.compile(r"%\((\w+)\)s")
SAMPLES: dict[str, Value] = {
    "limit": 1234,
    "size": 2345,
    "line": 3,
    "column": 14,
    "fields": ("name", "targets"),
    "roles": ("Admin", "Reader"),
    "permissions": ("User.Read.All",),
    "names": ("x",),
    "choices": ("a", "b"),
    "types": ("application/json",),
}
TRANSLATED = list(rendering.LANGUAGES)[1:]
ALL: list[Code] = sorted(get_args(Code))


def values_of(code: Code) -> dict[str, Value]:
    return {name: SAMPLES.get(name, "sample") for name in PLACE.findall(TEXTS[code])}


def visit_in(language: str) -> Visit:
    request = func.HttpRequest("GET", "https://portal.example/shares", body=b"")
    return Visit(None, request, language)  # type: ignore[arg-type] # no service is asked


def calls() -> Iterator[tuple[str, str, str, set[str]]]:
    """Each error that the app makes with a literal code: where, class, code, names of values."""
    kinds = {CallerError.__name__, *_subclasses(CallerError)}
    for path in files(SHARED, "*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "id", "")
            place = f"{path.relative_to(SHARED)}:{node.lineno}"
            if name in kinds or name == "wrong":
                code, given = node.args[:1], {k.arg or "**" for k in node.keywords}
                given -= {"errors", "retry_after"}
            elif name == "FieldError":
                code, given = node.args[1:2], set[str]()
                if len(node.args) > 2 and isinstance(node.args[2], ast.Dict):
                    given = {ast.literal_eval(k) for k in node.args[2].keys if k is not None}
            else:
                continue
            if code and isinstance(code[0], ast.Constant):
                yield place, name, str(code[0].value), given


def _subclasses(kind: type[CallerError]) -> set[str]:
    return {sub.__name__ for sub in _kinds(kind)}


def test_every_code_has_words_and_no_words_are_left_over() -> None:
    assert set(TEXTS) == CODES
    assert set(REMEDIES) == set(Reason)
    kinds = {kind.kind for kind in _kinds(CallerError)}
    assert set(TITLES) == kinds | {"needs-admin", "unavailable", "internal-error"}


def _kinds(kind: type[CallerError]) -> Iterator[type[CallerError]]:
    yield kind
    for sub in kind.__subclasses__():
        yield from _kinds(sub)


def test_every_error_has_a_known_code_and_exactly_the_values_of_its_words() -> None:
    found = list(calls())
    wrong = [
        (place, code, given)
        for place, _, code, given in found
        if code not in CODES or given != set(PLACE.findall(TEXTS[code]))  # type: ignore[index]
    ]

    assert len(found) > 60
    assert wrong == []


def test_every_code_is_used() -> None:
    texts = {SHARED / "domain" / "error_codes.py", SHARED / "web" / "texts" / "errors.py"}
    used = {
        node.value
        for path in files(SHARED, "*.py")
        if path not in texts
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }

    by_class = {"throttled", "busy", "unavailable"}
    assert CODES - used - by_class == set()


@pytest.mark.parametrize("language", rendering.LANGUAGES)
@pytest.mark.parametrize("code", ALL)
def test_every_code_has_words_in_every_language(code: Code, language: str) -> None:
    words = rendering.error_texts(language).text(code, values_of(code))

    assert words
    assert not PLACE.search(words)
    if language in TRANSLATED:
        assert words != ENGLISH.text(code, values_of(code))


@pytest.mark.parametrize("language", TRANSLATED)
@pytest.mark.parametrize("code", ALL)
def test_no_page_shows_an_error_in_another_language(code: Code, language: str) -> None:
    values, visit = values_of(code), visit_in(language)
    english = ENGLISH.text(code, values)
    error = Conflict(code, errors=(), **values)
    answer = problem(error, "x", "0" * 32, visit.error_texts)

    page = rendering.render(
        "problem", language, page=PAGE, problem=answer.body, again="", form=None
    )
    fields = visit.wrong(InvalidInput.of(FieldError("name", code, values)))

    assert escape(english) not in page
    assert escape(visit.error_texts.text(code, values)) in page
    assert visit.error_texts.title("conflict") in page
    assert fields == {"name": visit.error_texts.text(code, values)}
    assert fields["name"] != english


@pytest.mark.parametrize("language", TRANSLATED)
@pytest.mark.parametrize("reason", Reason)
def test_every_remedy_is_translated(reason: Reason, language: str) -> None:
    visit = visit_in(language)

    assert visit.trouble(NeedsAdmin(reason, "x")) != ENGLISH.remedy(reason)
    assert ENGLISH.remedy(reason).endswith(".")


def test_numbers_and_days_are_written_as_the_language_does() -> None:
    values: dict[str, Value] = {"size": 1185, "limit": 957}

    assert "1,185 KiB" in ENGLISH.text("object_too_large", values)
    assert "1.185 KiB" in rendering.error_texts("de").text("object_too_large", values)
    assert rendering.error_texts("de").written(datetime(2026, 11, 30, tzinfo=UTC)).startswith("30.")


def test_problem_carries_the_code_of_the_error_and_of_each_field() -> None:
    error = InvalidInput.of(FieldError("name", "text_empty"), FieldError("top", "not_integer"))

    body = Problem.model_validate(problem(error, "x", "0" * 32).body)

    assert (body.code, body.type) == ("input_invalid", "urn:contact-sync:problem:invalid-input")
    assert [(e.field, e.code) for e in body.errors] == [
        ("name", "text_empty"),
        ("top", "not_integer"),
    ]
    assert "name, top" in body.detail


def test_transient_errors_and_defects_keep_their_details_to_the_log() -> None:
    for error, code in (
        (Unavailable("host x refused", 1), "unavailable"),
        (RuntimeError("secret"), "internal_error"),
    ):
        body = Problem.model_validate(problem(error, "x", "0" * 32).body)
        assert body.code == code
        assert "host x" not in body.detail
        assert "secret" not in body.detail
