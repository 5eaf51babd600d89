"""The headers of responses: of the API, pages, files, and errors of each."""

import re

import httpx

from tests.end_to_end.browser import Browser
from tests.local.client import Client

STYLE = re.compile(r'/static/[^"]+\.css[^"]*')


async def paths(http: httpx.AsyncClient) -> dict[str, str]:
    """Return a path of each kind of response, with its Content-Type."""
    (style,) = STYLE.findall((await http.get("/")).text)
    return {
        "/": "text/html; charset=utf-8",
        "/shares": "text/html; charset=utf-8",
        "/settings/export.json": "text/html; charset=utf-8",
        style: "text/css; charset=utf-8",
        "/static/unknown": "",
        "/.well-known/security.txt": "text/plain; charset=utf-8",
        "/api/docs": "text/html; charset=utf-8",
        "/api/health": "application/json",
        "/api/v1/shares": "application/problem+json",
        "/api/openapi.json": "application/json",
    }


async def test_every_kind_of_response_has_the_headers_that_are_safe(client: Client) -> None:
    async with httpx.AsyncClient(base_url=client.addresses["portal"]) as http:
        for path, kind in (await paths(http)).items():
            headers = (await http.get(path, headers={"Origin": "https://evil.example"})).headers
            assert "max-age=31536000" in headers["strict-transport-security"], path
            assert headers["x-content-type-options"] == "nosniff", path
            assert "frame-ancestors 'none'" in headers["content-security-policy"], path
            assert headers["referrer-policy"] in {"no-referrer", "same-origin"}, path
            assert "access-control-allow-origin" not in headers, path
            public = kind.startswith("text/css") or path == "/api/openapi.json"
            assert ("public" if public else "no-store") in headers["cache-control"], path
            assert not kind or headers["content-type"] == kind, path


async def test_signing_out_clears_the_browser(ada: Browser) -> None:
    page = await ada.open("/settings")

    out = await ada.submit(page, "/sign-out", follow=False)

    assert out.headers["clear-site-data"] == '"cache", "storage"'
