"""HTTP: the OpenAPI document."""

import azure.functions as func

from shared.web.calls import public
from shared.web.openapi import Document, document
from shared.web.operations import ApiResponse

bp = func.Blueprint()


@public(bp, "api/openapi.json", answers={200: Document})
async def get_openapi(_: func.HttpRequest) -> ApiResponse:
    """Get this OpenAPI document."""
    return ApiResponse(Document(document()), headers={"Cache-Control": "public, max-age=3600"})
