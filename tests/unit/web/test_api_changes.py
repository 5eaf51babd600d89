"""No release breaks programs in silence: the changelog names each breaking change of the API."""

import re

import pytest

from shared.web.version import VERSION
from tests.sources import ROOT
from tests.unit.web import api_shape
from tests.unit.web.api_changes import RELEASED, breaking

SHAPE = """\
GET /shares (list_shares)
  query top: {"maximum": 100, "type": "integer"}
  200 application/json: {"type": "object"}
  200 application/json.name required: {"type": "string"}
  200 application/json.state: {"type": "string", "x-extensible-enum": ["a", "b"]}
POST /shares (create_share)
  body application/json: {"type": "object"}
  body application/json.name required: {"type": "string"}
"""


def test_breaking_changes_since_the_release_are_in_the_changelog() -> None:
    changes = breaking(RELEASED.read_text("utf-8"), api_shape.rendered())
    text = (ROOT / "CHANGELOG.md").read_text("utf-8").split("\n## ")[1]

    if int(VERSION.split(".")[0]) >= 1:
        assert changes == [], "v1 is released: put what breaks it into a new version"
    named = set(re.findall(r"[\w./{}-]+", text))
    missing = [c for c in changes if not named & set(re.findall(r"\w+", c))]
    assert missing == [], "name the operation or the property in CHANGELOG.md, Unreleased"


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        ("GET /shares (list_shares)", "GET /shares (list_all)", "list_shares: is gone"),
        (
            '.name required: {"type": "string"}\n  200',
            '.title required: {"type": "string"}\n  200',
            "`200 application/json.name` is gone",
        ),
        (
            'json.name required: {"type": "string"}\n  200',
            'json.name: {"type": "string"}\n  200',
            "may be absent now",
        ),
        (
            'json.name required: {"type": "string"}\n  200',
            'json.name required: {"type": ["string", "null"]}\n  200',
            "another type",
        ),
        ('["a", "b"]', '["a"]', "another set of values"),
        ('"maximum": 100', '"maximum": 50', "another maximum"),
        (
            "  query top",
            '  query all required: {"type": "boolean"}\n  query top',
            "`query all` is required now",
        ),
    ],
)
def test_what_breaks_programs_is_found(before: str, after: str, change: str) -> None:
    assert before in SHAPE

    (found,) = breaking(SHAPE, SHAPE.replace(before, after, 1))

    assert change in found


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('["a", "b"]', '["a", "b", "c"]'),
        ('"maximum": 100', '"maximum": 200'),
        ("  query top", '  query all: {"type": "boolean"}\n  query top'),
        (
            "  200 application/json.state",
            '  200 application/json.x required: {"type": "string"}\n  200 application/json.state',
        ),
        (
            "POST /shares",
            'GET /more (list_more)\n  query x required: {"type": "string"}\nPOST /shares',
        ),
    ],
)
def test_what_programs_do_not_notice_is_no_breaking_change(before: str, after: str) -> None:
    assert before in SHAPE

    assert breaking(SHAPE, SHAPE.replace(before, after, 1)) == []
