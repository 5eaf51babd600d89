"""HTTP: whether the app is alive."""

from typing import Literal

import azure.functions as func

from shared.domain.models import Model
from shared.triggers.http import public
from shared.triggers.operations import Answer

bp = func.Blueprint()


class HealthView(Model):
    """The app answers."""

    status: Literal["ok"] = "ok"


@public(bp, "api/health", answers={200: HealthView}, direct=True)
async def health() -> Answer:
    """Say that the app answers; asks nobody else."""
    return Answer(HealthView())
