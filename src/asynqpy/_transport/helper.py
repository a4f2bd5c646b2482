"""Waits for threads: an event loop in a thread of its own, started with the first wait of a blocking client."""

from __future__ import annotations

import asyncio
import inspect
import os
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from queue import SimpleQueue
from typing import cast
from weakref import WeakSet

from asynqpy._transport.connect import Source
from asynqpy._transport.waiting import ProgressListener, Waits
from asynqpy.errors import ConfigError, ConnectionLostError
from asynqpy.task import Progress

CLOSE_SECONDS = 5.0


class _Helper:
    """One thread with an event loop that keeps waits."""

    def __init__(self, source: Source) -> None:
        self.waits = Waits(source)
        self.loop = _new_loop()
        self._thread = threading.Thread(target=self._run, name="asynqpy waits", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        self.loop.close()

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self.loop).result(CLOSE_SECONDS)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(CLOSE_SECONDS)

    async def _end(self) -> None:
        await self.waits.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:  # waits that have just been ended
            await asyncio.wait(others, timeout=1)


class BlockingWaits:
    """`Waits` for any thread, and for many at once."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._lock = threading.Lock()
        self._helper: _Helper | None = None
        _of_this_process.add(self)

    def wait(
        self, queue: str, task_id: str, *, existed: bool, timeout: float | None, on_progress: ProgressListener | None
    ) -> bytes | None:
        """`Waits.wait`; listeners are called in the calling thread.

        Raises:
            ConfigError: an async listener, which nothing here could await.
        """
        if inspect.iscoroutinefunction(on_progress):
            raise ConfigError("on_progress of a blocking client must be a plain function; AsyncClient takes async ones")
        helper = self._started()
        box: SimpleQueue[Progress | Future[bytes | None]] = SimpleQueue()
        listener: Callable[[Progress], object] | None = None if on_progress is None else box.put
        waiting = helper.waits.wait(queue, task_id, existed=existed, timeout=timeout, on_progress=listener)
        future = asyncio.run_coroutine_threadsafe(waiting, helper.loop)
        future.add_done_callback(box.put)
        try:
            while not isinstance(item := box.get(), Future):
                cast("ProgressListener", on_progress)(item)
            return item.result()
        except CancelledError:
            raise ConnectionLostError("the client was closed while it waited") from None
        finally:
            future.cancel()  # a listener has failed, or the thread was interrupted

    def _started(self) -> _Helper:
        with self._lock:
            if self._helper is None:
                self._source.resolve()  # an embedded server is started here, not on the helper's loop
                self._helper = _Helper(self._source)
            return self._helper

    def forget_helper(self) -> None:
        """Give up what belongs to the parent process, after a fork: its thread does not exist here."""
        self._lock = threading.Lock()
        if self._helper is not None:
            _left_to_parents.append(self._helper)
            self._helper = None

    def close(self) -> None:
        """End every wait, and the thread."""
        with self._lock:
            helper, self._helper = self._helper, None
        if helper is not None:
            helper.close()


_of_this_process: WeakSet[BlockingWaits] = WeakSet()
_left_to_parents: list[_Helper] = []
"""Never freed: freeing would close what the parent process still uses."""


def _after_fork() -> None:
    for waits in list(_of_this_process):
        waits.forget_helper()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
