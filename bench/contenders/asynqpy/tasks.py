"""What asynqpy's worker runs: a typed handler behind one middleware. Also for `asynqpy worker`."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

from asynqpy import Next, ServeMux, Task
from bench.contenders.shared.settings import Settings
from bench.contenders.shared.tally import Tally

SETTINGS = Settings.from_environment()
TALLY = Tally(SETTINGS.tally_path)
TASK_TYPE = "bench:noop"
STAMP_TYPE = "bench:stamp"
TIMEOUT = timedelta(minutes=1)
DEADLINE = datetime.now(UTC) + timedelta(hours=1)
mux = ServeMux()


async def pass_on(task: Task, proceed: Next) -> object:
    """The one middleware that every worker of the benchmark has."""
    return await proceed(task)


mux.use(pass_on)


@mux.task(TASK_TYPE, timeout=TIMEOUT, deadline=DEADLINE)
async def noop(n: int, sent_ns: int, note: str) -> None:
    """Count and return."""
    TALLY.hit(n, sent_ns)
    if SETTINGS.hold_seconds:
        await asyncio.sleep(SETTINGS.hold_seconds)


@mux.task(STAMP_TYPE, timeout=TIMEOUT)
async def stamp(n: int, sent_ns: int, note: str) -> int:
    """Count, and return the present moment as the result."""
    TALLY.hit(n, sent_ns)
    return time.time_ns()
