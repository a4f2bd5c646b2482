"""How `asynqpy worker` is called with the benchmark's handler, for measures of several processes."""

import sys
from pathlib import Path

from bench.contenders.shared.settings import Settings

HANDLER = "bench.contenders.asynqpy.tasks:mux"


def worker_command(*, processes: int, concurrency: int) -> list[str]:
    """The command line; concurrency is each process'."""
    program = Path(sys.executable).with_name("asynqpy")
    return [str(program), "worker", HANDLER, "--processes", str(processes), "--concurrency", str(concurrency)]


def worker_variables(settings: Settings) -> dict[str, str]:
    """The environment that tells the command where Redis is."""
    return {"ASYNQPY_REDIS_URL": settings.redis_url}
