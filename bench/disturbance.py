"""How much other programs slowed the machine down while the benchmark ran: figures mean little when they did."""

from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import monotonic, perf_counter, sleep

ROUNDS = 300_000
LOOK_SECONDS = 0.5
QUIET_SHARE = 0.05
"""Of all cores' time: what other programs may use in a moment that counts as quiet."""


@dataclass(slots=True)
class Disturbance:
    """Times of one fixed computation, repeated between measurements."""

    milliseconds: list[float] = field(default_factory=list)

    def sample(self) -> None:
        """Time the computation once; takes about 10 ms on a quiet machine."""
        started = perf_counter()
        total = 0
        for number in range(ROUNDS):
            total += number
        self.milliseconds.append((perf_counter() - started) * 1e3)

    def __str__(self) -> str:
        """What to tell the reader."""
        if not self.milliseconds:
            return "not known"
        fastest = min(self.milliseconds)
        typical, worst = median(self.milliseconds) / fastest, max(self.milliseconds) / fastest
        return f"a fixed computation took {typical:.1f} x its fastest time at the median, {worst:.1f} x at worst"


def wait_until_quiet(patience_seconds: float) -> None:
    """Return when other programs rest, or after *patience_seconds*. To be called while nothing of ours works."""
    deadline = monotonic() + patience_seconds
    while monotonic() < deadline and _busy_share() > QUIET_SHARE:
        pass


def _busy_share() -> float:
    """The share of all cores' time that was used during the next moment; 0 where the system does not tell."""
    before = _processor_times()
    sleep(LOOK_SECONDS)
    passed = [now - then for now, then in zip(_processor_times(), before, strict=True)]
    return 1 - (passed[3] + passed[4]) / sum(passed) if passed and sum(passed) else 0.0


def _processor_times() -> list[int]:
    """User, nice, system, idle, waiting for disks, ..., of all cores together, in ticks."""
    statistics = Path("/proc/stat")
    return [int(ticks) for ticks in statistics.read_text().split()[1:9]] if statistics.exists() else []
