"""HTTP: the service itself: its health, its readiness and the OpenAPI document."""

from typing import Annotated, Final, Literal

import azure.functions as func
from pydantic import Field

from shared.domain.errors import TransientError, Unauthenticated
from shared.domain.model import Model
from shared.services.insight.readiness import Check
from shared.web.admission import runs_the_service
from shared.web.calls import public
from shared.web.openapi.deployment import Deployment
from shared.web.openapi.document import Document, document
from shared.web.operations import ApiResponse
from shared.web.version import VERSION
from shared.wiring.app import App, app

bp = func.Blueprint()
_AGAIN: Final = "5"


class HealthView(Model):
    """The app is running; `version` is the deployed version."""

    status: Literal["ok"] = "ok"
    """Always `ok`: an app that does not run does not answer."""
    version: str = VERSION
    """The deployed version."""


class CheckView(Model):
    """The check of one dependency: storage tables, storage queues, the vault or Entra ID's keys."""

    name: Literal["tables", "queues", "key_vault", "token_keys"]
    """What was checked: storage tables, storage queues, the vault, or Entra ID's keys."""
    status: Literal["ok", "unavailable"]
    """`ok` or `unavailable`."""
    milliseconds: int
    """How long the check took, in milliseconds."""


class ReadyView(Model):
    """Whether the app can do its work. Only operators and admins of the service see `checks`."""

    status: Literal["ok", "unavailable"]
    """`ok` if every check is, else `unavailable`."""
    checks: Annotated[
        tuple[CheckView, ...] | None, Field(exclude_if=lambda checks: checks is None)
    ] = None
    """Each check. Present only for operators and admins of the service."""


@public(bp, "api/health", responses={200: HealthView}, direct=True)
async def health(_: func.HttpRequest) -> ApiResponse:
    """Check that the app is running, and get its version. Calls no other service."""
    return ApiResponse(HealthView())


@public(bp, "api/health/ready", responses={200: ReadyView, 503: ReadyView})
async def ready(req: func.HttpRequest) -> ApiResponse:
    """Check whether the app can reach storage, the vault and Entra ID's keys.

    An Operator or Admin of the service's own tenant also sees the result and duration of each
    check. Results are cached for five seconds.
    """
    services = app()
    found = await services.insight.readiness.look()
    ok = all(check.ok for check in found)
    told = await _is_told(services, req.headers.get("Authorization"))
    view = ReadyView(status=_word(ok=ok), checks=tuple(map(_shown, found)) if told else None)
    return ApiResponse(view) if ok else ApiResponse(view, 503, {"Retry-After": _AGAIN})


@public(bp, "api/openapi.json", responses={200: Document})
async def get_openapi(_: func.HttpRequest) -> ApiResponse:
    """Get this OpenAPI document."""
    made = document(Deployment.of(app().settings))
    return ApiResponse(Document(made), headers={"Cache-Control": "public, max-age=3600"})


async def _is_told(services: App, authorization: str | None) -> bool:
    """Return whether a caller may see each check; an invalid token counts as no token."""
    if not authorization:
        return False
    try:
        caller = await services.entra.tokens.caller(authorization)
    except (Unauthenticated, TransientError):
        return False
    return runs_the_service(services, caller)


def _shown(check: Check) -> CheckView:
    return CheckView.model_validate(
        {"name": check.name, "status": _word(ok=check.ok), "milliseconds": check.milliseconds}
    )


def _word(*, ok: bool) -> Literal["ok", "unavailable"]:
    return "ok" if ok else "unavailable"
