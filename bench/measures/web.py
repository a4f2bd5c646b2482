"""The web dashboard on a large installation: its answers, its pages in a browser, and what spectators cost Redis."""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import monotonic, perf_counter, sleep
from typing import Any

import httpx

from bench import environments
from bench.contender import Contender, ContenderError
from bench.measures.measure import Measure
from bench.processes import cpu_seconds_of
from bench.registry import ASYNQPY
from bench.samples import Better, Sample, percentile
from bench.stage import Stage
from bench.web import browser
from bench.web.data import DONE, FAILING, GROUPED, LARGE, LIVELY, QUEUES, Installed, fill

TASKS, QUICK_TASKS = 1_000_000, 50_000
SERVERS = 200
FEW, MANY = 5, 100
SHARED_SECONDS = 0.8
"""An answer is shared for less than this, so it lies between two rounds."""

START_SECONDS = 60


def run(stage: Stage, contender: Contender) -> Iterator[Sample]:
    """Fill Redis, let servers live, and look at all of it."""
    stage.server.empty()
    installed = fill(stage.server.url, stage.size(TASKS, QUICK_TASKS))
    with (
        helper(["bench.web.life", stage.server.url, str(SERVERS)], "alive"),
        serving(stage.server.url) as (address, dashboard),
    ):
        answers = list(asked(address, installed, stage.size(40, 6)))
        yield from answers
        yield _sample("slowest of all", "median of a read by `/api/v2`", max(_values(answers, "median")))
        wanted = browser.places(installed, stage.server.version.split()[1])
        pages = list(shown(address, wanted, stage.size(9, 3)))
        yield from pages
        if pages:
            yield _sample("slowest of all", "page in a browser, median", max(_values(pages, "median")))
        yield from watched(stage, address, dashboard)
    if missing := [place.name for place in wanted if place.name not in {sample.row for sample in pages}]:
        raise ContenderError(f"these pages did not come within {browser.LIMIT_SECONDS} s: {', '.join(missing)}")


def routes(installed: Installed) -> dict[str, str]:
    """What pages ask for."""
    return {
        "queues, a page of 100": "queues?limit=100",
        "queues, all": f"queues?limit={QUEUES}",
        "queue": f"queues/{LARGE}",
        "history of a queue": f"queues/{LARGE}/history?days=90",
        "rates of a queue": f"queues/{LIVELY[0]}/rates?minutes=60",
        "groups": f"queues/{GROUPED}/groups",
        "tasks, pending, a page of 50": f"tasks?queue={LARGE}&state=pending&limit=50",
        "tasks, archived, a page of 50": f"tasks?queue={FAILING}&state=archived&limit=50",
        "tasks, completed, a page of 50": f"tasks?queue={DONE}&state=completed&limit=50",
        "tasks, all queues and states, a page of 50": "tasks?limit=50",
        "task": f"queues/{LARGE}/tasks/{installed.task_id}",
        "task that failed": f"queues/{FAILING}/tasks/{installed.failed_id}",
        "why a task does not run": f"queues/{LARGE}/tasks/{installed.task_id}/why",
        "search of 10,000 tasks, one in a thousand fits": f"tasks?queue={LARGE}&state=pending&payload=rare&limit=50",
        f"failures, grouped, of {FAILING}": f"failures?queue={FAILING}&state=archived",
        "failures, grouped, of all queues": "failures",
        "servers": "servers",
        "schedulers": "schedulers",
        "redis": "redis",
        "meta": "meta",
    }


def asked(address: str, installed: Installed, rounds: int) -> Iterator[Sample]:
    """Each route once a round, over one connection; rounds lie so far apart that no answer is a shared one."""
    table = "milliseconds until a read by `/api/v2` is answered"
    reads = routes(installed)
    with httpx.Client(base_url=f"{address}api/v2/", timeout=60) as web:
        taken: dict[str, list[float]] = {name: [] for name in reads}
        for number in range(rounds + 1):
            for name, path in reads.items():
                started = perf_counter()
                answer = web.get(path)
                milliseconds = (perf_counter() - started) * 1e3
                if answer.status_code != 200:
                    raise ContenderError(f"{path}: {answer.status_code} {answer.text[:200]}")
                if number:  # the first round opens connections and loads scripts
                    taken[name].append(milliseconds)
            sleep(SHARED_SECONDS)
    for name, values in taken.items():
        yield _sample(table, "median", percentile(values, 0.5), row=name)
        yield _sample(table, "99th percentile", percentile(values, 0.99), row=name)


def shown(address: str, wanted: Sequence[browser.Place], repeats: int) -> Iterator[Sample]:
    """Each page, in a browser that has never been there; those that never come are left out."""
    times = asyncio.run(browser.load_times(address, wanted, repeats))
    table = "from navigation to heading and first rows, empty cache"
    for place, values in times.items():
        yield _sample(table, "median", percentile(values, 0.5), row=place.name)
        yield _sample(table, "slowest", max(values), row=place.name)


def watched(stage: Stage, address: str, dashboard: int) -> Iterator[Sample]:
    """What Redis and the dashboard do while nobody, few or many watch; servers and their tasks go on all the time."""
    lasts = stage.size(20, 12)
    seen, size = asyncio.run(browser.watch_one(address, lasts))
    yield Sample(table="first load", column="bytes over the network", unit="B", value=size, better=Better.LOWER)
    script = json.dumps({"seen": seen, "lasts": lasts})
    seconds = stage.size(30, 6)
    rates: dict[int, dict[str, float]] = {}
    for number in (0, FEW, MANY):
        if number:
            with helper(["bench.web.spectators", address, str(number)], "watching", given=script):
                rates[number] = spent(stage, dashboard, seconds)
        else:
            rates[number] = spent(stage, dashboard, seconds)
        row = f"{number} open" if number else "none open"
        for column, value in rates[number].items():
            unit = "per second" if column == "commands a second" else "ms"
            yield Sample(
                table="while dashboards are open", row=row, column=column, unit=unit, value=value, better=Better.LOWER
            )
    for column in ("commands a second", "processor time of Redis a second"):
        few, many = (rates[number][column] - rates[0][column] for number in (FEW, MANY))
        yield Sample(
            table=f"{MANY} dashboards against {FEW}, what goes on without them taken off",
            column=column,
            unit="x",
            value=max(0.0, many) / max(few, 1e-3),
            better=Better.LOWER,
        )


def spent(stage: Stage, dashboard: int, seconds: float) -> dict[str, float]:
    """What each second costs."""
    server = stage.server
    began, commands, cpu, own = (
        monotonic(),
        server.commands_processed(),
        server.cpu_seconds(),
        cpu_seconds_of(dashboard),
    )
    sleep(seconds)
    took = monotonic() - began
    return {
        "commands a second": (server.commands_processed() - commands - 3) / took,  # less what asking costs
        "processor time of Redis a second": (server.cpu_seconds() - cpu) / took * 1e3,
        "of the dashboard": (cpu_seconds_of(dashboard) - own) / took * 1e3,
    }


@contextmanager
def helper(module: Sequence[str], word: str, given: str = "") -> Iterator[None]:
    """A module of the benchmark in a process of its own, from when it has said *word*."""
    process = _start([sys.executable, "-m", *module])
    try:
        assert process.stdin is not None
        process.stdin.write(given)
        process.stdin.close()
        _wait_for(process, re.compile(word))
        yield
    finally:
        _end(process)


@contextmanager
def serving(url: str) -> Iterator[tuple[str, int]]:
    """`asynqpy web` in a process of its own: its address and id."""
    process = _start([sys.executable, "-m", "asynqpy", "web", "--port", "0", "--redis", url])
    try:
        yield _wait_for(process, re.compile(r"http://\S+/")), process.pid
    finally:
        _end(process)


def _start(command: Sequence[str]) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command,
        env=environments.driver_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _wait_for(process: "subprocess.Popen[str]", wanted: "re.Pattern[str]") -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if found := wanted.search(line):
            return found[0]
    raise ContenderError(f"{' '.join(map(str, process.args))} ended")  # type: ignore[arg-type]


def _end(process: "subprocess.Popen[str]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


def _values(samples: Sequence[Sample], column: str) -> list[float]:
    return [each.value for each in samples if each.column == column and "search" not in each.table]


def _sample(table: str, column: str, value: float, **more: Any) -> Sample:
    return Sample(table=table, column=column, unit="ms", value=value, better=Better.LOWER, **more)


MEASURE = Measure(
    name="web",
    title="The web dashboard",
    explanation=f"{QUEUES:,} queues with a million tasks, half of them in one queue; {SERVERS} servers with five "
    "running tasks each, which announce themselves every five seconds; a trickle of tasks in 20 queues. "
    "All of it shares the cores, the browser too. An open dashboard is a stream of events and the "
    "requests that the overview was seen to make in Chromium, again and again. A page can be used when "
    "its heading and its first rows are there.",
    run=run,
    contenders=(ASYNQPY.name,),
    most_runs=1,
)
