"""All routes of one Redis, and how errors are answered on each of its APIs."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Match

from asynqpy.errors import AsynqpyError
from asynqpy.inspection import QueueInfo, TypeWithoutConsumer
from asynqpy.web import ui, v2
from asynqpy.web.broker import Broker, broker_of
from asynqpy.web.guard import user_of
from asynqpy.web.problems import MEDIA_TYPE, Problem, problem_of
from asynqpy.web.v1 import machinery, queues, tasks
from asynqpy.web.v1.common import Refused, error_answer, text_answer

log = logging.getLogger("asynqpy")

V1, V2 = "/api", "/api/v2"
V1_ROUTERS = (tasks.router, queues.router, machinery.router)
HEALTH_PATIENCE_SECONDS = 3.0

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

site = APIRouter(include_in_schema=False)


def broker_app(broker: Broker) -> FastAPI:
    """The application for one Redis."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.broker = broker
    v2.add_to(app, V2)
    for router in V1_ROUTERS:
        app.include_router(router, prefix=V1, include_in_schema=False)
    app.include_router(site)
    app.add_exception_handler(Exception, _on_error)
    for kind in (Problem, AsynqpyError, Refused, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, _on_error)
    return app


@site.api_route("/healthz", methods=["GET", "HEAD"])
async def health(request: Request) -> Response:
    """Whether Redis answers. For those who watch over processes: no login."""
    try:
        await asyncio.wait_for(broker_of(request).inspector.ping(), HEALTH_PATIENCE_SECONDS)
    except (AsynqpyError, TimeoutError):
        return JSONResponse({"status": "degraded", "redis": "down"}, HTTPStatus.SERVICE_UNAVAILABLE)
    return JSONResponse({"status": "ok", "redis": "up"})


@site.api_route("/metrics", methods=["GET", "HEAD"])
async def metrics(request: Request) -> Response:
    """The numbers of all queues for Prometheus, as ``asynqpy metrics`` serves them."""
    if importlib.util.find_spec("prometheus_client") is None:
        return PlainTextResponse(
            "metrics need prometheus-client: pip install 'asynqpy[metrics]'\n", HTTPStatus.NOT_FOUND
        )
    broker, user = broker_of(request), user_of(request)

    async def read() -> bytes:
        infos = await broker.infos(user)
        memory = await broker.memory(info.queue for info in infos)
        unknown = [each for each in await broker.inspector.types_without_consumer() if user.may_see(each.queue)]
        return await asyncio.to_thread(_exposition, infos, memory, unknown)

    text = await broker.reads.get(("metrics", user.sight), read)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _exposition(
    infos: Sequence[QueueInfo], memory: dict[str, int | None], unknown: Sequence[TypeWithoutConsumer]
) -> bytes:
    import msgspec
    from prometheus_client import CollectorRegistry
    from prometheus_client.exposition import generate_latest

    from asynqpy.metrics import QueueMetricsCollector

    class Known:
        """What was read already, as the collector asks for it."""

        def queue_infos(self) -> Sequence[QueueInfo]:
            return [msgspec.structs.replace(info, memory_usage=memory.get(info.queue)) for info in infos]

        def types_without_consumer(self) -> Sequence[TypeWithoutConsumer]:
            return unknown

    registry = CollectorRegistry()
    registry.register(QueueMetricsCollector(Known()))
    return generate_latest(registry)


@site.api_route("/api", methods=METHODS)
@site.api_route("/api/{path:path}", methods=METHODS)
async def unknown_api_path(request: Request, path: str = "") -> Response:
    """Nothing: asynqmon would answer with its front end, which helps nobody."""
    allowed = _methods_at(request.url.path)
    if allowed:
        raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, f"allowed here: {allowed}", {"Allow": allowed})
    detail = f"there is no API at {request.url.path}"
    if request.url.path.startswith(f"{V2}/") or request.url.path == V2:
        return _problem(Problem(HTTPStatus.NOT_FOUND, "not_found", detail))
    return text_answer(HTTPStatus.NOT_FOUND, detail)


def _methods_at(path: str) -> str:
    """The methods that would have been right, had one of them been asked with."""
    prefix, routers = (V2, v2.ROUTERS) if path.startswith(V2) else (V1, V1_ROUTERS)
    scope = {"type": "http", "method": "", "path": path.removeprefix(prefix), "root_path": "", "headers": []}
    fitting = [route for router in routers for route in router.routes if route.matches(scope)[0] is not Match.NONE]
    return ", ".join(sorted({method for route in fitting for method in getattr(route, "methods", None) or ()}))


@site.api_route("/{path:path}", methods=METHODS)
async def page(request: Request, path: str) -> Response:
    """The front end."""
    return await asyncio.to_thread(ui.page, request, path)


async def _on_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, Problem | AsynqpyError | Refused | HTTPException | RequestValidationError):
        log.error("a request failed", exc_info=error, extra={"path": request.url.path})
    if request.url.path.startswith(V2):
        return _problem(_as_problem(error))
    if isinstance(error, HTTPException):
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            return Response(status_code=error.status_code, headers=error.headers)
        # as asynqmon: 400, where others say that it is too large
        is_too_large = error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        return text_answer(HTTPStatus.BAD_REQUEST if is_too_large else error.status_code, str(error.detail))
    return error_answer(error)


def _as_problem(error: Exception) -> Problem:
    match error:
        case Problem():
            return error
        case AsynqpyError():
            return problem_of(error)
        case RequestValidationError():
            faults = [_fault(each) for each in error.errors()]
            told = "; ".join(f"{each['where'].partition('.')[2]}: {each['message']}" for each in faults[:3])
            detail = f"the request does not fit the description of the API: {told}"
            return Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_query", detail, errors=faults)
        case HTTPException():
            status = HTTPStatus(error.status_code)
            is_too_large = status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            code = "body_too_large" if is_too_large else status.phrase.lower().replace(" ", "_")
            problem = Problem(status, code, str(error.detail))
            problem.headers.update(error.headers or {})
            return problem
        case _:
            return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", "the log of the web server tells more")


def _fault(error: Any) -> dict[str, str]:
    return {"where": ".".join(str(part) for part in error["loc"]), "message": str(error["msg"])}


def _problem(problem: Problem) -> Response:
    return Response(problem.body(), problem.status, headers=problem.headers, media_type=MEDIA_TYPE)
