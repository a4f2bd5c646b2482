"""Our HTTP API: typed, described by OpenAPI, with cursors, filters, problem JSON, events and jobs."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.requests import Request
from starlette.responses import JSONResponse

from asynqpy.web.paths import BASE
from asynqpy.web.problems import MEDIA_TYPE
from asynqpy.web.v2 import events, failures, histories, jobs, machinery, queues, schema, stored, tasks, types

document = APIRouter()

ROUTERS: tuple[APIRouter, ...] = (
    document,
    queues.router,
    histories.router,
    tasks.router,
    stored.router,
    types.router,
    failures.router,
    jobs.router,
    machinery.router,
    events.router,
)

_PROBLEM = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {"description": "Nobody has logged in.", **_PROBLEM},
    403: {"description": "Whoever asks may not do this, or another site may have asked.", **_PROBLEM},
    404: {"description": "There is no such thing.", **_PROBLEM},
    405: {"description": "This is read-only.", **_PROBLEM},
    409: {"description": "The state of things does not allow it.", **_PROBLEM},
    412: {"description": "It was changed meanwhile.", **_PROBLEM},
    413: {"description": "The body is too large.", **_PROBLEM},
    422: {"description": "What was asked cannot be.", **_PROBLEM},
    429: {"description": "Too much runs already.", **_PROBLEM},
    503: {"description": "Redis cannot be reached, or refuses.", **_PROBLEM},
}
"""What every operation may answer when something is wrong."""

DESCRIPTION = (
    "Look at queues, tasks, servers and schedulers of asynqpy and asynq, and act on them. Errors are problem JSON"
    " (RFC 9457). What changes something must come from the same origin, or send the cookie XSRF-TOKEN as header"
    " X-XSRF-TOKEN, or a bearer token. A slash in the name of a queue or in an id is written %2F."
)


def add_to(app: FastAPI, prefix: str) -> None:
    """Add the routes to *app*, and the description of them."""
    for router in ROUTERS:
        app.include_router(router, prefix=prefix, responses=PROBLEMS)
    app.openapi = lambda: _described(app)  # type: ignore[method-assign]


@document.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> JSONResponse:
    """The description of this API."""
    return JSONResponse(request.app.openapi() | {"servers": [{"url": request.scope[BASE] or "/"}]})


def _described(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        from asynqpy import __version__

        described = get_openapi(title="asynqpy", version=__version__, description=DESCRIPTION, routes=app.routes)
        schemas = described.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = schema.Problem.model_json_schema()
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        app.openapi_schema = described
    return app.openapi_schema
