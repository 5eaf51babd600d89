"""The API stays as callers know it: routes, JSON names and types."""

from tests.unit.web import api_shape


def test_api_shape_matches_the_committed_copy() -> None:
    committed = api_shape.FILE.read_text("utf-8")

    assert len(committed.splitlines()) > 500
    assert api_shape.rendered() == committed, "if callers may notice the change: make openapi"
