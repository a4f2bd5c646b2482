"""No body is larger than it may be."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 1_000_000
"""asynqmon's own limit."""


class LimitBody:
    """Refuses bodies over *limit* bytes, those too whose length nobody told."""

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        read = 0

        async def receiving() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > self._limit:
                raise self._too_large()
            return message

        await self._app(scope, receiving, send)

    def _too_large(self) -> HTTPException:
        # the only kind of error that FastAPI lets through while it reads a body
        detail = f"the body has more than {self._limit} bytes; send less at a time"
        return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
