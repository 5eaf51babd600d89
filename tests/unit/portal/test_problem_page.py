"""The page that shows an error and what to do next."""

import azure.functions as func
import pytest

from shared.domain.errors import NotFound, Unavailable
from shared.portal.page_functions import _problem
from shared.portal.visits import Page, Visit


async def handler(visit: Visit) -> Page:
    """Stand in for a page."""
    raise NotImplementedError


def visit_of(path: str) -> Visit:
    request = func.HttpRequest("GET", f"https://portal.example{path}", body=b"")
    return Visit(None, request, "de")  # type: ignore[arg-type] # no service is asked


@pytest.mark.parametrize(
    ("error", "again", "path"),
    [
        (Unavailable("Microsoft Graph answered 503.", 5), True, "/find/a?q=b"),
        (Unavailable("Microsoft Graph answered 503.", 5), False, ""),
        (NotFound("unknown_id"), True, ""),
    ],
    ids=["transient", "transient-not-repeatable", "permanent"],
)
def test_transient_error_of_a_repeatable_page_offers_a_retry(
    error: Exception,
    again: bool,  # noqa: FBT001 - a parameter of the test
    path: str,
) -> None:
    page = _problem(handler, "id", visit_of("/find/a?q=b"), error, again=again)

    assert page.values["again"] == path
    assert "503" not in page.values["problem"].detail
