"""Threads for plain functions: made when needed, kept for reuse, and never in the way of the process's end.

`concurrent.futures` joins its threads at exit, so one stuck handler would keep the whole process from ending. These are
daemon threads, and results go straight to the event loop.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
import traceback
from collections import deque
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_Job = tuple[Callable[[], object], "asyncio.AbstractEventLoop", "asyncio.Future[object]"]


class ThreadPool:
    """Runs functions in at most *limit* threads at once; more wait in line."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._jobs: deque[_Job | None] = deque()
        self._work = threading.Condition()
        self._threads = 0
        self._idle = 0
        self._closed = False

    def submit(self, function: Callable[[Unpack[Ts]], T], *arguments: *Ts) -> asyncio.Future[T]:
        """Run *function* in a thread, with a copy of the caller's context. The future belongs to the running loop."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        context = contextvars.copy_context()
        with self._work:
            self._jobs.append((lambda: context.run(function, *arguments), loop, future))  # type: ignore[arg-type]
            if self._idle >= len(self._jobs):  # a thread that was notified before counts as idle until it wakes
                self._work.notify()
            elif self._threads < self._limit:
                self._start_thread()
        return future

    def _start_thread(self) -> None:
        name = f"asynqpy handler {self._threads + 1}"
        try:
            threading.Thread(target=self._serve, name=name, daemon=True).start()
        except RuntimeError:  # the machine is out of threads: one of ours takes the job later, if there is any
            if not self._threads:
                self._jobs.pop()
                raise
        else:
            self._threads += 1

    def close(self) -> None:
        """Let idle threads end; busy ones end after their function."""
        with self._work:
            self._closed = True
            self._work.notify_all()

    def _serve(self) -> None:
        while True:
            with self._work:
                while not self._jobs:
                    if self._closed:
                        self._threads -= 1
                        return
                    self._idle += 1
                    self._work.wait()
                    self._idle -= 1
                job = self._jobs.popleft()
            if job is not None:
                _run(*job)


def _run(call: Callable[[], object], loop: asyncio.AbstractEventLoop, future: asyncio.Future[object]) -> None:
    try:
        result, error = call(), None
    except BaseException as raised:  # noqa: BLE001 - carried to the event loop, which decides
        result, error = None, raised
    try:
        loop.call_soon_threadsafe(_settle, future, result, error)
    except RuntimeError:  # the loop is closed: nobody waits any more
        return


def _settle(future: asyncio.Future[object], result: object, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    elif isinstance(error, StopIteration) or not isinstance(error, Exception | asyncio.CancelledError):
        # A future cannot carry the first; SystemExit and its kind mean the loop when they are raised there.
        wrapped = RuntimeError(f"handler raised {''.join(traceback.format_exception_only(error)).strip()}")
        wrapped.__cause__ = error
        future.set_exception(wrapped)
    else:
        future.set_exception(error)
