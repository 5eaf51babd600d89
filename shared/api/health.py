"""HTTP: whether the app is alive, and whether it can work."""

from typing import Annotated, Final, Literal

import azure.functions as func
from pydantic import Field

from shared.domain.errors import TransientError, Unauthenticated
from shared.domain.model import Model
from shared.services.insight.readiness import Check
from shared.web.admission import runs_the_service
from shared.web.calls import public
from shared.web.operations import ApiResponse
from shared.web.version import VERSION
from shared.wiring.app import App, app

bp = func.Blueprint()
_AGAIN: Final = "5"


class HealthView(Model):
    """The app answers; `version` is the one that is deployed."""

    status: Literal["ok"] = "ok"
    version: str = VERSION


class CheckView(Model):
    """A part that the app needs: storage's tables or queues, the vault, or Entra ID's keys."""

    name: Literal["tables", "queues", "key-vault", "token-keys"]
    status: Literal["ok", "unavailable"]
    milliseconds: int


class ReadyView(Model):
    """Whether the app can work; `checks` are there for the service's own people only."""

    status: Literal["ok", "unavailable"]
    checks: Annotated[
        tuple[CheckView, ...] | None, Field(exclude_if=lambda checks: checks is None)
    ] = None


@public(bp, "api/health", answers={200: HealthView}, direct=True)
async def health(_: func.HttpRequest) -> ApiResponse:
    """Say that the app answers, and in which version; asks nobody else."""
    return ApiResponse(HealthView())


@public(bp, "api/health/ready", answers={200: ReadyView, 503: ReadyView})
async def ready(req: func.HttpRequest) -> ApiResponse:
    """Say whether what the app needs answers: storage, the vault, Entra ID's keys.

    Which of them, and how fast, is told to an Operator or Admin of the service's own tenant. An
    answer is kept for five seconds.
    """
    services = app()
    found = await services.insight.readiness.look()
    ok = all(check.ok for check in found)
    told = await _is_told(services, req.headers.get("Authorization"))
    view = ReadyView(status=_word(ok=ok), checks=tuple(map(_shown, found)) if told else None)
    return ApiResponse(view) if ok else ApiResponse(view, 503, {"Retry-After": _AGAIN})


async def _is_told(services: App, authorization: str | None) -> bool:
    """Whether a caller may see the parts; a token that is not valid counts as none."""
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
