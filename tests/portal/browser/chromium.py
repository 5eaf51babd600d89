"""Headless Chromium, driven by Playwright; `.ci/find-chromium` finds or downloads it."""

import asyncio
import os
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

from tests.sources import ROOT

_DISABLED = (
    # The address bar's popup is a page of its own. Each window would start a renderer for it, which
    # takes two thirds of the window's CPU.
    "WebUIOmniboxPopup",
    "WebUIOmniboxFullPopup",
    "WebUIOmniboxAimPopup",
    # A renderer kept ready for the next site, and one for each site: half the CPU of signing in.
    "IsolateOrigins",
    "SpareRendererForSitePerProcess",
    "site-per-process",
    # Of two lists Chromium takes the last, so these are what matters of Playwright's own.
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsFirstBalancedModeAutoEnable",
    "HttpsUpgrades",
    "MediaRouter",
    "NetworkTimeServiceQuerying",
    "OptimizationHints",
    "PaintHolding",
    "PreconnectToSearch",
    "ThirdPartyStoragePartitioning",
)
_SMALL = (
    # /dev/shm is small in containers.
    "--disable-dev-shm-usage",
    "--disable-gpu",
    f"--disable-features={','.join(_DISABLED)}",
    "--disable-site-isolation-trials",
    "--renderer-process-limit=1",
)


async def find() -> str:
    """Return the path of a working Chromium.

    Raises `RuntimeError` if there is none; it says how to get one.
    """
    finder = await asyncio.create_subprocess_exec(
        str(ROOT / ".ci" / "find-chromium"), stdout=PIPE, stderr=PIPE
    )
    found, complaint = await finder.communicate()
    if finder.returncode:
        raise RuntimeError(complaint.decode("utf-8", "replace").strip())
    return found.decode().strip()


@asynccontextmanager
async def chromium(*, keeps_pages: bool = False) -> AsyncIterator[Browser]:
    """Run a browser until the context exits.

    With `keeps_pages` it shows a page to which somebody goes back as they left it.
    """
    path = await find()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path,
            args=list(_SMALL),
            ignore_default_args=["--disable-back-forward-cache"] if keeps_pages else None,
            # Chromium's sandbox does not run as root (docs: Playwright, Docker).
            chromium_sandbox=os.geteuid() != 0,
        )
        try:
            yield browser
        finally:
            await browser.close()
