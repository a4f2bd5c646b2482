"""Starting and ending what runs until it is told to stop: event loops, signals, and errors that come out of groups."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from anyio import create_task_group

log = logging.getLogger("asynqpy")


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """How to make an event loop: uvloop's where it is installed."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


@asynccontextmanager
async def running(serve: Callable[..., Awaitable[None]], shutdown: Callable[[], None]) -> AsyncIterator[None]:
    """Run *serve*, which takes a ``task_status``, while the block runs, and end it with *shutdown*."""
    failure: Exception | None = None

    async def started(*, task_status: Any) -> None:
        await serve(task_status=task_status)

    try:
        async with create_task_group() as group:
            await group.start(started)
            try:
                yield
            except Exception as error:  # noqa: BLE001 - raised below as it is, not inside a group
                failure = error
            finally:
                shutdown()
    except BaseExceptionGroup as errors:
        only = only_error(errors)
        raise only from only.__cause__
    if failure is not None:
        raise failure


async def until_signalled(serve: Callable[[], Awaitable[None]], shutdown: Callable[[], None]) -> None:
    """Await *serve*, and call *shutdown* at TERM and INT. Signals are left alone outside the main thread."""
    loop = asyncio.get_running_loop()

    def end() -> None:
        log.info("shutting down")
        shutdown()

    numbers: tuple[signal.Signals, ...] = ()
    if threading.current_thread() is threading.main_thread() and sys.platform != "win32":
        numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, end)
    try:
        await serve()
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def only_error(errors: BaseException) -> BaseException:
    """What is in a group of one; the group itself if there are more."""
    while isinstance(errors, BaseExceptionGroup) and len(errors.exceptions) == 1:
        errors = errors.exceptions[0]
    return errors
