"""Answers that are server-sent events: they end in good order when whoever listens leaves, or the server does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress

import anyio
from sse_starlette import EventSourceResponse, ServerSentEvent

PING_SECONDS = 10
"""How often an event named ``ping`` says that the stream is alive: browsers do not hear comments."""

GRACE_SECONDS = 1.0
"""How long a stream may take to end when the server ends."""


def stream_of(events: AsyncGenerator[dict[str, str], None]) -> EventSourceResponse:
    """*events*, until they end or the server does."""
    leaving = anyio.Event()
    return EventSourceResponse(
        _until(leaving, events),
        ping=PING_SECONDS,
        ping_message_factory=lambda: ServerSentEvent(event="ping", data="{}"),
        headers={"Cache-Control": "no-store"},
        shutdown_event=leaving,
        shutdown_grace_period=GRACE_SECONDS,
    )


async def _until(leaving: anyio.Event, events: AsyncGenerator[dict[str, str], None]) -> AsyncIterator[dict[str, str]]:
    async with aclosing(events):
        left = asyncio.create_task(leaving.wait())
        following: asyncio.Task[dict[str, str] | None] | None = None
        try:
            while True:
                following = asyncio.create_task(_next(events))
                await asyncio.wait({left, following}, return_when=asyncio.FIRST_COMPLETED)
                if not following.done() or (event := following.result()) is None:
                    return
                yield event
        finally:
            for task in (left, following):
                if task is not None and not task.done():
                    task.cancel()
                    with suppress(asyncio.CancelledError):
                        await task


async def _next(events: AsyncGenerator[dict[str, str], None]) -> dict[str, str] | None:
    return await anext(events, None)
