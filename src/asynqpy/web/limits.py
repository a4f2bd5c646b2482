"""No body is larger than it may be."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from asynqpy.errors import ConfigError

MAX_BODY_BYTES = 8 * 1024 * 1024
"""How large a request may be unless said otherwise: a payload of 6 MiB, which is sent as Base64."""

LARGEST_MAX_BODY_BYTES = 512 * 1024 * 1024
"""What can be asked for at most: Redis itself takes no larger values."""


class LimitBody:
    """Refuses bodies over *limit* bytes, those too whose length nobody told.

    Raises:
        ConfigError: a limit that cannot be.
    """

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY_BYTES) -> None:
        if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= LARGEST_MAX_BODY_BYTES:
            raise ConfigError(
                f"max_body_bytes must be a whole number from 1 to {LARGEST_MAX_BODY_BYTES}, got {limit!r}"
            )
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
        detail = f"the body has more than {self._limit} bytes; send less, or raise max_body_bytes"
        return HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)
