"""How a browser meets the app: pages, redirects and cookies, with the headers that keep them safe.

A page needs no script, and none may run; nothing is loaded from elsewhere.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final
from urllib.parse import urlsplit

import azure.functions as func

from shared import portal
from shared.triggers.http import SAFE_HEADERS
from shared.triggers.problems import problem
from shared.wiring import App, app, new_id

_FOREVER_GONE: Final = "Thu, 01 Jan 1970 00:00:00 GMT"


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of a browser."""

    app: App
    request: func.HttpRequest

    @property
    def parameters(self) -> dict[str, str]:
        """The query, as a redirect of Entra ID brings it."""
        return {str(name): str(value) for name, value in self.request.params.items()}

    def cookie(self, name: str) -> str:
        """A cookie's value; '' if there is none."""
        try:
            found = SimpleCookie(self.request.headers.get("Cookie", "")).get(f"__Host-{name}")
        except CookieError:
            return ""
        return found.value if found is not None else ""


@dataclass(frozen=True, slots=True)
class Page:
    """What is shown: a template with its values, or (`location`) where the browser goes instead.

    `cookie` is a name and its new value; an empty one removes it.
    """

    template: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    location: str = ""
    cookie: tuple[str, str] | None = None
    status: int = 200


type Handler = Callable[[Visit], Awaitable[Page]]


def page(bp: func.Blueprint, method: str, path: str) -> Callable[[Handler], Any]:
    """Make a handler a function that a browser calls; every error becomes a page of its own."""

    def decorate(handler: Handler) -> Any:
        async def function(req: func.HttpRequest) -> func.HttpResponse:
            correlation = new_id()
            services = app()
            try:
                shown = await handler(Visit(services, req))
            except Exception as error:  # noqa: BLE001 - the browser gets a page whatever happens
                answer = problem(error, handler.__name__, correlation)
                shown = Page("problem", {"problem": answer.body}, status=answer.status)
            return _response(shown, services.settings.entra_authority, correlation)

        function.__name__ = function.__qualname__ = handler.__name__
        function.__doc__ = handler.__doc__
        return bp.route(path, methods=[method])(function)

    return decorate


def _response(shown: Page, authority: str, correlation: str) -> func.HttpResponse:
    parts = urlsplit(authority)
    entra = f"{parts.scheme}://{parts.netloc}"
    headers = {
        **SAFE_HEADERS,
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
            # A form's redirect counts as its action (CSP3, form-action).
            f"form-action 'self' {entra}; frame-ancestors 'none'"
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "X-Correlation-Id": correlation,
    }
    if shown.cookie is not None:
        name, value = shown.cookie
        ends = "" if value else f"; Expires={_FOREVER_GONE}"
        headers["Set-Cookie"] = (
            f"__Host-{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{ends}"
        )
    if shown.location:
        headers["Location"] = shown.location
        return func.HttpResponse(status_code=303, headers=headers)
    text = portal.render(shown.template, **shown.values)
    return func.HttpResponse(text, status_code=shown.status, headers=headers, mimetype="text/html")
