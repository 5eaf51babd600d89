"""HTTP: whether the app is alive."""

import azure.functions as func

from shared.triggers.http import HEADERS

bp = func.Blueprint()


@bp.route("api/health", methods=["GET"])
async def health(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the worker's signature
    """Say that the app answers; asks nobody else."""
    return func.HttpResponse(b'{"status":"ok"}', mimetype="application/json", headers=HEADERS)
