"""What the harness asks of a driver, carried in one environment variable so that every child process sees it."""

import json
import os
from dataclasses import asdict, dataclass

VARIABLE = "BENCH_SETTINGS"

GROUP = "bench"
"""The group of all tasks of the mode "grouped"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One job for a driver: a worker to run, or tasks to produce. Go's driver reads the same JSON."""

    redis_url: str
    tally_path: str = ""
    concurrency: int = 1
    queues: int = 1
    """How many queues the worker listens to; tasks always go to the default one."""
    hold_seconds: float = 0.0
    """How long a handler keeps its task after counting it; 0 for a no-op."""
    group_size: int = 0
    """Aggregate the group GROUP in sets of this size; 0 for no aggregation."""
    lease_seconds: float = 0.0
    """Lease of a claimed task; 0 for the contender's default."""
    mode: str = ""
    """How to produce: a key of the driver's PRODUCERS."""
    count: int = 0
    callers: int = 100
    gap_low_ms: float = 50.0
    gap_high_ms: float = 150.0
    lead_seconds: float = 2.0
    """Scheduled tasks are asked for no sooner than this after the producer starts."""
    spread_seconds: float = 5.0
    """Scheduled tasks are asked for at random moments in this many seconds after the lead."""
    due_at_ns: int = 0
    """Unix time of the one moment at which all tasks of the mode "due" fall due."""

    def environment(self) -> dict[str, str]:
        """The environment variable that hands these settings to a driver."""
        return {VARIABLE: json.dumps(asdict(self))}

    @classmethod
    def from_environment(cls) -> "Settings":
        """The settings of the driver process that calls this."""
        return cls(**json.loads(os.environ[VARIABLE]))
