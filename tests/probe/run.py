"""Runs the questions one after another, and shows the answers as a table or as JSON."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import httpx

from tests.probe.outside import Outside, ProbeError
from tests.probe.questions import QUESTIONS, Question, Verdict

_WORDS = {True: "holds", False: "does not hold", None: "not asked"}


@dataclass(frozen=True, slots=True)
class Answered:
    """One question with its verdict and the requests that led to it."""

    name: str
    assumption: str
    requests: tuple[str, ...]
    answer: str
    holds: bool | None
    meaning: str


class NotEmptyError(Exception):
    """The mailbox has contacts of its user."""


async def require_empty(outside: Outside) -> None:
    """Raise `NotEmptyError` if the default folder or one beside it has contacts.

    Raises `ProbeError` if the mailbox cannot be read. Exchange makes some folders by itself.
    """
    listed = await _read(outside, f"{outside.box}/contactFolders?$top=100&$select=id")
    folders = (f"{outside.box}/contactFolders/{folder['id']}" for folder in listed)
    for place in (outside.box, *folders):
        if await _read(outside, f"{place}/contacts?$top=1&$select=id"):
            message = "The mailbox has contacts of its user. Use a spare one, or --not-empty."
            raise NotEmptyError(message)


async def _read(outside: Outside, path: str) -> list[dict[str, Any]]:
    found = await outside.send("GET", path)
    if not found.ok:
        message = f"the mailbox is not readable: {found}"
        raise ProbeError(message)
    return found.value


async def run(
    outside: Outside, questions: Iterable[Question] = QUESTIONS
) -> tuple[list[Answered], list[str]]:
    """Ask all questions. Return the answers, and what could not be deleted after each."""
    answers: list[Answered] = []
    left: list[str] = []
    for question in questions:
        outside.asked.clear()
        try:
            verdict = await question.ask(outside)
        except (ProbeError, httpx.HTTPError) as error:
            verdict = Verdict(None, str(error) or type(error).__name__)
        finally:
            asked = tuple(outside.asked)
            left += await outside.clean_up()
        answers.append(
            Answered(
                question.name,
                question.assumption,
                asked,
                verdict.answer,
                verdict.holds,
                question.otherwise if verdict.holds is False else "",
            )
        )
    return answers, left


def table(answers: Sequence[Answered]) -> str:
    """Return the answers as text, one block for each question."""
    lines: list[str] = []
    for found in answers:
        lines.append(f"{_WORDS[found.holds]:14} {found.assumption}")
        lines += [f"{'':15}{request}" for request in found.requests]
        lines.append(f"{'':15}answer: {found.answer}")
        if found.meaning:
            lines.append(f"{'':15}so: {found.meaning}")
    count = {word: sum(_WORDS[a.holds] == word for a in answers) for word in _WORDS.values()}
    return "\n".join([*lines, "", ", ".join(f"{n} {word}" for word, n in count.items())])


def as_json(answers: Sequence[Answered]) -> list[dict[str, Any]]:
    """Return the answers for the record."""
    return [asdict(found) for found in answers]
