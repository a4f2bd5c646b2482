"""Notices when the event loop stands still, and says which handler holds it and where.

A plain call that blocks inside an async handler stops every other handler of the process. The heartbeater keeps their
leases alive meanwhile; this thread names the culprit in the log.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
import traceback

from asynqpy._worker.in_flight import InFlight

log = logging.getLogger("asynqpy")

CHECK_SECONDS = 0.5
STALL_SECONDS = 1.0
"""The loop counts as standing still when it has not come round for so long."""


class StallWatch:
    """A thread that watches the running loop."""

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        self._came_round = time.monotonic()
        self._stop = threading.Event()
        self._pulse: asyncio.TimerHandle | None = None
        self.stalls = 0

    def start(self) -> None:
        """Start watching."""
        self._beat()
        threading.Thread(target=self._watch, name="asynqpy stall watch", daemon=True).start()

    def stop(self) -> None:
        """Stop watching; the thread ends within half a second."""
        self._stop.set()
        if self._pulse is not None:
            self._pulse.cancel()

    def _beat(self) -> None:
        self._came_round = time.monotonic()
        self._pulse = self._loop.call_later(CHECK_SECONDS, self._beat)

    def _watch(self) -> None:
        reported = False
        while not self._stop.wait(CHECK_SECONDS):
            stalled_for = time.monotonic() - self._came_round - CHECK_SECONDS
            if stalled_for < STALL_SECONDS:
                if reported:
                    log.warning("the event loop runs again")
                reported = False
            elif not reported:
                reported = True
                self._report(stalled_for)

    def _report(self, stalled_for: float) -> None:
        self.stalls += 1
        frame = sys._current_frames().get(self._loop_thread)
        stack = "".join(traceback.format_stack(frame)) if frame is not None else "(no stack)"
        culprit = self._culprit()
        log.error(
            "the event loop has been blocked for %.1f s by %s; use a plain function or isolate='process' for work that"
            " blocks\n%s",
            stalled_for,
            culprit,
            stack,
        )

    def _culprit(self) -> str:
        current = asyncio.current_task(self._loop)
        for running in self._in_flight:
            if running.handle is current:
                message = running.message
                return f"the handler of task {message.type!r} (id {message.id}, queue {message.queue!r})"
        return "something that is not a handler"
