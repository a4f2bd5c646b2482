"""Writes how far attempts are: a few times a second the last value, and the final one before the outcome.

Progress is for people. Trouble in writing it never fails a task, and nothing is written once the outcome is decided.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable

from asynqpy._broker.presence import report_progress
from asynqpy._transport.channel import Channel
from asynqpy._worker.in_flight import Running
from asynqpy.errors import AsynqpyError

log = logging.getLogger("asynqpy")

INTERVAL_SECONDS = 0.3
"""Between two writes of one attempt."""


class Report:
    """What one attempt has reported and not yet written."""

    __slots__ = ("is_closed", "latest", "timer", "writing")

    def __init__(self) -> None:
        self.latest: tuple[float, str] | None = None
        self.timer: asyncio.TimerHandle | None = None
        """Runs while it is too early for the next write."""
        self.writing: asyncio.Task[None] | None = None
        self.is_closed = False


class ProgressReporter:
    """Writes over the shared channel of the server, so that the reports of many attempts share a round trip."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._loop = asyncio.get_running_loop()

    def report(self, running: Running, fraction: float, text: str) -> None:
        """Take note of a progress; it is written now or soon."""
        if running.concluded or running.cancelled:
            return
        report = running.progress
        if report is None:
            report = running.progress = Report()
        if report.is_closed:
            return
        report.latest = fraction, text
        if report.timer is None and report.writing is None:
            self._write_latest(running, report)

    def report_from_thread(self, running: Running, fraction: float, text: str) -> None:
        """`report` from another thread."""
        self._loop.call_soon_threadsafe(self.report, running, fraction, text)

    async def flush(self, running: Running) -> None:
        """Write what is left; the handler has ended."""
        report = running.progress
        if report is None:
            return
        report.is_closed = True
        if report.writing is not None:
            await asyncio.wait([report.writing])
        if report.timer is not None:
            report.timer.cancel()
            report.timer = None
        if report.latest is not None and not running.concluded:
            await self._write(running, report)

    def _write_latest(self, running: Running, report: Report) -> None:
        report.timer = None
        if report.latest is None or report.is_closed or running.concluded:
            return
        report.writing = self._loop.create_task(self._write_and_wait(running, report), name="asynqpy progress")

    async def _write_and_wait(self, running: Running, report: Report) -> None:
        try:
            await self._write(running, report)
        finally:
            report.writing = None
            if not report.is_closed:
                report.timer = self._loop.call_later(INTERVAL_SECONDS, self._write_latest, running, report)

    async def _write(self, running: Running, report: Report) -> None:
        latest, report.latest = report.latest, None
        if latest is None:
            return
        message = running.message
        try:
            await self._channel.run(report_progress(message.queue, message.id, running.token, *latest))
        except AsynqpyError as error:
            log.debug("progress could not be written: %s", error, extra={"task_id": message.id})


class IsolatedProgress:
    """The same in a child process, for one attempt: *write* blocks, and a timer's thread writes what came too early."""

    def __init__(self, write: Callable[[float, str], None]) -> None:
        self._write = write
        self._lock = threading.Lock()
        self._latest: tuple[float, str] | None = None
        self._timer: threading.Timer | None = None
        self._next_at = 0.0

    def report(self, fraction: float, text: str) -> None:
        """Take note of a progress, and write it if it is time."""
        with self._lock:
            self._latest = fraction, text
            early = self._next_at - time.monotonic()
            if early > 0:
                if self._timer is None:
                    self._timer = threading.Timer(early, self.flush)
                    self._timer.daemon = True
                    self._timer.start()
                return
        self.flush()

    def flush(self) -> None:
        """Write what is left."""
        with self._lock:
            timer, self._timer = self._timer, None
            latest, self._latest = self._latest, None
            if timer is not None:
                timer.cancel()
            if latest is None:
                return
            self._next_at = time.monotonic() + INTERVAL_SECONDS
            try:
                self._write(*latest)
            except AsynqpyError as error:
                log.debug("progress could not be written: %s", error)
