"""The count of tasks that ran, in a memory-mapped file shared by all processes of a worker.

A handler's whole work is one `hit`. The harness reads the file while the worker runs, without talking to it. Layout, in
64-bit integers: SLOTS times (count, first moment, last moment), one slot a process; then one integer a task, the delay
from the moment in its payload to its start. Go's driver writes the same layout.
"""

import mmap
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from time import time_ns

SLOTS = 4096
"""A process uses slot `pid % SLOTS`; processes that live at the same time have close ids, so they do not collide."""
SLOT_WIDTH = 3
HEADER_INTEGERS = SLOTS * SLOT_WIDTH


def create(path: Path, tasks: int) -> None:
    """Make an empty tally for tasks numbered 0 to *tasks* - 1."""
    path.write_bytes(bytes(8 * (HEADER_INTEGERS + tasks)))


def _map(path: Path) -> memoryview:
    with path.open("r+b") as file:
        return memoryview(mmap.mmap(file.fileno(), 0)).cast("q")


class Tally:
    """The writing side, in a worker. Safe in threads and across forks. A producer has no path, and counts in vain."""

    def __init__(self, path: str) -> None:
        self._integers = _map(Path(path)) if path else memoryview(bytearray(8 * HEADER_INTEGERS)).cast("q")
        self._capacity = len(self._integers) - HEADER_INTEGERS
        self._adopt_slot()
        os.register_at_fork(after_in_child=self._adopt_slot)

    def _adopt_slot(self) -> None:
        self._lock = threading.Lock()
        self._slot = os.getpid() % SLOTS * SLOT_WIDTH
        self._count = self._integers[self._slot]

    def hit(self, n: int, sent_ns: int) -> None:
        """Count task number *n*, whose payload asked for, or was written at, *sent_ns* Unix time."""
        now_ns = time_ns()
        integers, slot = self._integers, self._slot
        with self._lock:
            if self._count == 0:
                integers[slot + 1] = now_ns
            self._count += 1
            integers[slot] = self._count
            integers[slot + 2] = now_ns
        if n < self._capacity:
            integers[HEADER_INTEGERS + n] = (now_ns - sent_ns) or 1


@dataclass(frozen=True, slots=True)
class Count:
    """What a tally said at one moment."""

    tasks: int
    first_ns: int
    last_ns: int

    @property
    def seconds(self) -> float:
        """From the start of the first task to the start of the last one."""
        return (self.last_ns - self.first_ns) / 1e9


class TallyReader:
    """The reading side, in the harness."""

    def __init__(self, path: Path) -> None:
        self._integers = _map(path)

    def count(self) -> Count:
        """All processes together."""
        header = self._integers[:HEADER_INTEGERS].tolist()
        firsts = [moment for moment in header[1::SLOT_WIDTH] if moment]
        return Count(sum(header[::SLOT_WIDTH]), min(firsts, default=0), max(header[2::SLOT_WIDTH]))

    def tasks(self) -> int:
        """How many tasks started so far; cheap enough to ask often."""
        return sum(self._integers[:HEADER_INTEGERS].tolist()[::SLOT_WIDTH])

    def tasks_of(self, pid: int) -> int:
        """How many tasks the process *pid* started."""
        return self._integers[pid % SLOTS * SLOT_WIDTH]

    def delays_ns(self) -> list[int]:
        """The delay of each task by its number; 0 where a task never started."""
        return self._integers[HEADER_INTEGERS:].tolist()
