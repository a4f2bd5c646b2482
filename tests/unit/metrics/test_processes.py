"""The numbers of several processes on one page, also of those that have ended."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from asynqpy.metrics.processes import ProcessesMetrics

CHILD = """
import sys
from prometheus_client import REGISTRY, Gauge
from asynqpy.metrics import ServerMetrics
from asynqpy.observer import AttemptOutcome
metrics = ServerMetrics()
Gauge("of_the_user", "A gauge of the user's.").set(7)
for line in sys.stdin:
    match line.split():
        case ["start"]:
            metrics.attempt_started("low", "t", 0.5)
        case ["end"]:
            metrics.attempt_ended("low", "t", AttemptOutcome.SUCCEEDED, 0.002)
    print("done", flush=True)
"""


class Child:
    """A process that counts what it is told to."""

    def __init__(self, metrics: ProcessesMetrics) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=metrics.environment,
        )

    def does(self, *what: str) -> None:
        """Tell it what to count, and wait until it has."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        for each in what:
            print(each, file=self.process.stdin, flush=True)
            assert self.process.stdout.readline() == "done\n"

    def kill(self) -> int:
        """Kill it, and return its process id."""
        self.process.kill()
        self.process.communicate()
        return self.process.pid


@pytest.fixture
def metrics() -> Iterator[ProcessesMetrics]:
    """A folder for children."""
    made = ProcessesMetrics()
    yield made
    made.close()


@pytest.fixture
def children(metrics: ProcessesMetrics) -> Iterator[list[Child]]:
    """Two of them."""
    started = [Child(metrics), Child(metrics)]
    yield started
    for child in started:
        child.kill()


def value(metrics: ProcessesMetrics, sample: str) -> float | None:
    """A number on the page."""
    for line in metrics.text().decode().splitlines():
        name, _, number = line.rpartition(" ")
        if name == sample:
            return float(number)
    return None


IN_PROGRESS = 'asynqpy_tasks_in_progress{pattern="t",queue="low"}'
HANDLED = 'asynqpy_tasks_handled_total{outcome="succeeded",pattern="t",queue="low"}'
RUNS = 'asynqpy_task_duration_seconds_count{pattern="t",queue="low"}'
FAST_RUNS = 'asynqpy_task_duration_seconds_bucket{le="0.0025",pattern="t",queue="low"}'


def test_numbers_of_all_children_are_added_up(metrics: ProcessesMetrics, children: list[Child]) -> None:
    """Counters, gauges and histograms; the same families as in one process."""
    for child in children:
        child.does("start", "start", "end")
    assert value(metrics, IN_PROGRESS) == 2
    assert value(metrics, HANDLED) == 2
    assert (value(metrics, RUNS), value(metrics, FAST_RUNS)) == (2, 2)
    text = metrics.text().decode()
    assert "# TYPE asynqpy_task_duration_seconds histogram" in text
    assert "# HELP asynqpy_tasks_in_progress Attempts that run now." in text


def test_what_a_dead_child_counted_stays_and_its_gauges_go(metrics: ProcessesMetrics, children: list[Child]) -> None:
    """A counter that went back would look like a restart; what ran in it runs no more."""
    for child in children:
        child.does("start", "start", "end")
    pid = children[0].kill()
    metrics.child_ended(pid, crashed=True)
    assert value(metrics, IN_PROGRESS) == 1
    assert value(metrics, HANDLED) == 2
    assert value(metrics, FAST_RUNS) == 2
    assert f'pid="{pid}"' not in metrics.text().decode()
    assert f'of_the_user{{pid="{children[1].process.pid}"}} 7.0' in metrics.text().decode()
    assert value(metrics, "asynqpy_worker_crashes_total") == 1


def test_the_folder_does_not_grow_with_the_dead(metrics: ProcessesMetrics, children: list[Child]) -> None:
    """However many have died: their numbers are in one file of each kind."""
    for _ in range(3):
        child = Child(metrics)
        child.does("start", "end")
        metrics.child_ended(child.kill(), crashed=False)
    for child in children:
        child.does("start", "end")
        metrics.child_ended(child.kill(), crashed=False)
    (folder,) = metrics.environment.values()
    listed = subprocess.run(["ls", folder], capture_output=True, text=True, check=True).stdout.split()
    assert sorted(listed) == ["counter_ended.db", "histogram_ended.db"]
    assert (value(metrics, HANDLED), value(metrics, RUNS)) == (5, 5)
    assert value(metrics, "asynqpy_worker_crashes_total") == 0


def test_a_child_that_died_at_once_left_nothing(metrics: ProcessesMetrics) -> None:
    """Not even a file; or one that is empty."""
    metrics.child_ended(2**22 + 1, crashed=True)
    (folder,) = metrics.environment.values()
    with open(f"{folder}/counter_{2**22 + 1}.db", "wb"):
        pass
    metrics.child_ended(2**22 + 1, crashed=True)
    assert value(metrics, "asynqpy_worker_crashes_total") == 2
