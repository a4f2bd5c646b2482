"""Worker processes under test: started in a session of their own, watched from outside, and always ended."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import time_ns

TERMINATE_TIMEOUT_SECONDS = 1
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """A worker and whatever it started."""

    process: "subprocess.Popen[bytes]"
    started_ns: int
    log: Path

    @property
    def running(self) -> bool:
        """Whether the process that was started is still there."""
        return self.process.poll() is None

    def family(self) -> list[int]:
        """The worker's process and all its descendants."""
        parents = {int(entry.name): _parent(entry) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
        family = [self.process.pid]
        for pid in family:
            family += [child for child, parent in parents.items() if parent == pid]
        return family

    def cpu_seconds(self) -> float:
        """Processor time that the family used so far, starting up included."""
        return sum(_cpu_seconds(pid) for pid in self.family())

    def memory_megabytes(self) -> float:
        """Resident memory of the family."""
        return sum(_memory_megabytes(pid) for pid in self.family())

    def last_words(self) -> str:
        """The last line that the worker logged."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else "nothing"


@contextmanager
def running(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Iterator[WorkerProcess]:
    """Start *command*, yield it, then ask it to stop, and kill what is left of its session."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        started_ns = time_ns()
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield WorkerProcess(process, started_ns, log)
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(TERMINATE_TIMEOUT_SECONDS)
    finally:
        _kill_session(process.pid)
        process.wait()


def cpu_seconds_of(pid: int) -> float:
    """Processor time that one process used so far."""
    return _cpu_seconds(pid)


def _kill_session(leader: int) -> None:
    """Kill what is left of the session that we started; some workers put their children in groups of their own."""
    for entry in Path("/proc").iterdir():
        with suppress(ProcessLookupError, PermissionError, ValueError):
            if os.getsid(pid := int(entry.name)) == leader:
                os.kill(pid, signal.SIGKILL)


def _stat_fields(entry: Path) -> list[str]:
    """The numbers of /proc/PID/stat after the command's name; [1] is the parent, [11] and [12] are user and system."""
    try:
        return (entry / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _parent(entry: Path) -> int:
    fields = _stat_fields(entry)
    return int(fields[1]) if fields else 0


def _cpu_seconds(pid: int) -> float:
    fields = _stat_fields(Path("/proc", str(pid)))
    return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS if fields else 0.0


def _memory_megabytes(pid: int) -> float:
    with suppress(FileNotFoundError, ProcessLookupError):
        for line in Path("/proc", str(pid), "status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0
