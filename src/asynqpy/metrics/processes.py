"""One page of metrics for all worker processes of a supervisor, those that have ended included.

The children keep their numbers in files of one folder, prometheus_client's multiprocess mode, and the supervisor adds
them up at each scrape. What a dead child has counted is added to one file for all dead, so that nothing is lost and the
folder stays small however many have died; its gauges go.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.exposition import generate_latest
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Tells prometheus_client in a child where its files are."""

ENDED = "ended"
"""Stands in the names of files in the place of a process id, for all processes that have ended."""


class ProcessesMetrics:
    """The numbers of the children of this process. Its folder is removed by `close`."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="asynqpy-metrics-"))
        self._lock = threading.Lock()
        self._own = CollectorRegistry()
        self._crashes = Counter(
            "asynqpy_worker_crashes_total",
            "Worker processes that ended without being told to, or had to be killed.",
            registry=self._own,
        )

    @property
    def environment(self) -> dict[str, str]:
        """What the children need in their environment."""
        return {FOLDER_VARIABLE: str(self._folder)}

    def text(self) -> bytes:
        """The metrics of all children together."""
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(self._folder))
        with self._lock:
            return generate_latest(registry) + generate_latest(self._own)

    def child_ended(self, process: int, *, crashed: bool) -> None:
        """Keep what *process* has counted, and forget its gauges; the same for processes that it had started."""
        if crashed:
            self._crashes.inc()
        with self._lock:
            for path, owner in self._files():
                if owner == process or not _is_running(owner):
                    self._retire(path)

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _files(self) -> Iterator[tuple[Path, int]]:
        """The files of processes, each with the id of its owner."""
        for path in sorted(self._folder.glob("*.db")):
            owner = path.stem.rpartition("_")[2]
            if owner.isdecimal():
                yield path, int(owner)

    def _retire(self, path: Path) -> None:
        kind = path.stem.partition("_")[0]
        if kind != "gauge" and path.stat().st_size:
            total = MmapedDict(str(self._folder / f"{kind}_{ENDED}.db"))
            for key, value, _, _ in MmapedDict.read_all_values_from_file(str(path)):
                total.write_value(key, total.read_value(key)[0] + value, 0.0)
            total.close()
        path.unlink()


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
