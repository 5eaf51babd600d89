"""HTTP: is the app alive?"""

import azure.functions as func

bp = func.Blueprint()


@bp.route("api/health", methods=["GET"])
async def health(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001 - the worker's signature
    """Say that the app answers; asks nobody else."""
    return func.HttpResponse(
        b'{"status":"ok"}', mimetype="application/json", headers={"Cache-Control": "no-store"}
    )
