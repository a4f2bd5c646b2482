"""The metrics that the page about monitoring names are those that there are."""

from __future__ import annotations

import re
from typing import cast

from prometheus_client import CollectorRegistry

from asynqpy import AttemptOutcome, Inspector
from asynqpy.metrics import QueueMetricsCollector, ServerMetrics
from asynqpy.metrics.processes import ProcessesMetrics

from .page import ROOT, blocks

PAGE = ROOT / "docs/howto/monitor.md"
TABLE = re.compile(r"^\| `(asynq\w+)` \| (gauge|counter|histogram) \| (.*)$", re.MULTILINE)


def served() -> dict[str, str]:
    """The name and type of every metric."""
    registry = CollectorRegistry()
    ServerMetrics(registry)
    processes = ProcessesMetrics()
    processes.close()
    found = [
        *QueueMetricsCollector(cast("Inspector", None)).describe(),
        *registry.collect(),
        *processes._own.collect(),
    ]
    return {f"{each.name}_total" if each.type == "counter" else each.name: each.type for each in found}


def test_the_tables_have_every_metric() -> None:
    """With its type, and no other."""
    assert {name: kind for name, kind, _ in TABLE.findall(PAGE.read_text(encoding="utf-8"))} == served()


def test_the_labels_are_those_of_the_tables() -> None:
    """Of the metrics of workers."""
    registry = CollectorRegistry()
    metrics = ServerMetrics(registry)
    rows = {
        name: set(re.findall(r"`(\w+)`", rest.partition("|")[0])) for name, _, rest in TABLE.findall(PAGE.read_text())
    }
    for attribute in vars(metrics).values():
        if hasattr(attribute, "_labelnames"):
            name = f"{attribute._name}_total" if attribute._type == "counter" else attribute._name
            assert rows[name] == set(attribute._labelnames), name


def test_every_outcome_is_named() -> None:
    """The values of the label."""
    (row,) = (rest for name, _, rest in TABLE.findall(PAGE.read_text()) if name == "asynqpy_tasks_handled_total")
    assert {outcome.value for outcome in AttemptOutcome} <= set(re.findall(r"`(\w+)`", row))


def test_alerts_and_dashboards_ask_for_what_there_is() -> None:
    """No rule waits for a metric that nobody serves."""
    text = PAGE.read_text(encoding="utf-8")
    (rules,) = blocks(PAGE, "yaml")
    asked = set(re.findall(r"\b(asynq(?:py)?_\w+)", rules + text.partition("In Grafana")[2]))
    assert {re.sub(r"_bucket$", "", name) for name in asked} <= served().keys()
