"""Take the measures, gather their figures, and keep going when a contender fails."""

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from bench import environments
from bench.contender import Contender, ContenderError
from bench.disturbance import Disturbance, wait_until_quiet
from bench.measures.measure import Measure
from bench.registry import CONTENDERS
from bench.samples import Missing, Results
from bench.stage import Stage


def take(
    stage: Stage,
    measures: Sequence[Measure],
    contenders: Sequence[Contender],
    *,
    runs: int,
    patience_seconds: float,
) -> Results:
    """Run every measure for every contender, *runs* times, all contenders once before any of them again.

    A keyboard interrupt ends it early, with the figures so far.
    """
    results = Results(conditions=conditions(stage, contenders, runs))
    disturbance = Disturbance()
    try:
        for measure in measures:
            chosen = [contender for contender in contenders if contender.name in _names(stage, measure)]
            failed: set[str] = set()
            for run in range(min(runs, measure.most_runs)):
                for contender in chosen:
                    if contender.name in failed:
                        continue
                    wait_until_quiet(patience_seconds)
                    disturbance.sample()
                    if not _take_once(stage, measure, contender, run, results):
                        failed.add(contender.name)
    except KeyboardInterrupt:
        results.conditions["Interrupted"] = "what was measured until then is reported"
    results.conditions["Other programs"] = str(disturbance)
    return results


def _names(stage: Stage, measure: Measure) -> tuple[str, ...]:
    return measure.contenders + (measure.slow_contenders if stage.slow else ())


def _take_once(stage: Stage, measure: Measure, contender: Contender, run: int, results: Results) -> bool:
    """Add the figures of one run; a failure becomes a `Missing` beside what was measured before it."""
    started = monotonic()
    try:
        for sample in measure.run(stage, contender):
            results.add(measure.name, contender.name, sample)
            _say(
                f"  {contender.title}: {sample.row} {sample.table}, {sample.column}: {sample.value:,.2f} {sample.unit}"
            )
    except ContenderError as error:
        results.missing.append(Missing(measure=measure.name, contender=contender.name, reason=str(error)))
        _say(f"{measure.name}, {contender.title}: not measured: {error}")
        return False
    _say(f"{measure.name}, {contender.title}, run {run + 1}: {monotonic() - started:.0f} s")
    return True


def _say(text: str) -> None:
    print(text, flush=True)


def conditions(stage: Stage, contenders: Iterable[Contender], runs: int) -> dict[str, str]:
    """Where and how this run measures."""
    measured = ", ".join(environments.version(contender) for contender in contenders)
    return {
        "Date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "Machine": f"{_processor()}, {os.cpu_count()} cores shared by server, worker and producer",
        "System": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "Server": f"{stage.server.version}, on loopback, without persistence",
        "Load average at the start": f"{os.getloadavg()[0]:.2f}",
        "Runs": f"{'short ones, ' if stage.quick else ''}medians of {runs}",
        "Contenders": measured,
        **{f"Note on {c.title}": "; ".join(c.notes) for c in contenders if c.notes},
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def known(names: Iterable[str]) -> list[Contender]:
    """The contenders with these names."""
    return [CONTENDERS[name] for name in names]
