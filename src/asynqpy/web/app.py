"""The web application: one for each Redis, and around them what all requests have in common."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from asynqpy.client import AsyncClient
from asynqpy.config import RedisOptions
from asynqpy.errors import AsynqpyError, ConfigError
from asynqpy.inspector import AsyncInspector
from asynqpy.web.audit import Audit, AuditFunction
from asynqpy.web.broker import Broker, Settings, address_of, url_of
from asynqpy.web.collector import Collector
from asynqpy.web.contents import Contents, Decoder, Redact
from asynqpy.web.guard import Guard, user_of
from asynqpy.web.jobs import Jobs
from asynqpy.web.limits import MAX_BODY_BYTES, LimitBody
from asynqpy.web.logins import Login, LoginFunction, Peers, logins_of
from asynqpy.web.paths import BASE, Locate
from asynqpy.web.plain import Seen, list_of
from asynqpy.web.routes import HEALTH_PATIENCE_SECONDS, broker_app
from asynqpy.web.users import User

DEFAULT_NAME = "default"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
_RESERVED = {"api", "assets", "healthz", "login", "metrics", "static"}


def create_app(
    redis: Any = None,
    *,
    login: Login | LoginFunction | Iterable[Login | LoginFunction] | None = None,
    login_url: str = "",
    insecure: bool = False,
    read_only: bool = False,
    base_path: str = "",
    trusted_proxies: Iterable[str] = ("127.0.0.1", "::1"),
    decoders: Sequence[Decoder] = (),
    redact_fields: Iterable[str] = (),
    redact: Redact | None = None,
    audit: AuditFunction | None = None,
    memory_usage: bool = True,
    prometheus_url: str = "",
    max_payload_length: int = 200,
    max_result_length: int = 200,
    max_body_bytes: int = MAX_BODY_BYTES,
    secret: str | None = None,
) -> WebApp:
    """The dashboard and its HTTP API, as an ASGI application: run it, or mount it in another one.

    Without a *login* only this machine itself gets in. Close it with `WebApp.close` where it is mounted; run by itself
    it closes with the server.

    Args:
        redis: a URL, `RedisOptions` or a redis-py client, as for a `Client`; or several by name, each of which then
            has its own path: ``{"main": url, "eu": url2}``.
        login: how people prove who they are: `BasicLogin`, `TokenLogin`, `ProxyLogin`, a function from the request to
            a `User` or None, or several of these.
        login_url: where browsers are sent that have not logged in, such as the ``/login`` of your application; with
            the page that was wanted as ``next``.
        insecure: let in everybody, from everywhere, where there is no login.
        read_only: nobody may change anything.
        base_path: what stands before all paths, such as ``/ops/tasks``, unless a mount or a proxy takes care of that.
        trusted_proxies: addresses or networks whose ``X-Forwarded-Prefix`` counts; ``unix`` for Unix sockets.
        decoders: make payloads and results readable; JSON, text, gzip, zlib, Zstandard and MessagePack are known.
        redact_fields: names of fields in payloads and results whose values nobody may see.
        redact: takes out of each decoded payload and result what nobody may see.
        audit: called with each change that somebody made or was refused, beside the log ``asynqpy.audit``.
        memory_usage: whether Redis may be asked how much memory some tasks take.
        prometheus_url: of the Prometheus that has the numbers of queues, for charts of what was long ago.
        max_payload_length: characters of a payload that asynqmon's front end gets in lists; below zero for no limit.
        max_result_length: the same of results.
        max_body_bytes: how large a request may be, 8 MiB unless given; a payload is a quarter smaller.
        secret: for tokens against requests of other sites; give one where several processes serve one address.

    Raises:
        ConfigError: settings that cannot work.
    """
    if prometheus_url and not prometheus_url.startswith(("http://", "https://")):
        raise ConfigError(f"prometheus_url must begin with http:// or https://, got {prometheus_url!r}")
    targets: Mapping[str, Any] = redis if isinstance(redis, Mapping) else {DEFAULT_NAME: redis}
    _check_names(targets)
    settings = Settings(
        contents=Contents(decoders, redact_fields=redact_fields, redact=redact),
        audit=Audit(audit),
        read_only=read_only,
        memory_usage=memory_usage,
        prometheus_url=prometheus_url,
        longest_payload=max_payload_length,
        longest_result=max_result_length,
        max_body_bytes=max_body_bytes,
        broker_names=tuple(targets),
    )
    brokers = {name: broker_for(name, target, settings) for name, target in targets.items()}
    inner = _Brokers(brokers, has_paths=isinstance(redis, Mapping))
    guard = Guard(
        LimitBody(inner, max_body_bytes),
        logins=logins_of(login),
        read_only=read_only,
        is_open=insecure,
        secret=secret,
        open_paths=inner.health_paths,
        login_url=login_url,
    )
    return WebApp(Locate(guard, base_path=base_path, proxies=Peers(trusted_proxies)), inner)


def broker_for(name: str, target: Any, settings: Settings) -> Broker:
    """What is needed of one Redis; nothing is contacted."""
    if isinstance(target, str):
        target = RedisOptions.from_url(target)
    broker = Broker(
        name=name,
        inspector=AsyncInspector(target),
        client=AsyncClient(target),
        settings=settings,
        address=address_of(target),
        url=url_of(target),
    )
    broker.collector = Collector(broker)
    broker.jobs = Jobs(broker.collector.look_soon)
    return broker


def _check_names(targets: Mapping[str, Any]) -> None:
    if not targets:
        raise ConfigError("there is no Redis to look at: give a URL, or several by name")
    for name in targets:
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _RESERVED:
            raise ConfigError(
                f"the name of a Redis becomes part of paths: small letters, digits, '-' and '_', and none of"
                f" {', '.join(sorted(_RESERVED))}; got {name!r}"
            )


class WebApp:
    """The dashboard as an ASGI application. Make one with `create_app`."""

    def __init__(self, app: ASGIApp, brokers: _Brokers) -> None:
        self._app = app
        self._brokers = brokers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the life of the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await self._app(scope, receive, send)

    @property
    def brokers(self) -> Mapping[str, Broker]:
        """What is kept of each Redis."""
        return self._brokers.brokers

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document of ``/api/v2``."""
        return next(iter(self._brokers.apps.values())).openapi()

    async def close(self) -> None:
        """End jobs and streams, and close the connections to Redis. In the same event loop as the requests."""
        await asyncio.gather(*(broker.close() for broker in self.brokers.values()))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _live(self, receive: Receive, send: Send) -> None:
        message: Message = await receive()
        await send({"type": "lifespan.startup.complete"})
        message = await receive()
        if message["type"] == "lifespan.shutdown":
            await self.close()
            await send({"type": "lifespan.shutdown.complete"})


class _Brokers:
    """Hands each request to the application of its Redis."""

    def __init__(self, brokers: Mapping[str, Broker], *, has_paths: bool) -> None:
        self.brokers = dict(brokers)
        self.apps: dict[str, FastAPI] = {name: broker_app(broker) for name, broker in brokers.items()}
        self._has_paths = has_paths
        self.health_paths = ["/healthz", *(f"/{name}/healthz" for name in brokers if has_paths)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if not self._has_paths:
            await next(iter(self.apps.values()))(scope, receive, send)
            return
        name, slash, rest = scope["path"].removeprefix("/").partition("/")
        if name in self.apps and slash:
            scope = dict(scope) | {"path": f"/{rest}", BASE: f"{scope[BASE]}/{name}"}
            await self.apps[name](scope, receive, send)
            return
        response = await self._above(Request(scope), name)
        await response(scope, receive, send)

    async def _above(self, request: Request, name: str) -> Response:
        """What there is above the several Redis."""
        path, base = request.url.path, request.scope[BASE]
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("", HTTPStatus.METHOD_NOT_ALLOWED)
        if path == "/":
            seen = await asyncio.gather(*(_seen(broker, user_of(request)) for broker in self.brokers.values()))
            return list_of(seen, base)
        if name in self.apps:
            return Response(status_code=HTTPStatus.TEMPORARY_REDIRECT, headers={"Location": f"{base}/{name}/"})
        if path == "/healthz":
            return await self._health()
        if path == "/api/v2/brokers":
            return JSONResponse({"items": [{"name": each, "path": f"{base}/{each}"} for each in self.brokers]})
        return PlainTextResponse("there is nothing here\n", HTTPStatus.NOT_FOUND)

    async def _health(self) -> Response:
        async def state(broker: Broker) -> str:
            try:
                await broker.inspector.ping()
            except AsynqpyError:
                return "down"
            return "up"

        states = dict(zip(self.brokers, await asyncio.gather(*map(state, self.brokers.values())), strict=True))
        status = HTTPStatus.OK if "down" not in states.values() else HTTPStatus.SERVICE_UNAVAILABLE
        return JSONResponse({"status": "ok" if status is HTTPStatus.OK else "degraded", "redis": states}, status)


async def _seen(broker: Broker, user: User) -> Seen:
    """What the list of several Redis tells *user* of this one."""
    try:
        infos = await asyncio.wait_for(broker.infos(user), HEALTH_PATIENCE_SECONDS)
    except (AsynqpyError, TimeoutError):
        return Seen(broker.name, is_up=False)
    return Seen(
        broker.name,
        is_up=True,
        queues=len(infos),
        pending=sum(info.pending for info in infos),
        failed_today=sum(info.failed for info in infos),
    )
