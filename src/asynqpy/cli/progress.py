"""A bar for what takes long, on standard error, where a person looks at it. Ctrl-C ends it between two batches."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interruption:
    """Ctrl-C, held back until the work is at a place where it can end; a second one ends it at once."""

    def __init__(self) -> None:
        self.is_wanted = False
        self.done = 0
        """How much was done so far."""

    def raise_if_wanted(self) -> None:
        """End here if somebody pressed Ctrl-C.

        Raises:
            KeyboardInterrupt: somebody did.
        """
        if self.is_wanted:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.is_wanted:
            raise KeyboardInterrupt
        self.is_wanted = True

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold Ctrl-C back meanwhile, where this is the main thread."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self._note)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


@contextmanager
def progress(what: str, verb: str) -> Iterator[Callable[[int, int], None]]:
    """A function to be called with how many were handled and how many there are.

    Args:
        what: stands before the bar.
        verb: what is told when it is interrupted: ``12 of 34 deleted``.
    """
    interruption = Interruption()
    total = 0
    with _bar(what) as advance, interruption.held():

        def on_progress(done: int, of: int) -> None:
            nonlocal total
            interruption.done, total = done, of
            advance(done, of)
            interruption.raise_if_wanted()

        try:
            yield on_progress
        except KeyboardInterrupt:
            print(f"asynqpy: {interruption.done:,} of {total:,} {verb} so far", file=sys.stderr)
            raise


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], Any]]:
    if not sys.stderr.isatty():
        yield lambda done, of: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=None, rate="")

        def advance(done: int, of: int) -> None:
            speed = bar.tasks[0].speed
            bar.update(task, completed=done, total=of, rate=f"{speed:,.0f}/s" if speed else "")

        yield advance
