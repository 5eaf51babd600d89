"""The API's reference page, in a browser in which whatever its policy refuses fails the test."""

import re
from urllib.parse import urlsplit

import httpx
from playwright.async_api import expect

from tests.local.client import Client
from tests.portal.browser.person import Person
from tests.portal.conftest import NewPerson

RENDERED = 90_000
"""Milliseconds after which Redoc has shown the whole document, on a busy machine too."""


async def test_reference_shows_the_document_and_loads_nothing_from_elsewhere(
    person: Person,
) -> None:
    page = person.page
    await page.goto("/")
    await page.get_by_role("link", name="API reference").click()

    search = page.get_by_placeholder("Search...")
    await search.wait_for(timeout=RENDERED)
    await expect(page.get_by_text("grant_type=client_credentials").first).to_be_visible()
    await search.press_sequentially("approve")
    found = page.locator("[data-role='search:results']")
    await found.wait_for(timeout=RENDERED)
    shown = {urlsplit(request.url).path for request in person.requests}
    assert {"/api/docs", "/api/openapi.json", "/static/redoc.js"} <= shown
    assert not person.troubles


async def test_reference_leads_to_the_document_without_scripts(new_person: NewPerson) -> None:
    reader = await new_person(java_script_enabled=False)
    await reader.page.goto("/api/docs")

    link = reader.page.get_by_role("main").get_by_role("link", name="OpenAPI document")
    assert await link.get_attribute("href") == "/api/openapi.json"
    await expect(link).to_be_visible()


async def test_policy_of_the_reference_admits_only_its_own_styles(client: Client) -> None:
    async with httpx.AsyncClient(base_url=client.addresses["portal"]) as http:
        pages = [await http.get("/api/docs") for _ in range(2)]
    policies = [page.headers["content-security-policy"] for page in pages]
    nonces = [re.findall(r"'nonce-([\w-]{22,})'", policy) for policy in policies]

    assert len({nonce for (nonce,) in nonces}) == 2
    for page, policy, (nonce,) in zip(pages, policies, nonces, strict=True):
        assert f'nonce="{nonce}"' in page.text
        assert "unsafe" not in policy
        assert "*" not in policy
        assert "default-src 'none'; script-src 'self'; " in policy
        assert page.headers["cache-control"] == "no-store"
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=", page.text)
