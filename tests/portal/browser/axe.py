"""Accessibility checks by axe-core (docs: dequelabs/axe-core, API.md)."""

import json
from functools import cache
from typing import Any

from playwright.async_api import Page

from tests.sources import ROOT

TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
_SOURCE = ROOT / "tests" / "local" / "node_modules" / "axe-core" / "axe.min.js"


async def violations(page: Page, *rules: str) -> list[str]:
    """Return the rules that a page violates, each with its help text and the element.

    If rules are named, only these are checked.

    axe runs in an isolated world through the browser's debugger, so the page's policy stays in
    force and its scripts do not see axe.
    """
    session = await page.context.new_cdp_session(page)
    try:
        frame = (await session.send("Page.getFrameTree"))["frameTree"]["frame"]["id"]
        world = await session.send("Page.createIsolatedWorld", {"frameId": frame})
        context = world["executionContextId"]
        await _evaluate(session, context, _source())
        kind = ("rule", rules) if rules else ("tag", TAGS)
        only = {"type": kind[0], "values": list(kind[1])}
        options = json.dumps({"runOnly": only, "resultTypes": ["violations"]})
        found = await _evaluate(
            session, context, f"axe.run(document, {options}).then(found => found.violations)"
        )
    finally:
        await session.detach()
    return [
        f"{rule['id']}: {rule['help']}: {node['target']} {node['html'][:200]}"
        for rule in found
        for node in rule["nodes"]
    ]


@cache
def _source() -> str:
    return _SOURCE.read_text("utf-8") + "; void 0"


async def _evaluate(session: Any, context: int, expression: str) -> Any:
    answer = await session.send(
        "Runtime.evaluate",
        {
            "expression": expression,
            "contextId": context,
            "awaitPromise": True,
            "returnByValue": True,
        },
    )
    if "exceptionDetails" in answer:
        raise AssertionError(f"axe failed: {answer['exceptionDetails']}")
    return answer["result"].get("value")
