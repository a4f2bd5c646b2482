"""How long a program waits for the library to be imported, and for the command line to answer."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

from bench.contender import Contender, ContenderError, Kind
from bench.environments import driver_environment
from bench.measures.measure import Measure
from bench.registry import ASYNQPY, CONTENDERS
from bench.samples import Better, Sample
from bench.stage import Stage

TRIES = 7


def run(stage: Stage, contender: Contender) -> Iterator[Sample]:
    """Time an import in a fresh interpreter, less the interpreter's own start; for asynqpy its command too."""
    stage.command(contender)
    python = str(contender.python) if contender.kind is Kind.PYTHON else sys.executable
    empty_ms = _milliseconds([python, "-c", "pass"])
    import_ms = _milliseconds([python, "-c", contender.import_statement])
    yield _sample("import, without the interpreter", import_ms - empty_ms)
    if contender is ASYNQPY:
        command = Path(sys.executable).with_name("asynqpy")
        yield _sample("`asynqpy --help`", _milliseconds([str(command), "--help"]))
        ask = [str(command), "queue", "ls", "--redis", stage.server.url]
        yield _sample("`asynqpy queue ls`", _milliseconds(ask))


def _milliseconds(command: list[str]) -> float:
    """The median of a few calls; the first one, which compiles and fills caches, is not counted."""
    times = []
    for _ in range(TRIES + 1):
        started = perf_counter()
        done = subprocess.run(command, env=driver_environment(), capture_output=True, text=True, check=False)
        times.append((perf_counter() - started) * 1e3)
        if done.returncode:
            raise ContenderError(f"`{' '.join(command)}` failed: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    return median(times[1:])


def _sample(column: str, value: float) -> Sample:
    return Sample(table="start-up", column=column, unit="ms", value=value, better=Better.LOWER)


MEASURE = Measure(
    name="start-up",
    title="Start-up time",
    explanation="In a fresh interpreter, with compiled bytecode in place.",
    run=run,
    contenders=tuple(name for name, contender in CONTENDERS.items() if contender.import_statement),
    most_runs=1,
)
